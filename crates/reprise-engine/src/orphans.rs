//! Restores that outlive their steps.
//!
//! A step that is dropped from the runbook, or that stands for something else
//! now, leaves its slices restored. No later plan of the run may restore them
//! again, however often the runbook is edited, and whatever the step is called.

use std::collections::BTreeSet;

use reprise_model::{Action, Plan, PlannedStep, ShardId, SiteId, StoreId, TaskIx};

use crate::fold::Fold;
use crate::resume::Status;

/// A site's slice of a shard.
pub(crate) type Restored = (SiteId, StoreId, ShardId);

impl Fold {
    /// What was restored, or may have been, by steps that `plan` does not
    /// have. `before` holds for each of its tasks the one of the same key.
    pub(crate) fn orphans_under(
        &self,
        plan: &Plan,
        before: &[Option<TaskIx>],
    ) -> BTreeSet<Restored> {
        let old = self.plan();
        let mut goes_on = vec![false; old.tasks.len()];
        for (task, before) in plan.ixs().zip(before) {
            if let Some(before) = before {
                goes_on[before.get()] = !is_replaced(old.step_of(*before), plan.step_of(task));
            }
        }
        let gone = old.ixs().filter(|task| {
            !goes_on[task.get()]
                && self.topology.action(*task) == Action::Restore
                && may_be_there(self.status(*task))
        });
        let gone = gone.filter_map(|task| restored(old, task));
        gone.chain(self.orphans.iter().cloned()).collect()
    }
}

/// Another task under the same name.
pub(crate) fn is_replaced(old: &PlannedStep, new: &PlannedStep) -> bool {
    old.action != new.action || old.store != new.store
}

pub(crate) fn restored(plan: &Plan, task: TaskIx) -> Option<Restored> {
    let shard = plan.shard_of(task)?;
    let site = plan.site_of(task)?;
    Some((site.id.clone(), shard.store.clone(), shard.shard.clone()))
}

fn may_be_there(status: Status) -> bool {
    status.is_success() || status.is_open_question() || status == Status::FailedUncertain
}
