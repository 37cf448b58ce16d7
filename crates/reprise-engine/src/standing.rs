//! Where a task stands, in the words of the resume table.

use reprise_model::{TaskIx, TaskState};

use crate::fold::Fold;
use crate::resume::{Kind, Status};

impl Fold {
    pub fn kind(&self, task: TaskIx) -> Kind {
        Kind::of(self.topology.action(task))
    }

    /// A task that was skipped counts as such: what stands in its way can only
    /// change with the plan.
    pub fn status(&self, task: TaskIx) -> Status {
        if let Some(flight) = self.flights.get(task) {
            return if flight.probing {
                Status::Probing
            } else {
                Status::Started
            };
        }
        let slot = self.ledger.slot(task);
        let uncertain = slot.must_probe;
        match self.state(task) {
            TaskState::Done => Status::Done,
            TaskState::Satisfied => Status::Satisfied,
            TaskState::Gated => Status::GateOpen,
            // Put back, and then its site was set aside: the question is still open.
            TaskState::Skipped if uncertain => Status::FailedUncertain,
            TaskState::Skipped => Status::Skipped,
            TaskState::Failed if uncertain => Status::FailedUncertain,
            TaskState::Failed => Status::Failed,
            TaskState::Cancelled if uncertain => Status::CancelledUncertain,
            TaskState::Cancelled => Status::Cancelled,
            TaskState::Waiting
            | TaskState::Ready
            | TaskState::Queued
            | TaskState::Running
            | TaskState::Validating
            | TaskState::Indeterminate => match (uncertain, slot.attempt) {
                (true, _) => Status::Uncertain,
                (false, 0) => Status::NotTried,
                (false, _) => Status::Again,
            },
        }
    }
}
