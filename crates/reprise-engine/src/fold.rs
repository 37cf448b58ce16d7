//! Events to states. The only place that does it: live, and when a run is
//! taken up again from its journal.

use std::collections::BTreeMap;
use std::sync::Arc;

use reprise_model::{
    Action, AttemptEnd, AttemptId, Command, Event, FaultKind, Halt, Owner, Plan, RunEnd, TaskIx,
    TaskKey, TaskState, Timestamp,
};
use serde_json::Value;

use crate::ledger::Ledger;
use crate::ready::{Queued, ReadyQueue};
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
#[derive(Default)]
pub(crate) struct Todo {
    /// Tasks to skip, each with the task that stands in the way.
    pub skip: Vec<(TaskIx, TaskIx)>,
    pub gates: Vec<TaskIx>,
}

/// The state of a run after some events.
pub struct Fold {
    pub(crate) topology: Topology,
    pub(crate) ledger: Ledger,
    pub(crate) ready: ReadyQueue,
    pub(crate) flights: BTreeMap<TaskIx, Flight>,
    pub(crate) marks: BTreeMap<TaskIx, Value>,
    pub(crate) todo: Todo,
    held: Vec<Vec<TaskIx>>,
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
}

impl Fold {
    pub fn new(plan: Arc<Plan>) -> Self {
        let topology = Topology::new(plan);
        let ledger = Ledger::new(&topology);
        let waves = topology.plan.waves.len();
        let mut fold = Self {
            ready: ReadyQueue::new(&topology.plan),
            topology,
            ledger,
            flights: BTreeMap::new(),
            marks: BTreeMap::new(),
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
        };
        for task in fold.topology.plan.ixs() {
            if fold.topology.needs(task).is_empty() {
                fold.admit(task);
            }
        }
        fold
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

    pub fn stopped(&self) -> Option<RunEnd> {
        self.stopped
    }

    /// Number of the newest command that the run has taken from its inbox.
    pub fn last_command(&self) -> u64 {
        self.last_command
    }

    pub fn apply(&mut self, event: &Event, at: Timestamp) -> Result<(), FoldError> {
        match event {
            Event::Created { .. } => {}
            Event::Owned(owner) => self.change_owner(owner),
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
            } => self.land(*attempt, end, *again)?,
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
            Event::Stopped(end) => self.stopped = Some(*end),
        }
        Ok(())
    }

    pub(crate) fn set(&mut self, task: TaskIx, state: TaskState) {
        self.ledger.set(&self.topology, task, state);
    }

    /// Attempts of an earlier owner may have done their work or not.
    fn change_owner(&mut self, owner: &Owner) {
        self.owner = Some(owner.clone());
        self.stopped = None;
        for (task, flight) in std::mem::take(&mut self.flights) {
            self.give_back(task);
            if !flight.probing {
                self.ledger.slot_mut(task).must_probe = true;
            }
            self.set(task, TaskState::Indeterminate);
            self.enqueue(task);
        }
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
        self.ready
            .take(self.topology.plan.tasks[task.get()].step, at);
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
        self.flights.remove(&task);
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
                let repeat = self.topology.action(task).may_repeat();
                let slot = self.ledger.slot_mut(task);
                slot.failures += 1;
                slot.must_probe = !repeat;
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
        let state = if self.ledger.slot(task).must_probe {
            TaskState::Indeterminate
        } else {
            TaskState::Queued
        };
        self.set(task, state);
        let site = self.topology.site(task);
        if let Some(because) = site.and_then(|site| self.aside.get(&site)) {
            self.todo.skip.push((task, *because));
        }
        match again {
            Some(moment) => self.ready.delay(moment, task),
            None => self.enqueue(task),
        }
    }

    pub(crate) fn succeed(&mut self, task: TaskIx, state: TaskState) {
        self.marks.remove(&task);
        self.set(task, state);
        self.release_dependents(task);
    }

    fn release_dependents(&mut self, task: TaskIx) {
        for at in 0..self.topology.shape.dependents_of(task).len() {
            let dependent = self.topology.shape.dependents_of(task)[at];
            self.count_down(dependent);
        }
    }

    fn count_down(&mut self, dependent: TaskIx) {
        if self.state(dependent) != TaskState::Waiting {
            return;
        }
        let slot = self.ledger.slot_mut(dependent);
        slot.needs_left -= 1;
        if slot.needs_left == 0 {
            self.resolve(dependent);
        }
    }

    /// All needs are settled: start it, unless none of them succeeded.
    pub(crate) fn resolve(&mut self, task: TaskIx) {
        let needs = self.topology.needs(task);
        let in_vain = !needs.is_empty() && !needs.iter().any(|need| self.state(*need).is_success());
        if in_vain {
            self.todo.skip.push((task, needs[0]));
        } else {
            self.admit(task);
        }
    }

    fn fail(&mut self, task: TaskIx) {
        self.set(task, TaskState::Failed);
        let check = self.topology.action(task).is_check();
        self.ledger.taint(&self.topology, task, !check);
        self.settle_dependents(task);
        if !check && let Some(site) = self.topology.site(task) {
            self.set_aside(site, task);
        }
    }

    fn settle_dependents(&mut self, task: TaskIx) {
        for at in 0..self.topology.shape.dependents_of(task).len() {
            let dependent = self.topology.shape.dependents_of(task)[at];
            if self.topology.tolerates(dependent, task) {
                self.count_down(dependent);
            } else {
                self.todo.skip.push((dependent, task));
            }
        }
    }

