//! Another plan in force: what each of its tasks keeps of the one before.
//!
//! Follows from the event alone, and decides nothing: that was done when the
//! event was made, by the resume table.

use std::collections::{BTreeMap, BTreeSet};

use reprise_model::{Digest, Plan, SiteId, TaskIx, TaskState, Timestamp, counterparts};

use crate::fold::{Fold, FoldError};
use crate::ledger::{Blame, Slot};

/// What the event says about a task that the plan before has as well.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stands,
    /// From the start; attempts go on being numbered.
    Back,
    /// It had ended; the store is asked first.
    Probe,
}

impl Fold {
    pub(crate) fn change_plan(
        &mut self,
        hash: Digest,
        back: &[TaskIx],
        probe: &[TaskIx],
        at: Timestamp,
    ) -> Result<(), FoldError> {
        let plan = self.plans.find(hash).cloned();
        let plan = plan.ok_or(FoldError::NoSuchPlan { plan: hash })?;
        let pools = &self.topology.pools;
        self.ready.change_clock(pools, self.latest, at);
        self.lose_flights();
        let mut next = Fold::bare(plan.clone(), self.plans.clone());
        let mut fates = vec![Fate::Stands; plan.tasks.len()];
        for (tasks, fate) in [(back, Fate::Back), (probe, Fate::Probe)] {
            for task in tasks {
                next.known(*task, "replanned")?;
                fates[task.get()] = fate;
            }
        }
        next.take_run(self);
        let before = counterparts(self.plan(), &plan);
        next.orphans = self.orphans_under(&plan, &before);
        for task in plan.ixs() {
            if let Some(old) = before[task.get()] {
                next.take_task(task, self, old, fates[task.get()]);
            }
        }
        next.find_detours();
        let delays = self.delays(&before, &fates);
        next.let_go(&delays);
        next.find_todo();
        *self = next;
        Ok(())
    }

    /// What belongs to the run and to no task.
    fn take_run(&mut self, old: &Fold) {
        self.open_waves = waves_open(old, self.plan());
        let rule = |plan: &Plan| (plan.halt_above, plan.halt_on_checks);
        self.halt_lifted = old.halt_lifted && rule(old.plan()) == rule(self.plan());
        self.paused = old.paused;
        self.cancelling = old.cancelling;
        self.owner = old.owner.clone();
        self.last_command = old.last_command;
    }

    fn take_task(&mut self, task: TaskIx, old: &Fold, before: TaskIx, fate: Fate) {
        let slot = old.ledger.slot(before);
        let uncertain = slot.must_probe && fate != Fate::Back;
        let state = match fate {
            Fate::Stands => lasting(old.state(before)),
            Fate::Back | Fate::Probe => TaskState::Waiting,
        };
        let kept: &mut Slot = self.ledger.slot_mut(task);
        kept.attempt = slot.attempt;
        kept.must_probe = uncertain;
        if fate == Fate::Stands {
            kept.failures = slot.failures;
        }
        if let Some(mark) = old.marks.get(&before).filter(|_| uncertain) {
            self.marks.insert(task, mark.clone());
        }
        self.set(task, state);
        let blame = match fate {
            Fate::Stands => slot.blame,
            Fate::Back | Fate::Probe => Blame::None,
        };
        let topology = self.topology.clone();
        self.ledger.blame(&topology, task, blame);
    }

    /// Delays before a retry, of tasks that stand.
    fn delays(&self, before: &[Option<TaskIx>], fates: &[Fate]) -> BTreeMap<TaskIx, Timestamp> {
        let delayed: BTreeMap<TaskIx, Timestamp> = self
            .ready
            .delayed()
            .map(|(moment, task)| (task, moment))
            .collect();
        let tasks = before.iter().enumerate();
        tasks
            .filter(|(at, _)| fates[*at] == Fate::Stands)
            .filter_map(|(at, old)| Some((TaskIx::at(at), *delayed.get(&(*old)?)?)))
            .collect()
    }

    /// Lets every waiting task go whose needs are there. One that is to be
    /// asked about waits for nothing else, not even for its wave; if it turns
    /// out not to be done, its work does.
    fn let_go(&mut self, delays: &BTreeMap<TaskIx, Timestamp>) {
        self.recount(&[]);
        for task in self.plan().clone().ixs() {
            if self.state(task) != TaskState::Waiting || self.ledger.slot(task).needs_left > 0 {
                continue;
            }
            let uncertain = self.ledger.slot(task).must_probe;
            let open = !self.wave_is_closed(task);
            match delays.get(&task) {
                Some(moment) if open || uncertain => {
                    self.set(task, of_queue(uncertain));
                    self.ready.delay(*moment, task);
                }
                None if uncertain => {
                    self.set(task, of_queue(uncertain));
                    self.enqueue(task);
                }
                Some(_) | None => self.resolve(task),
            }
        }
    }
}

pub(crate) fn of_queue(uncertain: bool) -> TaskState {
    if uncertain {
        TaskState::Indeterminate
    } else {
        TaskState::Queued
    }
}

/// The state that a task keeps; what follows from needs and waves is found
/// anew. What was cancelled comes back with every resume.
fn lasting(state: TaskState) -> TaskState {
    match state {
        TaskState::Satisfied
        | TaskState::Done
        | TaskState::Failed
        | TaskState::Skipped
        | TaskState::Gated => state,
        TaskState::Waiting
        | TaskState::Ready
        | TaskState::Queued
        | TaskState::Running
        | TaskState::Validating
        | TaskState::Indeterminate
        | TaskState::Cancelled => TaskState::Waiting,
    }
}

/// As many waves of the new plan as hold only sites whose wave was open.
fn waves_open(old: &Fold, new: &Plan) -> usize {
    let begun = old.plan().sites.iter();
    let begun: BTreeSet<&SiteId> = begun
        .filter(|site| (site.wave as usize) < old.open_waves)
        .map(|site| &site.id)
        .collect();
    let first_closed = new.sites.iter().find(|site| !begun.contains(&site.id));
    first_closed.map_or(new.waves.len(), |site| site.wave as usize)
}
