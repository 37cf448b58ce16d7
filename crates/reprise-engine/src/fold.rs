//! Events to states. The only place that does it: live, and when a run is
//! taken up again from its journal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reprise_model::{
    AttemptEnd, AttemptId, Command, Digest, Event, FaultKind, Halt, Owner, Plan, Plans, RunEnd,
    TaskIx, TaskKey, TaskState, Timestamp,
};
use serde_json::Value;

use crate::by_task::ByTask;
use crate::carry::of_queue;
use crate::detour::Detours;
use crate::ledger::Ledger;
use crate::orphans::Restored;
use crate::pace::Pace;
use crate::ready::{Queued, ReadyQueue};
use crate::resume::{Change, Decision, Probed, Status, decide};
use crate::topology::Topology;

/// An event that cannot follow what came before it: the journal is damaged,
/// or belongs to another plan.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum FoldError {
    #[error("`{event}` for task {task}, which is {}", state.as_str())]
    Illegal {
        event: &'static str,
        task: TaskKey,
        state: TaskState,
    },
    #[error("`{event}` names task {}, the plan has {tasks}", task.0)]
    NoSuchTask {
        event: &'static str,
        task: TaskIx,
        tasks: usize,
    },
    #[error("`{event}` for attempt {attempt}, which is not under way")]
    NoSuchAttempt {
        event: &'static str,
        attempt: AttemptId,
    },
    #[error("wave {wave} was opened, wave {expected} is next")]
    WaveOutOfOrder { wave: u32, expected: u32 },
    #[error("plan {} is put in force, and the journal holds no such plan", plan.short())]
    NoSuchPlan { plan: Digest },
}

/// An attempt under way.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Flight {
    pub attempt: AttemptId,
    pub probing: bool,
    pub since: Timestamp,
}

/// What the events call for and no event has answered yet. Consumers check
/// the state again, so that an entry may be stale.
#[derive(Clone, Default)]
pub(crate) struct Todo {
    /// Tasks to skip, each with the task that stands in the way.
    pub skip: Vec<(TaskIx, TaskIx)>,
    pub gates: Vec<TaskIx>,
}

/// The state of a run after some events.
#[derive(Clone)]
pub struct Fold {
    pub(crate) plans: Plans,
    pub(crate) topology: Arc<Topology>,
    pub(crate) ledger: Ledger,
    pub(crate) ready: ReadyQueue,
    pub(crate) pace: Pace,
    pub(crate) flights: ByTask<Flight>,
    pub(crate) marks: BTreeMap<TaskIx, Value>,
    pub(crate) detours: Detours,
    /// Restored by steps that an earlier plan had.
    pub(crate) orphans: BTreeSet<Restored>,
    pub(crate) todo: Todo,
    pub(crate) held: Vec<Vec<TaskIx>>,
    /// Sites that are set aside, each with the task that failed.
    pub(crate) aside: BTreeMap<usize, TaskIx>,
    pub(crate) open_waves: usize,
    pub(crate) halted: Option<Halt>,
    pub(crate) halt_lifted: bool,
    pub(crate) paused: bool,
    pub(crate) cancelling: bool,
    pub(crate) stopped: Option<RunEnd>,
    pub(crate) owner: Option<Owner>,
    pub(crate) last_command: u64,
    /// When the newest event was, by its owner's clock.
    pub(crate) latest: Timestamp,
}

impl Fold {
    /// A run of these plans, of which the first is in force.
    pub fn new(plans: impl Into<Plans>) -> Self {
        let plans = plans.into();
        let mut fold = Self::bare(plans.first().clone(), plans);
        for task in fold.topology.plan.ixs() {
            if fold.topology.needs(task).is_empty() {
                fold.admit(task);
            }
        }
        fold
    }

    /// Every task waits, and none has been let go.
    pub(crate) fn bare(plan: Arc<Plan>, plans: Plans) -> Self {
        let topology = Arc::new(Topology::new(plan));
        let ledger = Ledger::new(&topology);
        let waves = topology.plan.waves.len();
        Self {
            plans,
            pace: Pace::new(topology.plan.sites.len()),
            ready: ReadyQueue::new(&topology),
            flights: ByTask::new(topology.plan.tasks.len()),
            topology,
            ledger,
            marks: BTreeMap::new(),
            detours: Detours::default(),
            orphans: BTreeSet::new(),
            todo: Todo::default(),
            held: vec![Vec::new(); waves],
            aside: BTreeMap::new(),
            open_waves: 0,
            halted: None,
            halt_lifted: false,
            paused: false,
            cancelling: false,
            stopped: None,
            owner: None,
            last_command: 0,
            latest: Timestamp::from_micros(i64::MIN),
        }
    }

