//! How spans end.

use reprise_model::{AttemptEnd, FaultKind, RunEnd, TaskIx, TaskState, Timestamp, Volume};

use crate::fold::{Fold, SiteProgress};
use crate::format;

/// What tracing systems colour by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SpanStatus {
    Ok,
    Error,
    /// Neither: interrupted, or left for later.
    Unset,
}

#[derive(Clone, PartialEq, Debug)]
pub struct SpanEnd {
    pub at: Timestamp,
    pub status: SpanStatus,
    /// One stable word.
    pub outcome: &'static str,
    /// For people, where it was no success; free of secrets as the journal is.
    pub why: Option<String>,
    pub volume: Volume,
}

impl SpanEnd {
    fn new(at: Timestamp, status: SpanStatus, outcome: &'static str) -> Self {
        Self {
            at,
            status,
            outcome,
            why: None,
            volume: Volume::default(),
        }
    }

    fn why(self, why: impl Into<String>) -> Self {
        Self {
            why: Some(why.into()),
            ..self
        }
    }

    /// Its coordinator died; `heard` is when it gave its last sign of life.
    pub(super) fn lost(heard: Timestamp) -> Self {
        Self::new(heard, SpanStatus::Error, "lost").why("the coordinator ended without a word")
    }

    pub(super) fn of_attempt(end: &AttemptEnd, at: Timestamp) -> Self {
        let (status, outcome) = match end {
            AttemptEnd::Done(_) => (SpanStatus::Ok, "done"),
            AttemptEnd::Satisfied(_) => (SpanStatus::Ok, "satisfied"),
            AttemptEnd::NotYet => (SpanStatus::Unset, "not_yet"),
            AttemptEnd::Unknown { .. } => (SpanStatus::Error, "unknown"),
            AttemptEnd::Failed(fault) => match fault.kind {
                FaultKind::Cancelled => (SpanStatus::Unset, "cancelled"),
                FaultKind::TimedOut => (SpanStatus::Error, "timed_out"),
                FaultKind::Temporary
                | FaultKind::Permanent
                | FaultKind::Refused
                | FaultKind::Validation => (SpanStatus::Error, "failed"),
            },
        };
        let span = Self::new(at, status, outcome);
        match end {
            AttemptEnd::Done(outcome) | AttemptEnd::Satisfied(outcome) => Self {
                volume: outcome.volume,
                ..span
            },
            AttemptEnd::NotYet => span,
            AttemptEnd::Unknown { why } => span.why(why),
            AttemptEnd::Failed(fault) => span.why(&fault.message),
        }
    }

    pub(super) fn of_task(fold: &Fold, task: TaskIx, at: Timestamp) -> Self {
        let state = fold.state(task);
        let status = match state {
            TaskState::Done | TaskState::Satisfied => SpanStatus::Ok,
            TaskState::Failed => SpanStatus::Error,
            TaskState::Skipped
            | TaskState::Cancelled
            | TaskState::Waiting
            | TaskState::Ready
            | TaskState::Queued
            | TaskState::Running
            | TaskState::Validating
            | TaskState::Gated
            | TaskState::Indeterminate => SpanStatus::Unset,
        };
        let record = fold.record(task);
        let outcome = record.outcome.as_ref();
        let why = match (status, record.answer.as_deref()) {
            (SpanStatus::Ok, _) => None,
            (_, Some(answer)) => Some(format!("rejected by {}", answer.by)),
            (SpanStatus::Error, None) => record.fault.as_ref().map(|fault| fault.message.clone()),
            (SpanStatus::Unset, None) => record.reason.as_deref().map(str::to_owned),
        };
        Self {
            why,
            volume: outcome.map(|outcome| outcome.volume).unwrap_or_default(),
            ..Self::new(at, status, state.as_str())
        }
    }

    /// A site whose data is back and which a check did not pass is in trouble
    /// without having failed.
    pub(super) fn of_site(
        fold: &Fold,
        site: usize,
        trouble: Option<String>,
        at: Timestamp,
    ) -> Self {
        let (status, outcome) = match (fold.site_progress(site), &trouble) {
            (SiteProgress::Failed, _) => (SpanStatus::Error, "failed"),
            (SiteProgress::Settled | SiteProgress::Open, Some(_)) => {
                (SpanStatus::Error, "unvalidated")
            }
            (SiteProgress::Settled | SiteProgress::Open, None) => (SpanStatus::Ok, "settled"),
        };
        Self {
            why: trouble,
            ..Self::new(at, status, outcome)
        }
    }

    pub(super) fn of_run(fold: &Fold, end: RunEnd, at: Timestamp) -> Self {
        let failed = fold.count(TaskState::Failed);
        let (status, outcome) = match end {
            RunEnd::Finished if failed > 0 => (SpanStatus::Error, "finished"),
            RunEnd::Finished => (SpanStatus::Ok, "finished"),
            RunEnd::Halted => (SpanStatus::Error, "halted"),
            RunEnd::AtGates => (SpanStatus::Unset, "at_gates"),
            RunEnd::Paused => (SpanStatus::Unset, "paused"),
            RunEnd::Cancelled => (SpanStatus::Unset, "cancelled"),
        };
        let span = Self {
            volume: fold.moved(),
            ..Self::new(at, status, outcome)
        };
        match status {
            SpanStatus::Error => {
                span.why(format!("{} failed", format::plural(failed.into(), "task")))
            }
            SpanStatus::Ok | SpanStatus::Unset => span,
        }
    }
}
