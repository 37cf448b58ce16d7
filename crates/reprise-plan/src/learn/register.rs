//! Numbers for what tasks are for, because site ids are long and tasks many.

use std::collections::BTreeMap;

use reprise_model::{Plan, PlannedShard, Scope, ShardId, SiteId, StoreId, TaskIx};

/// The run, a shard or a site: the same in every run of the same estate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Subject(u32);

const RUN: Subject = Subject(0);

#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Register {
    sites: BTreeMap<SiteId, Subject>,
    shards: BTreeMap<(StoreId, ShardId), Subject>,
}

impl Register {
    /// Takes in the sites and shards of a plan.
    pub(super) fn enrol(&mut self, plan: &Plan) {
        for site in &plan.sites {
            let next = self.next();
            self.sites.entry(site.id.clone()).or_insert(next);
        }
        for shard in &plan.shards {
            let next = self.next();
            self.shards.entry(name(shard)).or_insert(next);
        }
    }

    fn next(&self) -> Subject {
        let taken = self.sites.len() + self.shards.len();
        Subject(u32::try_from(taken + 1).expect("fewer than 2^32 sites and shards"))
    }

    pub(super) fn site(&self, id: &SiteId) -> Option<Subject> {
        self.sites.get(id).copied()
    }

    /// What the task is for; absent for what no plan before had.
    pub(super) fn subject(&self, plan: &Plan, task: TaskIx) -> Option<Subject> {
        match plan.step_of(task).scope {
            Scope::Run => Some(RUN),
            Scope::Shard => self.shards.get(&name(plan.shard_of(task)?)).copied(),
            Scope::Site => self.site(&plan.site_of(task)?.id),
        }
    }
}

fn name(shard: &PlannedShard) -> (StoreId, ShardId) {
    (shard.store.clone(), shard.shard.clone())
}
