//! The end of a run: books, engine and world must tell the same story.

use std::collections::BTreeMap;

use reprise_engine::Fold;
use reprise_model::{Plan, TaskIx, TaskState};

use super::{Books, Settled, Violation};

/// Sites by the one end that each of them came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SiteEnds {
    pub restored: u32,
    /// Restored, and a check did not pass or a gate was not approved.
    pub unproved: u32,
    pub failed: u32,
}

/// Compares what the books say of each task with the fold of an engine.
/// After a retry a task that was skipped may be open again.
pub(crate) fn compare(plan: &Plan, books: &Books, fold: &Fold) -> Result<(), Violation> {
    for task in plan.ixs() {
        let state = fold.state(task);
        let (said, same) = match books.settled(task) {
            Some(Settled::Done) => ("done", state == TaskState::Done),
            Some(Settled::Satisfied) => ("satisfied", state == TaskState::Satisfied),
            Some(Settled::Failed) => ("failed", state == TaskState::Failed),
            Some(Settled::Skipped) => ("skipped", may_be_skipped(state)),
            None => ("open", !state.is_success() && state != TaskState::Failed),
        };
        if !same {
            return Err(Violation::BooksDiffer {
                task: plan.key(task).to_string(),
                books: said,
                engine: state.as_str(),
            });
        }
    }
    Ok(())
}

fn may_be_skipped(state: TaskState) -> bool {
    match state {
        TaskState::Skipped
        | TaskState::Waiting
        | TaskState::Ready
        | TaskState::Queued
        | TaskState::Indeterminate => true,
        TaskState::Satisfied
        | TaskState::Running
        | TaskState::Validating
        | TaskState::Gated
        | TaskState::Done
        | TaskState::Failed
        | TaskState::Cancelled => false,
    }
}

/// After the end: every task has ended, in the world what was said to be
/// done was done, and what may not be repeated was done once.
/// `applied` tells how often each task's work became real.
pub(crate) fn site_ends(
    plan: &Plan,
    books: &Books,
    fold: &Fold,
    applied: &BTreeMap<TaskIx, u32>,
) -> Result<SiteEnds, Violation> {
    compare(plan, books, fold)?;
    for task in plan.ixs() {
        in_the_world(plan, books, task, applied.get(&task).copied().unwrap_or(0))?;
    }
    let mut ends = SiteEnds::default();
    for site in 0..u32::try_from(plan.sites.len()).expect("few sites") {
        let tasks = || {
            plan.ixs()
                .filter(|t| plan.tasks[t.get()].site == Some(site))
        };
        let by_books = tasks().map(|task| match books.settled(task) {
            Some(Settled::Done | Settled::Satisfied) => Some(true),
            Some(Settled::Failed | Settled::Skipped) => Some(false),
            None => None,
        });
        let by_engine = tasks().map(|task| match fold.state(task) {
            TaskState::Done | TaskState::Satisfied => Some(true),
            TaskState::Failed | TaskState::Skipped => Some(false),
            TaskState::Waiting
            | TaskState::Ready
            | TaskState::Queued
            | TaskState::Running
            | TaskState::Validating
            | TaskState::Gated
            | TaskState::Indeterminate
            | TaskState::Cancelled => None,
        });
        let by_books: Option<Vec<bool>> = by_books.collect();
        let by_engine: Option<Vec<bool>> = by_engine.collect();
        let Some(all) = by_books.filter(|ends| Some(ends) == by_engine.as_ref()) else {
            let site = plan.sites[site as usize].id.to_string();
            return Err(Violation::SiteDiffers { site });
        };
        let work = tasks().zip(&all);
        let mut work = work.filter(|(task, _)| !plan.step_of(*task).action.is_check());
        match (all.iter().all(|done| *done), work.all(|(_, done)| *done)) {
            (true, _) => ends.restored += 1,
            (false, true) => ends.unproved += 1,
            (false, false) => ends.failed += 1,
        }
    }
    Ok(ends)
}

fn in_the_world(plan: &Plan, books: &Books, task: TaskIx, times: u32) -> Result<(), Violation> {
    let action = plan.step_of(task).action;
    if action == reprise_model::Action::Gate {
        return Ok(());
    }
    let once = !action.may_repeat();
    let (end, fits) = match books.settled(task) {
        Some(Settled::Done) => ("done", times >= 1),
        Some(Settled::Satisfied) => ("satisfied", times >= 1),
        // A failure after the mark may hide a success, and the books say so.
        Some(Settled::Failed) => ("failed", times == 0 || !once || books.doubt(task)),
        Some(Settled::Skipped) => ("skipped", times == 0 || !once || books.doubt(task)),
        None => ("open", false),
    };
    if fits && !(once && times > 1) {
        return Ok(());
    }
    Err(Violation::WorldDiffers {
        task: plan.key(task).to_string(),
        end,
        times,
    })
}
