//! One site's slice in one store: recovery point, volume, verdict.

use reprise_model::{Action, Check, RecoveryPoint, TaskIx, TaskState, Verdict};

use super::StoreReport;
use crate::fold::Fold;

/// For each of the plan's shards, the task that recovers it.
pub(super) fn recover_tasks(fold: &Fold) -> Vec<Option<TaskIx>> {
    let plan = fold.plan();
    let mut tasks = vec![None; plan.shards.len()];
    for task in plan.ixs() {
        if let (Action::Recover, Some(shard)) =
            (plan.step_of(task).action, plan.tasks[task.get()].shard)
        {
            tasks[shard as usize] = Some(task);
        }
    }
    tasks
}

/// The stores that the runbook touches for this site, in the estate's order.
pub(super) fn of_site(
    fold: &Fold,
    site: usize,
    tasks: &[TaskIx],
    recover: &[Option<TaskIx>],
) -> Vec<StoreReport> {
    let plan = fold.plan();
    let moment = plan.moment();
    let mut stores = Vec::new();
    for shard in &plan.sites[site].shards {
        let here = |task: &&TaskIx| plan.tasks[task.get()].shard == Some(*shard);
        let slice: Vec<_> = tasks.iter().filter(here).copied().collect();
        let recovery = recover[*shard as usize];
        if slice.is_empty() && recovery.is_none() {
            continue;
        }
        let point = recovery_point(fold, &slice, recovery);
        let planned = &plan.shards[*shard as usize];
        let mut report = StoreReport {
            store: planned.store.clone(),
            shard: planned.shard.clone(),
            recovery_point: point.map(|point| point.point),
            rpa_seconds: point.map(|point| moment.lost_seconds(point.point)),
            basis: point.map(|point| point.basis.clone()),
            rows: 0,
            bytes: 0,
            verdict: Verdict::Unknown,
        };
        for task in slice
            .iter()
            .filter(|task| is(fold, **task, Action::Restore))
        {
            if let Some(outcome) = &fold.record(*task).outcome {
                report.rows += outcome.volume.rows;
                report.bytes += outcome.volume.bytes;
            }
        }
        report.verdict = verdict(fold, &slice, recovery.is_some(), &report);
        stores.push(report);
    }
    stores
}

/// A restore that measured its own point knows better than the shard's recovery.
fn recovery_point<'a>(
    fold: &'a Fold,
    slice: &[TaskIx],
    recovery: Option<TaskIx>,
) -> Option<&'a RecoveryPoint> {
    slice
        .iter()
        .copied()
        .filter(|task| is(fold, *task, Action::Restore))
        .chain(recovery)
        .find_map(|task| fold.record(task).outcome.as_ref()?.recovery_point.as_ref())
}

/// Seconds between the oldest and the newest recovery point.
pub(super) fn skew(reports: &[StoreReport]) -> Option<f64> {
    let points = reports.iter().filter_map(|report| report.recovery_point);
    reprise_model::skew_seconds(points)
}

/// The worst of its recovery point and of what was checked. A slice that was
/// restored and that nobody verified is unknown.
fn verdict(fold: &Fold, slice: &[TaskIx], recovered: bool, report: &StoreReport) -> Verdict {
    let mut verdicts = Vec::new();
    if recovered || report.recovery_point.is_some() {
        verdicts.push(fold.plan().moment().verdict(report.recovery_point));
    }
    let restores = slice
        .iter()
        .filter(|task| is(fold, **task, Action::Restore));
    let mut restored = false;
    for task in restores {
        restored = true;
        verdicts.push(match fold.state(*task) {
            TaskState::Done | TaskState::Satisfied => Verdict::Pass,
            TaskState::Failed => Verdict::Fail,
            TaskState::Waiting
            | TaskState::Ready
            | TaskState::Queued
            | TaskState::Running
            | TaskState::Validating
            | TaskState::Gated
            | TaskState::Indeterminate
            | TaskState::Skipped
            | TaskState::Cancelled => Verdict::Unknown,
        });
    }
    let verifies: Vec<_> = slice
        .iter()
        .filter(|task| is(fold, **task, Action::Verify))
        .collect();
    for task in &verifies {
        verdicts.push(check_verdict(fold, **task));
    }
    if restored && verifies.is_empty() {
        verdicts.push(Verdict::Unknown);
    }
    Verdict::over(verdicts)
}

/// What a checking task found; unknown until it has, or when it could not look.
pub(super) fn check_verdict(fold: &Fold, task: TaskIx) -> Verdict {
    let record = fold.record(task);
    let over = |checks: &[Check]| Verdict::over(checks.iter().map(|check| check.verdict));
    match record.state {
        TaskState::Done | TaskState::Satisfied => record
            .outcome
            .as_ref()
            .map_or(Verdict::Unknown, |outcome| over(&outcome.checks)),
        TaskState::Failed => match &record.fault {
            Some(fault) if !fault.checks.is_empty() => over(&fault.checks).max(Verdict::Unknown),
            Some(fault) if fault.kind == reprise_model::FaultKind::Validation => Verdict::Fail,
            Some(_) | None => Verdict::Unknown,
        },
        TaskState::Waiting
        | TaskState::Ready
        | TaskState::Queued
        | TaskState::Running
        | TaskState::Validating
        | TaskState::Gated
        | TaskState::Indeterminate
        | TaskState::Skipped
        | TaskState::Cancelled => Verdict::Unknown,
    }
}

fn is(fold: &Fold, task: TaskIx, action: Action) -> bool {
    fold.plan().step_of(task).action == action
}
