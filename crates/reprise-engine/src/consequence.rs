//! What the end of one task means for others: who may start, who is skipped,
//! which site is set aside.

use reprise_model::{Action, TaskIx, TaskState, Timestamp};

use crate::fold::{Fold, FoldError};
use crate::ledger::Blame;
use crate::slots::Slots;

impl Fold {
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
        for dependent in self.detours.dependents_of(task) {
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

    pub(crate) fn fail(&mut self, task: TaskIx) {
        self.set(task, TaskState::Failed);
        let check = self.topology.action(task).is_check();
        let blame = if check { Blame::Check } else { Blame::Work };
        self.ledger.blame(&self.topology, task, blame);
        self.settle_dependents(task);
        if !check && let Some(site) = self.topology.site(task) {
            self.set_aside(site, task);
        }
    }

    fn settle_dependents(&mut self, task: TaskIx) {
        for at in 0..self.topology.shape.dependents_of(task).len() {
            let dependent = self.topology.shape.dependents_of(task)[at];
            self.settle_dependent(dependent, task);
        }
        for dependent in self.detours.dependents_of(task) {
            self.settle_dependent(dependent, task);
        }
    }

    fn settle_dependent(&mut self, dependent: TaskIx, task: TaskIx) {
        if self.topology.tolerates(dependent, task) {
            self.count_down(dependent);
        } else {
            self.todo.skip.push((dependent, task));
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

    pub(crate) fn skip(&mut self, task: TaskIx, of: Option<TaskIx>) -> Result<(), FoldError> {
        self.expect(
            task,
            "skipped",
            &[TaskState::Waiting, TaskState::Ready, TaskState::Queued],
        )?;
        let blame = match of {
            Some(of) => {
                self.known(of, "skipped")?;
                self.ledger.slot(of).blame
            }
            None => Blame::None,
        };
        self.set(task, TaskState::Skipped);
        self.ledger.blame(&self.topology, task, blame);
        self.settle_dependents(task);
        Ok(())
    }

    /// Places a task whose needs are all there.
    pub(crate) fn admit(&mut self, task: TaskIx) {
        if self.wave_is_closed(task) {
            self.hold(task);
        } else if self.topology.action(task) == Action::Gate {
            self.set(task, TaskState::Ready);
            self.todo.gates.push(task);
        } else {
            self.set(task, TaskState::Queued);
            // One that waits out a delay is queued when that is over.
            if !self.ready.is_delayed(task) {
                self.enqueue(task);
            }
        }
    }

    pub(crate) fn wave_is_closed(&self, task: TaskIx) -> bool {
        let wave = self.topology.wave(task);
        wave.is_some_and(|wave| wave >= self.open_waves)
    }

    /// Keeps a task that could start until its wave opens.
    pub(crate) fn hold(&mut self, task: TaskIx) {
        self.set(task, TaskState::Ready);
        if let Some(wave) = self.topology.wave(task) {
            self.held[wave].push(task);
        }
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
        ) && !self.flights.contains(task)
    }

    /// Takes the most urgent task that has a slot, or room on deck if it may
    /// be started without a question.
    pub(crate) fn next_ready(&mut self, now: Timestamp, slots: &Slots) -> Option<TaskIx> {
        let (ledger, flights, topology) = (&self.ledger, &self.flights, &self.topology);
        let wanted = |task, attempts| {
            matches!(
                ledger.state(task),
                TaskState::Queued | TaskState::Indeterminate
            ) && ledger.slot(task).attempt == attempts
                && !flights.contains(task)
        };
        let admitted = |pool, task| {
            slots.is_free(pool)
                || (!ledger.slot(task).must_probe && slots.has_room(topology, pool, task))
        };
        self.ready.pop(now, wanted, admitted)
    }
}
