//! Entries to what reports and displays show.
//!
//! The engine's own fold decides; this one only shows. It therefore never
//! fails: an entry that it has seen before is ignored, and one that makes no
//! sense to it changes nothing but the count.

mod clock;
mod pools;
mod record;
mod replan;
mod retry;
mod tally;
mod view;

use std::collections::BTreeSet;
use std::sync::Arc;

use reprise_model::{
    Action, AttemptEnd, AttemptId, Command, Entry, Event, FaultKind, Halt, Owner, Plan, Plans,
    RunEnd, TaskIx, TaskState, Timestamp, Volume,
};
use serde::{Deserialize, Serialize};

pub use clock::{PhaseClock, PhaseKey};
pub use pools::PoolUse;
pub use record::{GateAnswer, LiveProgress, TaskRecord};
pub use replan::PlanInForce;
pub use tally::{SiteProgress, WaveTally};

use crate::estimate::Estimate;
use tally::Tally;

/// Where a run stands as a whole, as far as its journal tells. `Running` may
/// also mean that its coordinator has died: only a lock can tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    Running,
    Finished,
    AtGates,
    Paused,
    Cancelled,
    Halted,
}

impl RunState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::AtGates => "waiting at a gate",
            Self::Paused => "paused",
            Self::Cancelled => "cancelled",
            Self::Halted => "halted",
        }
    }
}

/// The state of a run after some entries, with its history.
#[derive(Clone, Debug)]
pub struct Fold {
    plans: Plans,
    /// The plan in force.
    plan: Arc<Plan>,
    in_force: Vec<PlanInForce>,
    /// A plan was put in force that is not there: nothing more is taken.
    lost: bool,
    records: Vec<TaskRecord>,
    tally: Tally,
    phases: Vec<PhaseClock>,
    phase_of_step: Vec<usize>,
    under_way: BTreeSet<TaskIx>,
    gates: BTreeSet<TaskIx>,
    /// Failed attempts that are tried again, by when.
    retries: BTreeSet<(Timestamp, TaskIx)>,
    next_seq: u64,
    last_at: Option<Timestamp>,
    created: Option<Timestamp>,
    started: Option<Timestamp>,
    stopped: Option<(RunEnd, Timestamp)>,
    owner: Option<Owner>,
    owners: u32,
    attempts: u32,
    failed_attempts: u32,
    halted: Option<Halt>,
    paused: bool,
    cancelling: bool,
    moved: Volume,
    estimate: Option<Estimate>,
}

impl Fold {
    /// A run of these plans, of which the first is in force.
    pub fn new(plans: impl Into<Plans>) -> Self {
        let plans = plans.into();
        let plan = plans.first().clone();
        let (phases, phase_of_step) = phases_of(&plan);
        Self {
            records: vec![TaskRecord::new(); plan.tasks.len()],
            tally: Tally::new(&plan),
            phases,
            phase_of_step,
            under_way: BTreeSet::new(),
            gates: BTreeSet::new(),
            retries: BTreeSet::new(),
            next_seq: 0,
            last_at: None,
            created: None,
            started: None,
            stopped: None,
            owner: None,
            owners: 0,
            attempts: 0,
            failed_attempts: 0,
            halted: None,
            paused: false,
            cancelling: false,
            moved: Volume::default(),
            estimate: None,
            in_force: vec![PlanInForce::first(&plan)],
            lost: false,
            plans,
            plan,
        }
    }

    /// Takes one entry. Returns whether it was new: an entry whose seq has
    /// been seen changes nothing.
    pub fn apply(&mut self, entry: &Entry) -> bool {
        if entry.seq.0 < self.next_seq {
            return false;
        }
        self.next_seq = entry.seq.0.saturating_add(1);
        if !self.lost {
            self.take(&entry.event, entry.at);
        }
        self.last_at = Some(entry.at);
        true
    }

    /// Takes news of an attempt under way; news of any other attempt is late
    /// and ignored.
    pub fn progress(
        &mut self,
        attempt: AttemptId,
        volume: Volume,
        fraction: Option<f64>,
        phase: Option<&str>,
    ) {
        let Some(record) = self.records.get_mut(attempt.task.get()) else {
            return;
        };
        if record.attempt == attempt.number && record.is_under_way() {
            record.progress = Some(Box::new(LiveProgress {
                volume,
                fraction,
                phase: phase.map(str::to_owned),
            }));
        }
    }

