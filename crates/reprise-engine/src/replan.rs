//! Another plan for a run: what it would mean for each task, and the event
//! that puts it in force.

use std::sync::Arc;

use reprise_model::{Command, Entry, Event, Plan, TaskIx, Timestamp};

use crate::engine::{Engine, lift};
use crate::resume::{Change, Decision, Row, Status};

/// One task with its row. `task` is numbered by the new plan, or by the one in
/// force where it is dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Compared {
    pub task: TaskIx,
    pub status: Status,
    pub change: Change,
    pub row: Row,
}

/// What putting a plan in force would mean.
#[derive(Clone, Debug)]
pub struct Replanning {
    pub plan: Arc<Plan>,
    /// For every task of the new plan, in its order.
    pub tasks: Vec<Compared>,
    /// Tasks of the plan in force that the new one has not.
    pub dropped: Vec<Compared>,
}

impl Replanning {
    /// What must not be put in force, and so forbids the whole.
    pub fn is_refused(&self) -> bool {
        let mut all = self.tasks.iter().chain(&self.dropped);
        all.any(|compared| compared.row.decision == Decision::Refuse)
    }

    /// Tasks that will be put to work.
    pub fn work(&self) -> usize {
        let works = |compared: &&Compared| compared.row.decision.is_work();
        self.tasks.iter().filter(works).count()
    }

    /// What puts it in force.
    pub fn event(&self) -> Event {
        let those = |fits: fn(&Compared) -> bool| {
            let tasks = self.tasks.iter().filter(|compared| fits(compared));
            tasks.map(|compared| compared.task).collect()
        };
        Event::Replanned {
            plan: self.plan.hash,
            back: those(starts_anew),
            probe: those(|it| it.row.decision == Decision::Revalidate && !it.is_waiting()),
        }
    }
}

impl Compared {
    /// Stands in a queue of its own accord: nothing needs to be put back.
    fn is_waiting(&self) -> bool {
        let untouched = matches!(self.change, Change::Same | Change::Handling);
        match self.status {
            Status::NotTried => true,
            Status::Again
            | Status::Cancelled
            | Status::Started
            | Status::Probing
            | Status::Uncertain
            | Status::CancelledUncertain => untouched,
            Status::Failed
            | Status::FailedUncertain
            | Status::Done
            | Status::Satisfied
            | Status::Skipped
            | Status::Freed
            | Status::GateOpen => false,
        }
    }
}

/// A replaced task that the table asks a person about was answered for by the
/// confirmation: what it stands for now begins.
fn starts_anew(compared: &Compared) -> bool {
    let row = compared.row;
    let replaced = compared.change == Change::Replaced && row.decision == Decision::Ask;
    let known = !matches!(compared.change, Change::New | Change::Twin);
    known && (replaced || row.decision == Decision::Run) && !compared.is_waiting()
}

impl Engine {
    /// What `plan` would mean, once what is in the inbox has been taken up.
    pub fn compare(
        &self,
        inbox: &[(u64, Command)],
        plan: &Arc<Plan>,
        now: Timestamp,
    ) -> Replanning {
        let mut preview = self.clone();
        preview.take_inbox(inbox, now);
        preview.fold.compare(plan)
    }

    /// Puts the plan in force. The entries belong into one page of the
    /// journal, together with the plan. The coordinator begins after it.
    ///
    /// Nothing happens when the table refuses the plan.
    pub fn replan(
        &mut self,
        inbox: &[(u64, Command)],
        plan: &Arc<Plan>,
        now: Timestamp,
    ) -> (Replanning, Vec<Entry>) {
        let replanning = self.compare(inbox, plan, now);
        if replanning.is_refused() {
            return (replanning, Vec::new());
        }
        let mut entries = self.take_inbox(inbox, now);
        self.fold.plans.add(plan.clone());
        entries.push(self.entry(replanning.event(), now));
        (replanning, entries)
    }

    /// Commands were given under the plan that is in force before. A new owner
    /// lifts what stopped the one before, and not what was asked since: where
    /// that is a stop as well, it is lifted here, before those are taken.
    fn take_inbox(&mut self, inbox: &[(u64, Command)], now: Timestamp) -> Vec<Entry> {
        let stops =
            |command: &Command| matches!(command, Command::Pause { .. } | Command::Cancel { .. });
        self.lifted = inbox.iter().any(|(_, command)| stops(command));
        let lift = (self.lifted && self.fold.is_held()).then(lift);
        let inbox = inbox.iter().cloned();
        let taken = lift
            .into_iter()
            .chain(inbox)
            .map(|(number, command)| self.entry(Event::Commanded { number, command }, now));
        taken.collect()
    }
}
