//! The operator's retry: failed tasks and what was skipped because of them go
//! back to `Waiting`.

use reprise_model::{TaskIx, TaskState};

use crate::fold::Fold;
use crate::ledger::Blame;

impl Fold {
    /// Puts the failed among `tasks` back, with every skipped task that
    /// nothing else stands in the way of. Linear in tasks and edges.
    pub(crate) fn reset(&mut self, tasks: &[TaskIx]) {
        let total = self.topology.plan.tasks.len();
        let mut back = vec![false; total];
        for task in tasks.iter().filter(|task| task.get() < total) {
            back[task.get()] = self.state(*task) == TaskState::Failed;
        }
        let blocked = self.blocked_sites(&back);
        for task in self.topology.plan.ixs() {
            if self.state(task) == TaskState::Skipped
                && self.topology.site(task).is_none_or(|site| !blocked[site])
                && self.nothing_in_the_way(task, &back)
            {
                back[task.get()] = true;
            }
        }
        self.aside.retain(|site, _| blocked[*site]);
        let returned: Vec<_> = (0..total).filter(|ix| back[*ix]).map(TaskIx::at).collect();
        for task in &returned {
            self.call_back_dependents(*task);
            self.set(*task, TaskState::Waiting);
            self.ledger.blame(&self.topology, *task, Blame::None);
            self.ledger.slot_mut(*task).failures = 0;
        }
        self.recount(&returned);
    }

    /// Who gathers many was content without this one, and is not any more,
    /// unless it has begun.
    fn call_back_dependents(&mut self, task: TaskIx) {
        for at in 0..self.topology.shape.dependents_of(task).len() {
            let dependent = self.topology.shape.dependents_of(task)[at];
            if matches!(self.state(dependent), TaskState::Ready | TaskState::Queued) {
                self.set(dependent, TaskState::Waiting);
            }
        }
    }

    /// Sites that stay set aside, because a task of theirs stays failed.
    fn blocked_sites(&self, back: &[bool]) -> Vec<bool> {
        let mut blocked = vec![false; self.topology.plan.sites.len()];
        for task in self.topology.plan.ixs() {
            let stays_failed = self.state(task) == TaskState::Failed && !back[task.get()];
            if stays_failed
                && self.ledger.slot(task).blame == Blame::Work
                && let Some(site) = self.topology.site(task)
            {
                blocked[site] = true;
            }
        }
        blocked
    }

    fn nothing_in_the_way(&self, task: TaskIx, back: &[bool]) -> bool {
        let mut hope = false;
        for need in self.all_needs(task) {
            let state = self.state(need);
            let open = back[need.get()] || !state.is_terminal() || state.is_success();
            if !open && !self.topology.tolerates(task, need) {
                return false;
            }
            hope |= open;
        }
        hope || self.topology.needs(task).is_empty()
    }

    /// Counts the open needs of all waiting tasks anew, and lets those of
    /// `returned` go that have none.
    pub(crate) fn recount(&mut self, returned: &[TaskIx]) {
        for task in self.topology.plan.ixs() {
            if self.state(task) != TaskState::Waiting {
                continue;
            }
            let open = self
                .all_needs(task)
                .filter(|need| !self.is_settled_for(task, *need))
                .count();
            self.ledger.slot_mut(task).needs_left =
                u32::try_from(open).expect("fewer needs than tasks");
        }
        for task in returned {
            if self.ledger.slot(*task).needs_left == 0 && self.state(*task) == TaskState::Waiting {
                self.resolve(*task);
            }
        }
    }

    pub(crate) fn is_settled_for(&self, task: TaskIx, need: TaskIx) -> bool {
        let state = self.state(need);
        state.is_success()
            || (matches!(state, TaskState::Failed | TaskState::Skipped)
                && self.topology.tolerates(task, need))
    }
}