    /// Quarantine: nothing more is started for a site that failed.
    pub(crate) fn set_aside(&mut self, site: usize, because: TaskIx) {
        self.aside.insert(site, because);
        for task in self.topology.of_site(site) {
            if *task != because {
                self.todo.skip.push((*task, because));
            }
        }
    }

    fn skip(&mut self, task: TaskIx, of: Option<TaskIx>) -> Result<(), FoldError> {
        self.expect(
            task,
            "skipped",
            &[TaskState::Waiting, TaskState::Ready, TaskState::Queued],
        )?;
        let tainted = match of {
            Some(of) => {
                self.known(of, "skipped")?;
                self.ledger.slot(of).tainted
            }
            None => false,
        };
        self.set(task, TaskState::Skipped);
        self.ledger.taint(&self.topology, task, tainted);
        self.settle_dependents(task);
        Ok(())
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
        if !self.paused && !self.cancelling {
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

    /// Places a task whose needs are all there.
    pub(crate) fn admit(&mut self, task: TaskIx) {
        if let Some(wave) = self.topology.wave(task)
            && wave >= self.open_waves
        {
            self.set(task, TaskState::Ready);
            self.held[wave].push(task);
        } else if self.topology.action(task) == Action::Gate {
            self.set(task, TaskState::Ready);
            self.todo.gates.push(task);
        } else {
            self.set(task, TaskState::Queued);
            self.enqueue(task);
        }
    }

    pub(crate) fn enqueue(&mut self, task: TaskIx) {
        let step = self.topology.plan.tasks[task.get()].step;
        let wave = self
            .topology
            .wave(task)
            .map_or(0, |wave| u32::try_from(wave).expect("few waves"));
        let rank = self.topology.shape.rank(task);
        let attempts = self.ledger.slot(task).attempt;
        self.ready
            .push(step, Queued::new(task, wave, rank, attempts));
    }

    fn give_back(&mut self, task: TaskIx) {
        self.ready
            .give_back(self.topology.plan.tasks[task.get()].step);
    }

    /// Whether the task is neither finished nor under way, so that it can be skipped.
    pub(crate) fn may_skip(&self, task: TaskIx) -> bool {
        match self.state(task) {
            TaskState::Waiting | TaskState::Ready | TaskState::Queued => true,
            TaskState::Satisfied
            | TaskState::Running
            | TaskState::Validating
            | TaskState::Gated
            | TaskState::Done
            | TaskState::Failed
            | TaskState::Indeterminate
            | TaskState::Skipped
            | TaskState::Cancelled => false,
        }
    }

    pub(crate) fn wants_slot(&self, task: TaskIx) -> bool {
        matches!(
            self.state(task),
            TaskState::Queued | TaskState::Indeterminate
        ) && !self.flights.contains_key(&task)
    }

    /// Takes the most urgent task that a slot is free for.
    pub(crate) fn next_ready(&mut self, now: Timestamp) -> Option<TaskIx> {
        let (ledger, flights) = (&self.ledger, &self.flights);
        self.ready.pop(now, |task, attempts| {
            matches!(
                ledger.state(task),
                TaskState::Queued | TaskState::Indeterminate
            ) && ledger.slot(task).attempt == attempts
                && !flights.contains_key(&task)
        })
    }

    /// Finds again what events of an earlier owner called for and that owner
    /// had no time to answer.
    pub(crate) fn find_todo(&mut self) {
        self.todo = Todo::default();
        for task in self.topology.plan.ixs() {
            match self.state(task) {
                TaskState::Waiting => self.find_obstacle(task),
                TaskState::Ready if self.topology.action(task) == Action::Gate => {
                    if self.topology.wave(task).is_none_or(|w| w < self.open_waves) {
                        self.todo.gates.push(task);
                    }
                }
                TaskState::Failed if self.ledger.slot(task).tainted => {
                    if let Some(site) = self.topology.site(task) {
                        self.set_aside(site, task);
                    }
                }
                TaskState::Ready
                | TaskState::Satisfied
                | TaskState::Queued
                | TaskState::Running
                | TaskState::Validating
                | TaskState::Gated
                | TaskState::Done
                | TaskState::Failed
                | TaskState::Indeterminate
                | TaskState::Skipped
                | TaskState::Cancelled => {}
            }
        }
    }

    fn find_obstacle(&mut self, task: TaskIx) {
        let needs = self.topology.needs(task);
        let obstacle = needs.iter().copied().find(|need| {
            matches!(self.state(*need), TaskState::Failed | TaskState::Skipped)
                && !self.topology.tolerates(task, *need)
        });
        if let Some(of) = obstacle {
            self.todo.skip.push((task, of));
        } else if self.ledger.slot(task).needs_left == 0 {
            self.resolve(task);
        }
    }

    fn flight(&self, attempt: AttemptId, event: &'static str) -> Result<(), FoldError> {
        self.known(attempt.task, event)?;
        match self.flights.get(&attempt.task) {
            Some(flight) if flight.attempt == attempt => Ok(()),
            Some(_) | None => Err(FoldError::NoSuchAttempt { event, attempt }),
        }
    }

    fn known(&self, task: TaskIx, event: &'static str) -> Result<(), FoldError> {
        let tasks = self.topology.plan.tasks.len();
        if task.get() < tasks {
            Ok(())
        } else {
            Err(FoldError::NoSuchTask { event, task, tasks })
        }
    }

    fn expect(
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
