//! What is known of one task.

use reprise_model::{Fault, Outcome, TaskState, Timestamp, Volume};

/// How a person answered a gate.
#[derive(Clone, PartialEq, Debug)]
pub struct GateAnswer {
    pub approved: bool,
    pub by: String,
    pub note: Option<String>,
}

/// Transient: may be lost at any time without consequence.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct LiveProgress {
    pub volume: Volume,
    pub fraction: Option<f64>,
    pub phase: Option<String>,
}

/// One task's history, as far as reports need it. What few tasks have is
/// boxed, so that a million quiet tasks stay small.
#[derive(Clone, PartialEq, Debug)]
pub struct TaskRecord {
    pub state: TaskState,
    /// Number of the newest attempt that was started; 0 before the first.
    pub attempt: u32,
    /// When the first attempt was started, or the gate was opened.
    pub first_start: Option<Timestamp>,
    /// When the newest attempt was started.
    pub last_start: Option<Timestamp>,
    pub end: Option<Timestamp>,
    pub outcome: Option<Box<Outcome>>,
    /// The newest fault; stays when a later attempt succeeds.
    pub fault: Option<Box<Fault>>,
    /// Why it was skipped, or why nobody knows how its attempt ended.
    pub reason: Option<Box<str>>,
    /// Counts against its site: ended without success for another reason than
    /// a failed check.
    pub tainted: bool,
    pub answer: Option<Box<GateAnswer>>,
    /// When it is tried again.
    pub again: Option<Timestamp>,
    pub progress: Option<Box<LiveProgress>>,
}

impl TaskRecord {
    pub(crate) fn new() -> Self {
        Self {
            state: TaskState::Waiting,
            attempt: 0,
            first_start: None,
            last_start: None,
            end: None,
            outcome: None,
            fault: None,
            reason: None,
            tainted: false,
            answer: None,
            again: None,
            progress: None,
        }
    }

    /// Seconds of the newest attempt, once it has ended.
    pub fn last_seconds(&self) -> Option<f64> {
        Some(self.end?.seconds_since(self.last_start?).max(0.0))
    }

    pub(crate) fn is_under_way(&self) -> bool {
        match self.state {
            TaskState::Running | TaskState::Validating => true,
            TaskState::Waiting
            | TaskState::Ready
            | TaskState::Satisfied
            | TaskState::Queued
            | TaskState::Gated
            | TaskState::Done
            | TaskState::Failed
            | TaskState::Indeterminate
            | TaskState::Skipped
            | TaskState::Cancelled => false,
        }
    }
}
