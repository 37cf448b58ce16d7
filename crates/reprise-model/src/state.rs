//! The states of a task.

use serde::{Deserialize, Serialize};

/// Where a task stands. Terminal states are written once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// Something it needs is not finished.
    Waiting,
    /// All it needs is there, but its wave is not open, or it is a gate that
    /// is about to be.
    Ready,
    /// Found to be as it should be already; nothing was done.
    Satisfied,
    /// Needed, and wants a slot in its pool, or waits out a retry's delay.
    Queued,
    /// An attempt is under way.
    Running,
    /// The work is done and its proof is being taken.
    Validating,
    /// A gate that waits for a person. Holds no slot and has no time-out.
    Gated,
    /// Finished, its outcome durable.
    Done,
    /// Ended without success, and no retry is left.
    Failed,
    /// An attempt was started and its outcome is not known: goes through a
    /// probe, never straight to `Running`.
    Indeterminate,
    /// Not attempted, because of something else.
    Skipped,
    /// Interrupted by the operator; a resume puts it back.
    Cancelled,
}

impl TaskState {
    pub const ALL: [TaskState; 12] = [
        Self::Waiting,
        Self::Ready,
        Self::Satisfied,
        Self::Queued,
        Self::Running,
        Self::Validating,
        Self::Gated,
        Self::Done,
        Self::Failed,
        Self::Indeterminate,
        Self::Skipped,
        Self::Cancelled,
    ];

    /// No further transition, short of an operator's retry.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Satisfied | Self::Done | Self::Failed | Self::Skipped | Self::Cancelled => true,
            Self::Waiting
            | Self::Ready
            | Self::Queued
            | Self::Running
            | Self::Validating
            | Self::Gated
            | Self::Indeterminate => false,
        }
    }

    /// Dependents may start.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Satisfied | Self::Done)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Satisfied => "satisfied",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Validating => "validating",
            Self::Gated => "gated",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Indeterminate => "indeterminate",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }
}
