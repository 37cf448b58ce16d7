//! The chain of tasks that determined the end.
//!
//! From the task that ended last back to the one whose end let it start, and
//! so on. Releasing scratch is housekeeping and never the end of a recovery.

use reprise_model::{Action, TaskIx, Timestamp};

use super::Link;
use crate::fold::Fold;

pub(super) fn of(fold: &Fold) -> Vec<Link> {
    let mut links = Vec::new();
    let mut next = last_ended(fold);
    while let Some((task, end)) = next {
        let before = latest_need(fold, task);
        links.push(link(fold, task, end, before.map(|(_, end)| end)));
        next = before;
    }
    links.reverse();
    links
}

fn last_ended(fold: &Fold) -> Option<(TaskIx, Timestamp)> {
    let plan = fold.plan();
    let ended = plan
        .ixs()
        .filter(|task| plan.step_of(*task).action != Action::Release)
        .filter_map(|task| Some((task, worked_until(fold, task)?)));
    ended.max_by_key(|(task, end)| (*end, *task))
}

fn latest_need(fold: &Fold, task: TaskIx) -> Option<(TaskIx, Timestamp)> {
    let needs = fold.plan().tasks[task.get()].needs.iter();
    needs
        .filter_map(|need| Some((*need, worked_until(fold, *need)?)))
        .max_by_key(|(need, end)| (*end, *need))
}

/// When a task that did something ended; what was skipped determined nothing.
fn worked_until(fold: &Fold, task: TaskIx) -> Option<Timestamp> {
    let record = fold.record(task);
    record
        .end
        .filter(|_| record.state.is_success() || record.first_start.is_some())
}

fn link(fold: &Fold, task: TaskIx, end: Timestamp, before: Option<Timestamp>) -> Link {
    let start = fold.record(task).first_start;
    let from = start.unwrap_or(end);
    let free = before.or(fold.started()).unwrap_or(from);
    Link {
        task: fold.plan().key(task),
        start,
        end,
        seconds: end.seconds_since(from).max(0.0),
        waited_seconds: from.seconds_since(free).max(0.0),
    }
}
