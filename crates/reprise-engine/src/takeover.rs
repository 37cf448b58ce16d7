//! A new owner: what the one before had under way, and what it had no time to do.

use reprise_model::{Action, Owner, TaskIx, TaskState, Timestamp};

use crate::fold::{Fold, Todo};
use crate::ledger::Blame;
use crate::resume::{Change, Decision, Probed, Status, decide};

impl Fold {
    /// Attempts of an earlier owner may have done their work or not.
    pub(crate) fn change_owner(&mut self, owner: &Owner, at: Timestamp) {
        if self.owner.is_some() {
            let pools = &self.topology.pools;
            self.ready.change_clock(pools, self.latest, at);
        }
        self.owner = Some(owner.clone());
        self.stopped = None;
        self.lose_flights();
    }

    /// Nobody will ever tell how what is under way has ended.
    pub(crate) fn lose_flights(&mut self) {
        for (task, flight) in self.flights.take() {
            self.give_back(task);
            let status = match flight.probing {
                true => Status::Probing,
                false => Status::Started,
            };
            let row = decide(status, self.kind(task), Change::Same, Probed::NotAsked);
            self.ledger.slot_mut(task).must_probe = row.decision == Decision::Revalidate;
            self.set(task, TaskState::Indeterminate);
            self.enqueue(task);
        }
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
                TaskState::Failed if self.ledger.slot(task).blame == Blame::Work => {
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
        let obstacle = self.all_needs(task).find(|need| {
            matches!(self.state(*need), TaskState::Failed | TaskState::Skipped)
                && !self.topology.tolerates(task, *need)
        });
        if let Some(of) = obstacle {
            self.todo.skip.push((task, of));
        } else if self.ledger.slot(task).needs_left == 0 {
            self.resolve(task);
        }
    }
}
