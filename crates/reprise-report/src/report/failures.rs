//! What went wrong, with its cause once and not for every task behind it, and
//! who is waited for.

use std::collections::BTreeMap;

use reprise_model::{TaskIx, TaskState};

use super::{Failure, OpenGate};
use crate::fold::Fold;

/// Failed tasks, work before checks, in the order of the plan.
pub(super) fn of(fold: &Fold) -> Vec<Failure> {
    let plan = fold.plan();
    let failed: Vec<_> = plan
        .ixs()
        .filter(|task| fold.state(*task) == TaskState::Failed)
        .collect();
    let behind = skipped_behind(fold);
    let mut failures: Vec<_> = failed
        .into_iter()
        .map(|task| failure(fold, task, behind.get(&task).copied().unwrap_or(0)))
        .collect();
    failures.sort_by_key(|failure| failure.check);
    failures
}

fn failure(fold: &Fold, task: TaskIx, skipped: u32) -> Failure {
    let plan = fold.plan();
    let record = fold.record(task);
    let (message, hint) = match (&record.answer, &record.fault) {
        (Some(answer), _) => (
            match &answer.note {
                Some(note) => format!("rejected by {}: {note}", answer.by),
                None => format!("rejected by {}", answer.by),
            },
            None,
        ),
        (None, Some(fault)) => (fault.message.clone(), fault.hint.clone()),
        (None, None) => ("no reason was recorded".to_owned(), None),
    };
    Failure {
        task: plan.key(task),
        site: plan.site_of(task).map(|site| site.id.clone()),
        message,
        hint,
        attempts: record.attempt,
        check: plan.step_of(task).action.is_check(),
        skipped,
    }
}

/// How many tasks each failed task keeps from being attempted, directly or
/// through others: each skipped task counts for its first failed need.
fn skipped_behind(fold: &Fold) -> BTreeMap<TaskIx, u32> {
    let plan = fold.plan();
    let mut culprit: Vec<Option<TaskIx>> = vec![None; plan.tasks.len()];
    let mut count = BTreeMap::new();
    for task in plan.ixs() {
        culprit[task.get()] = match fold.state(task) {
            TaskState::Failed => Some(task),
            TaskState::Skipped => {
                let needs = &plan.tasks[task.get()].needs;
                let found = needs.iter().find_map(|need| culprit[need.get()]);
                if let Some(culprit) = found {
                    *count.entry(culprit).or_default() += 1;
                }
                found
            }
            _ => None,
        };
    }
    count
}

pub(crate) fn gates(fold: &Fold) -> Vec<OpenGate> {
    let plan = fold.plan();
    fold.open_gates()
        .map(|task| OpenGate {
            task: plan.key(task),
            site: plan.site_of(task).map(|site| site.id.clone()),
            role: plan
                .step_of(task)
                .with
                .get("role")
                .and_then(|role| role.as_str())
                .map(str::to_owned),
            since: fold.record(task).last_start,
        })
        .collect()
}
