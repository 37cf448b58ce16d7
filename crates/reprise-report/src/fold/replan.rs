//! Another plan in force: the history of each task goes on under its key.

use reprise_model::{Digest, Plan, TaskIx, TaskState, Timestamp, counterparts};
use serde::{Deserialize, Serialize};

use super::{Fold, TaskRecord, phases_of};
use crate::fold::tally::Tally;

/// A plan that the run has had, or has.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PlanInForce {
    pub hash: Digest,
    /// Absent while nothing of the run is in the journal.
    pub since: Option<Timestamp>,
    pub tasks: u32,
    /// Tasks that had been attempted, skipped or opened, and started anew.
    pub again: u32,
    /// Tasks that the plan before did not have.
    pub new: u32,
    /// Tasks of the plan before that are in it no more, and of those the ones
    /// that had been done: what they did stays done.
    pub dropped: u32,
    pub dropped_done: u32,
}

impl PlanInForce {
    pub(super) fn first(plan: &Plan) -> Self {
        Self {
            hash: plan.hash,
            since: None,
            tasks: count(plan.tasks.len()),
            again: 0,
            new: 0,
            dropped: 0,
            dropped_done: 0,
        }
    }
}

impl Fold {
    /// Without the plan nothing that follows could be understood: the fold
    /// stays where it is.
    pub(super) fn change_plan(
        &mut self,
        hash: Digest,
        back: &[TaskIx],
        probe: &[TaskIx],
        at: Timestamp,
    ) {
        let Some(plan) = self.plans.find(hash).cloned() else {
            self.lost = true;
            return;
        };
        self.lose_flights(at);
        let before = counterparts(&self.plan, &plan);
        self.note_plan(&plan, &before, back.len() + probe.len(), at);
        let mut old =
            std::mem::replace(&mut self.records, vec![TaskRecord::new(); plan.tasks.len()]);
        let open = self.begun_sites();
        self.change_phases(&plan);
        self.tally = Tally::new(&plan);
        for wave in 0..self.tally.waves.len() {
            let mut sites = plan.sites.iter().filter(|site| site.wave as usize == wave);
            self.tally.waves[wave].open = sites.all(|site| open.contains(site.id.as_str()));
        }
        self.plan = plan;
        self.under_way.clear();
        self.gates.clear();
        self.halted = None;
        for (at, before) in before.iter().enumerate() {
            let Some(before) = before else { continue };
            let record = std::mem::replace(&mut old[before.get()], TaskRecord::new());
            self.keep(TaskIx::at(at), record);
        }
        for task in back {
            self.known(*task, |fold, task| {
                fold.start_anew(task, TaskState::Waiting)
            });
        }
        for task in probe {
            self.known(*task, |fold, task| {
                fold.start_anew(task, TaskState::Indeterminate);
            });
        }
    }

    fn keep(&mut self, task: TaskIx, record: TaskRecord) {
        let (state, tainted) = (record.state, record.tainted);
        self.records[task.get()] = TaskRecord {
            state: TaskState::Waiting,
            tainted: false,
            ..record
        };
        self.set(task, state, tainted);
    }

    /// What an earlier attempt found or was answered holds no longer. Its
    /// fault stays, as history.
    fn start_anew(&mut self, task: TaskIx, state: TaskState) {
        let record = &mut self.records[task.get()];
        record.outcome = None;
        record.answer = None;
        record.reason = None;
        record.end = None;
        record.again = None;
        self.set(task, state, false);
    }

    /// Sites whose wave is open.
    fn begun_sites(&self) -> std::collections::BTreeSet<String> {
        let open = |wave: u32| {
            let wave = self.tally.waves.get(wave as usize);
            wave.is_some_and(|wave| wave.open)
        };
        let sites = self.plan.sites.iter().filter(|site| open(site.wave));
        sites.map(|site| site.id.to_string()).collect()
    }

    /// Clocks run on; a phase that the new plan does not have is kept for what
    /// it took.
    fn change_phases(&mut self, plan: &Plan) {
        let (mut phases, of_step) = phases_of(plan);
        for mut clock in std::mem::take(&mut self.phases) {
            match phases.iter_mut().find(|phase| phase.key == clock.key) {
                Some(phase) => {
                    clock.tasks = phase.tasks;
                    *phase = clock;
                }
                None if clock.start.is_some() => phases.push(clock),
                None => {}
            }
        }
        self.phases = phases;
        self.phase_of_step = of_step;
    }

    fn note_plan(&mut self, plan: &Plan, before: &[Option<TaskIx>], again: usize, at: Timestamp) {
        let mut kept = vec![false; self.records.len()];
        for task in before.iter().flatten() {
            kept[task.get()] = true;
        }
        let dropped = || self.records.iter().zip(&kept).filter(|(_, kept)| !**kept);
        let done = dropped().filter(|(record, _)| record.state.is_success());
        let noted = PlanInForce {
            hash: plan.hash,
            since: Some(at),
            tasks: count(plan.tasks.len()),
            again: count(again),
            new: count(before.iter().filter(|task| task.is_none()).count()),
            dropped: count(dropped().count()),
            dropped_done: count(done.count()),
        };
        self.in_force.push(noted);
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
