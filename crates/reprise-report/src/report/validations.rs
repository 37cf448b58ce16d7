//! Every check of a site with its evidence, the consistency of its stores,
//! and the answers of people.

use reprise_model::{Action, Check, FaultKind, SlicePoint, TaskIx, TaskState, Verdict};
use serde_json::{Value, json};

use super::{StoreReport, Validation};
use crate::fold::Fold;

pub(super) fn of_site(fold: &Fold, tasks: &[TaskIx], stores: &[StoreReport]) -> Vec<Validation> {
    let mut validations: Vec<_> = tasks.iter().flat_map(|task| of_task(fold, *task)).collect();
    if !stores.is_empty() {
        validations.push(consistency(fold, stores));
    }
    validations
}

fn of_task(fold: &Fold, task: TaskIx) -> Vec<Validation> {
    let action = fold.plan().step_of(task).action;
    let checks = checks_of(fold, task);
    match action {
        Action::Gate => vec![gate(fold, task)],
        Action::Verify
        | Action::HttpCheck
        | Action::TcpCheck
        | Action::CheckConsistency
        | Action::CheckReferences
            if checks.is_empty() =>
        {
            vec![unexplained(fold, task)]
        }
        Action::Verify
        | Action::HttpCheck
        | Action::TcpCheck
        | Action::CheckConsistency
        | Action::CheckReferences
        | Action::Recover
        | Action::Restore
        | Action::Release
        | Action::Exec => checks
            .iter()
            .map(|check| Validation {
                name: check.name.clone(),
                task: Some(fold.plan().key(task)),
                verdict: check.verdict,
                evidence: check.evidence.clone(),
            })
            .collect(),
    }
}

/// The checks of the outcome, or of the fault where the task failed.
fn checks_of(fold: &Fold, task: TaskIx) -> &[Check] {
    let record = fold.record(task);
    match (record.state, &record.outcome, &record.fault) {
        (TaskState::Failed, _, Some(fault)) => &fault.checks,
        (TaskState::Done | TaskState::Satisfied, Some(outcome), _) => &outcome.checks,
        _ => &[],
    }
}

/// A check that left no evidence is never a pass: the reason is the evidence.
fn unexplained(fold: &Fold, task: TaskIx) -> Validation {
    let record = fold.record(task);
    let failed = record
        .fault
        .as_ref()
        .filter(|_| record.state == TaskState::Failed);
    let verdict = match failed {
        Some(fault) if fault.kind == FaultKind::Validation => Verdict::Fail,
        Some(_) | None => Verdict::Unknown,
    };
    let evidence = match (failed, &record.reason) {
        (Some(fault), _) => json!({ "failed": fault.message }),
        (None, Some(reason)) => json!({ record.state.as_str(): reason }),
        (None, None) => json!({ "state": record.state.as_str() }),
    };
    named(fold, task, verdict, evidence)
}

/// A person's answer counts as a check of its own.
fn gate(fold: &Fold, task: TaskIx) -> Validation {
    let record = fold.record(task);
    match &record.answer {
        Some(answer) => {
            let verdict = if answer.approved {
                Verdict::Pass
            } else {
                Verdict::Fail
            };
            let evidence = json!({
                "answered_by": answer.by,
                "approved": answer.approved,
                "note": answer.note,
                "at": record.end,
            });
            named(fold, task, verdict, evidence)
        }
        None => unexplained(fold, task),
    }
}

fn named(fold: &Fold, task: TaskIx, verdict: Verdict, evidence: Value) -> Validation {
    Validation {
        name: fold.plan().step_of(task).name.to_string(),
        task: Some(fold.plan().key(task)),
        verdict,
        evidence,
    }
}

/// One moment: every store's point measured, none after T, none too old.
fn consistency(fold: &Fold, reports: &[StoreReport]) -> Validation {
    let slices = reports.iter().map(|report| SlicePoint {
        store: report.store.clone(),
        shard: report.shard.clone(),
        point: report.recovery_point,
    });
    let (verdict, evidence) = fold.plan().moment().judge(&slices.collect::<Vec<_>>());
    Validation {
        name: "consistency".to_owned(),
        task: None,
        verdict,
        evidence: serde_json::to_value(evidence).expect("evidence is plain data"),
    }
}