    /// Takes what somebody who can run the engine ahead says of the time left.
    pub fn set_estimate(&mut self, estimate: Option<Estimate>) {
        self.estimate = estimate;
    }

    fn take(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::Created { .. } => {
                self.created = Some(at);
                self.in_force[0].since = Some(at);
            }
            Event::Owned(owner) => self.change_owner(owner, at),
            Event::WaveOpened { wave } => {
                if let Some(wave) = self.tally.waves.get_mut(*wave as usize) {
                    wave.open = true;
                }
            }
            Event::Probing { attempt } => {
                self.known(attempt.task, |fold, task| {
                    fold.set(task, TaskState::Indeterminate, false);
                });
            }
            Event::Started { attempt } => self.start(*attempt, at),
            Event::Marked { .. } => {}
            Event::Ended {
                attempt,
                end,
                again,
            } => self.known(attempt.task, |fold, task| fold.end(task, end, *again, at)),
            Event::Skipped { task, because, of } => {
                self.known(*task, |fold, task| fold.skip(task, because, *of, at));
            }
            Event::GateOpened { task } => self.known(*task, |fold, task| {
                fold.begin(task, at);
                fold.set(task, TaskState::Gated, false);
            }),
            Event::Halted(halt) => self.halted = Some(halt.clone()),
            Event::Commanded { command, .. } => self.obey(command, at),
            Event::Replanned { plan, back, probe } => {
                self.change_plan(*plan, back, probe, at);
            }
            Event::Stopped(end) => self.stopped = Some((*end, at)),
        }
    }

    fn known(&mut self, task: TaskIx, then: impl FnOnce(&mut Self, TaskIx)) {
        if task.get() < self.records.len() {
            then(self, task);
        }
    }

    /// The one writer of states.
    fn set(&mut self, task: TaskIx, state: TaskState, tainted: bool) {
        let site = self.site_of(task);
        let record = &mut self.records[task.get()];
        let old = (record.state, record.tainted);
        record.state = state;
        record.tainted = tainted;
        if !record.is_under_way() {
            record.progress = None;
        }
        if record.is_under_way() {
            self.under_way.insert(task);
        } else {
            self.under_way.remove(&task);
        }
        if state == TaskState::Gated {
            self.gates.insert(task);
        } else {
            self.gates.remove(&task);
        }
        self.tally.change(site, old, (state, tainted));
    }

    /// Attempts of an earlier owner have no end; the time until the last
    /// thing that was heard of that owner counts.
    fn change_owner(&mut self, owner: &Owner, at: Timestamp) {
        self.started.get_or_insert(at);
        self.owner = Some(owner.clone());
        self.owners += 1;
        self.stopped = None;
        self.lose_flights(at);
    }

    fn lose_flights(&mut self, at: Timestamp) {
        let heard = self.last_at.unwrap_or(at);
        for task in std::mem::take(&mut self.under_way) {
            self.phase_mut(task).finish(heard);
            self.set(task, TaskState::Indeterminate, false);
        }
    }

    fn begin(&mut self, task: TaskIx, at: Timestamp) {
        let record = &mut self.records[task.get()];
        record.first_start.get_or_insert(at);
        record.last_start = Some(at);
        record.end = None;
        self.try_again(task, None);
        self.phase_mut(task).begin(at);
    }

    /// The one writer of `again`.
    fn try_again(&mut self, task: TaskIx, again: Option<Timestamp>) {
        let record = &mut self.records[task.get()];
        if let Some(before) = std::mem::replace(&mut record.again, again) {
            self.retries.remove(&(before, task));
        }
        self.retries.extend(again.map(|at| (at, task)));
    }

    fn start(&mut self, attempt: AttemptId, at: Timestamp) {
        self.known(attempt.task, |fold, task| {
            fold.attempts += 1;
            fold.records[task.get()].attempt = attempt.number;
            fold.begin(task, at);
            fold.set(task, TaskState::Running, false);
        });
    }

    fn end(&mut self, task: TaskIx, end: &AttemptEnd, again: Option<Timestamp>, at: Timestamp) {
        if self.under_way.contains(&task) {
            self.phase_mut(task).finish(at);
        }
        let action = self.plan.step_of(task).action;
        self.try_again(task, again);
        let record = &mut self.records[task.get()];
        let (state, tainted) = match end {
            AttemptEnd::Done(outcome) | AttemptEnd::Satisfied(outcome) => {
                let done = matches!(end, AttemptEnd::Done(_));
                record.end = Some(at);
                record.reason = None;
                if action == Action::Restore {
                    self.moved += outcome.volume;
                }
                record.outcome = Some(Box::new(outcome.clone()));
                (
                    if done {
                        TaskState::Done
                    } else {
                        TaskState::Satisfied
                    },
                    false,
                )
            }
            AttemptEnd::NotYet => (TaskState::Queued, false),
            AttemptEnd::Unknown { why } => {
                record.reason = Some(why.as_str().into());
                (TaskState::Indeterminate, false)
            }
            AttemptEnd::Failed(fault) => {
                record.end = Some(at);
                record.fault = Some(Box::new(fault.clone()));
                self.failed_attempts += 1;
                match (again, fault.kind) {
                    (Some(_), _) => (TaskState::Queued, false),
                    (None, FaultKind::Cancelled) => (TaskState::Cancelled, false),
                    (None, _) => (TaskState::Failed, !action.is_check()),
                }
            }
        };
        self.set(task, state, tainted);
    }

    /// A task that is skipped counts against its site when what stands in the
    /// way does, or when it is a shard's or the run's.
    fn skip(&mut self, task: TaskIx, because: &str, of: Option<TaskIx>, at: Timestamp) {
        let tainted = of
            .filter(|of| of.get() < self.records.len())
            .is_some_and(|of| self.record(of).tainted || self.site_of(of).is_none());
        let record = &mut self.records[task.get()];
        record.reason = Some(because.into());
        record.end = Some(at);
        self.set(task, TaskState::Skipped, tainted);
    }

    fn obey(&mut self, command: &Command, at: Timestamp) {
        match command {
            Command::Answer {
                task,
                approved,
                by,
                note,
            } => {
                if self.gates.contains(task) {
                    self.answer(*task, *approved, by, note.clone(), at);
                }
            }
            Command::Pause { .. } => self.paused = true,
            Command::Cancel { .. } => self.cancelling = true,
            Command::Continue { .. } => self.go_on(),
            Command::Retry { tasks, .. } => {
                self.halted = None;
                self.put_back(tasks);
            }
        }
    }

    fn answer(
        &mut self,
        task: TaskIx,
        approved: bool,
        by: &str,
        note: Option<String>,
        at: Timestamp,
    ) {
        self.phase_mut(task).finish(at);
        let record = &mut self.records[task.get()];
        record.end = Some(at);
        record.answer = Some(Box::new(GateAnswer {
            approved,
            by: by.to_owned(),
            note,
        }));
        let state = if approved {
            TaskState::Done
        } else {
            TaskState::Failed
        };
        self.set(task, state, false);
    }

    fn go_on(&mut self) {
        self.paused = false;
        self.cancelling = false;
        self.halted = None;
        if self.count(TaskState::Cancelled) == 0 {
            return;
        }
        for task in self.plan.ixs() {
            if self.state(task) == TaskState::Cancelled {
                self.set(task, TaskState::Queued, false);
            }
        }
    }

    fn phase_mut(&mut self, task: TaskIx) -> &mut PhaseClock {
        let step = self.plan.tasks[task.get()].step as usize;
        &mut self.phases[self.phase_of_step[step]]
    }
}

/// The phases in the order of the runbook's steps, and each step's own.
fn phases_of(plan: &Plan) -> (Vec<PhaseClock>, Vec<usize>) {
    let mut phases: Vec<PhaseClock> = Vec::new();
    let mut of_step = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        let layer = step.store.as_ref().and_then(|store| {
            let shard = plan.shards.iter().find(|shard| shard.store == *store);
            shard.map(|shard| shard.layer)
        });
        let key = PhaseKey {
            action: step.action,
            layer,
        };
        let place = phases.iter().position(|phase| phase.key == key);
        of_step.push(place.unwrap_or_else(|| {
            phases.push(PhaseClock::new(key));
            phases.len() - 1
        }));
    }
    for task in &plan.tasks {
        phases[of_step[task.step as usize]].tasks += 1;
    }
    (phases, of_step)
}