    pub fn plan(&self) -> &Arc<Plan> {
        &self.topology.plan
    }

    pub fn state(&self, task: TaskIx) -> TaskState {
        self.ledger.state(task)
    }

    pub fn count(&self, state: TaskState) -> u32 {
        self.ledger.count(state)
    }

    /// Attempts under way, each with whether it is a probe and since when.
    pub fn under_way(&self) -> impl Iterator<Item = (AttemptId, bool, Timestamp)> + '_ {
        let flights = self.flights.values();
        flights.map(|flight| (flight.attempt, flight.probing, flight.since))
    }

    pub fn stopped(&self) -> Option<RunEnd> {
        self.stopped
    }

    /// Whether the operator wants nothing to be started.
    pub(crate) fn is_held(&self) -> bool {
        self.paused || self.cancelling
    }

    /// Number of the newest command that the run has taken from its inbox.
    pub fn last_command(&self) -> u64 {
        self.last_command
    }

    pub fn apply(&mut self, event: &Event, at: Timestamp) -> Result<(), FoldError> {
        match event {
            Event::Created { .. } => {}
            Event::Owned(owner) => self.change_owner(owner, at),
            Event::WaveOpened { wave } => self.open_wave(*wave)?,
            Event::Probing { attempt } => self.take_off(*attempt, true, at, "probing")?,
            Event::Started { attempt } => self.take_off(*attempt, false, at, "started")?,
            Event::Marked { attempt, mark } => {
                self.flight(*attempt, "marked")?;
                self.marks.insert(attempt.task, mark.clone());
                self.ledger.slot_mut(attempt.task).must_probe = true;
            }
            Event::Ended {
                attempt,
                end,
                again,
            } => {
                self.learn_pace(*attempt, end, at);
                self.land(*attempt, end, *again)?;
            }
            Event::Skipped { task, of, .. } => self.skip(*task, *of)?,
            Event::GateOpened { task } => {
                self.expect(*task, "gate_opened", &[TaskState::Ready])?;
                self.set(*task, TaskState::Gated);
            }
            Event::Halted(halt) => self.halted = Some(halt.clone()),
            Event::Commanded { number, command } => {
                self.last_command = self.last_command.max(*number);
                self.obey(command);
            }
            Event::Replanned { plan, back, probe } => self.change_plan(*plan, back, probe, at)?,
            Event::Stopped(end) => self.stopped = Some(*end),
        }
        self.latest = at;
        Ok(())
    }

    pub(crate) fn set(&mut self, task: TaskIx, state: TaskState) {
        self.ledger.set(&self.topology, task, state);
    }

    fn open_wave(&mut self, wave: u32) -> Result<(), FoldError> {
        if wave as usize != self.open_waves || self.open_waves >= self.held.len() {
            return Err(FoldError::WaveOutOfOrder {
                wave,
                expected: u32::try_from(self.open_waves).unwrap_or(u32::MAX),
            });
        }
        self.open_waves += 1;
        for task in std::mem::take(&mut self.held[wave as usize]) {
            if self.state(task) == TaskState::Ready {
                self.admit(task);
            }
        }
        Ok(())
    }

    fn take_off(
        &mut self,
        attempt: AttemptId,
        probing: bool,
        at: Timestamp,
        event: &'static str,
    ) -> Result<(), FoldError> {
        let task = attempt.task;
        self.expect(task, event, &[TaskState::Queued, TaskState::Indeterminate])?;
        if self.flights.contains(task) {
            // A probe under way leaves the state as it was.
            let state = self.state(task);
            return Err(FoldError::Illegal {
                event,
                task: self.topology.plan.key(task),
                state,
            });
        }
        let slot = self.ledger.slot_mut(task);
        slot.attempt = slot.attempt.max(attempt.number);
        self.flights.insert(
            task,
            Flight {
                attempt,
                probing,
                since: at,
            },
        );
        let pool = self.topology.pool(task);
        self.ready.take(pool, self.topology.pools[pool], at);
        self.ready.forget_delay(task);
        let state = if probing {
            TaskState::Indeterminate
        } else {
            TaskState::Running
        };
        self.set(task, state);
        Ok(())
    }

    fn land(
        &mut self,
        attempt: AttemptId,
        end: &AttemptEnd,
        again: Option<Timestamp>,
    ) -> Result<(), FoldError> {
        self.flight(attempt, "ended")?;
        let task = attempt.task;
        self.flights.remove(task);
        self.give_back(task);
        match end {
            AttemptEnd::Done(_) => self.succeed(task, TaskState::Done),
            AttemptEnd::Satisfied(_) => self.succeed(task, TaskState::Satisfied),
            AttemptEnd::NotYet => {
                self.marks.remove(&task);
                self.ledger.slot_mut(task).must_probe = false;
                self.requeue(task, again);
            }
            AttemptEnd::Unknown { .. } => {
                let row = decide(
                    Status::Uncertain,
                    self.kind(task),
                    Change::Same,
                    Probed::Unknown,
                );
                let slot = self.ledger.slot_mut(task);
                slot.failures += 1;
                slot.must_probe = row.decision != Decision::Run;
                self.requeue(task, again);
            }
            AttemptEnd::Failed(fault) => match (fault.kind, again) {
                (FaultKind::Cancelled, None) => self.set(task, TaskState::Cancelled),
                (FaultKind::Cancelled, Some(_)) => self.requeue(task, again),
                (_, None) => self.fail(task),
                (_, Some(_)) => {
                    self.ledger.slot_mut(task).failures += 1;
                    self.requeue(task, again);
                }
            },
        }
        Ok(())
    }

    fn requeue(&mut self, task: TaskIx, again: Option<Timestamp>) {
        let site = self.topology.site(task);
        if let Some(because) = site.and_then(|site| self.aside.get(&site)) {
            self.todo.skip.push((task, *because));
        }
        if let Some(moment) = again {
            self.ready.delay(moment, task);
        }
        let must_probe = self.ledger.slot(task).must_probe;
        if !must_probe && self.wave_is_closed(task) {
            // Another plan has moved its site into a later wave.
            self.hold(task);
            return;
        }
        self.set(task, of_queue(must_probe));
        if again.is_none() {
            self.enqueue(task);
        }
    }

    fn obey(&mut self, command: &Command) {
        match command {
            Command::Answer { task, approved, .. } => {
                if task.get() < self.topology.plan.tasks.len()
                    && self.state(*task) == TaskState::Gated
                {
                    if *approved {
                        self.succeed(*task, TaskState::Done);
                    } else {
                        self.fail(*task);
                    }
                }
            }
            Command::Pause { .. } => self.paused = true,
            Command::Cancel { .. } => self.cancelling = true,
            Command::Continue { .. } => self.go_on(),
            Command::Retry { tasks, .. } => {
                self.halted = None;
                self.reset(tasks);
            }
        }
    }

    /// Lifts what stands in the way: a pause or a cancellation, else a halt.
    fn go_on(&mut self) {
        if !self.is_held() {
            self.halt_lifted |= self.halted.take().is_some();
        }
        self.paused = false;
        self.cancelling = false;
        if self.count(TaskState::Cancelled) == 0 {
            return;
        }
        for task in self.topology.plan.ixs() {
            if self.state(task) == TaskState::Cancelled {
                self.requeue(task, None);
            }
        }
    }

    pub(crate) fn enqueue(&mut self, task: TaskIx) {
        let pool = self.topology.pool(task);
        let wave = self
            .topology
            .wave(task)
            .map_or(0, |wave| u32::try_from(wave).expect("few waves"));
        let rank = self.urgency(task);
        let attempts = self.ledger.slot(task).attempt;
        self.ready
            .push(pool, Queued::new(task, wave, rank, attempts));
    }

    pub(crate) fn give_back(&mut self, task: TaskIx) {
        self.ready.give_back(self.topology.pool(task));
    }

    fn flight(&self, attempt: AttemptId, event: &'static str) -> Result<(), FoldError> {
        self.known(attempt.task, event)?;
        match self.flights.get(attempt.task) {
            Some(flight) if flight.attempt == attempt => Ok(()),
            Some(_) | None => Err(FoldError::NoSuchAttempt { event, attempt }),
        }
    }

    pub(crate) fn known(&self, task: TaskIx, event: &'static str) -> Result<(), FoldError> {
        let tasks = self.topology.plan.tasks.len();
        if task.get() < tasks {
            Ok(())
        } else {
            Err(FoldError::NoSuchTask { event, task, tasks })
        }
    }

    pub(crate) fn expect(
        &self,
        task: TaskIx,
        event: &'static str,
        allowed: &[TaskState],
    ) -> Result<(), FoldError> {
        self.known(task, event)?;
        let state = self.state(task);
        if allowed.contains(&state) {
            return Ok(());
        }
        Err(FoldError::Illegal {
            event,
            task: self.topology.plan.key(task),
            state,
        })
    }
}
