//! Journal events: the truth about a run. Everything else is a fold of them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AttemptId, Command, Digest, Epoch, Fault, Outcome, Seq, TaskIx, Timestamp};

/// One event with its place in the journal.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Entry {
    pub seq: Seq,
    pub at: Timestamp,
    pub event: Event,
}

/// What happened. Every event is durable before anything that depends on it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Always the first event of a run.
    Created { plan: Digest },
    /// A coordinator took the run over; attempts of earlier owners that have
    /// no end are indeterminate from here on.
    Owned(Owner),
    /// The sites of this wave, counted from 0, may start.
    WaveOpened { wave: u32 },
    /// A probe was sent for: is the task's work already as it should be?
    Probing { attempt: AttemptId },
    /// The attempt may touch the world from here on.
    Started { attempt: AttemptId },
    /// A connector's durable note to its own later probe, for example the
    /// transaction id that it is about to commit.
    Marked { attempt: AttemptId, mark: Value },
    /// The attempt ended, or its probe was answered. With `again` the task is
    /// tried once more, not before that moment.
    Ended {
        attempt: AttemptId,
        end: AttemptEnd,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        again: Option<Timestamp>,
    },
    /// The task will not be attempted; `because` names the reason for people,
    /// `of` the task that stands in the way, where it is one.
    Skipped {
        task: TaskIx,
        because: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<TaskIx>,
    },
    /// A person's answer is wanted.
    GateOpened { task: TaskIx },
    /// No further wave is started.
    Halted(Halt),
    /// The owner took an operator's command from the inbox; `number` is its
    /// number there, 0 for a signal to the process itself.
    Commanded { number: u64, command: Command },
    /// Another plan is in force from here on, and tasks are numbered by it.
    /// Those of a key that the plan before has as well keep where they stand,
    /// but for `back`, which start anew, and `probe`, which had ended and are
    /// to be asked about first.
    Replanned {
        plan: Digest,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        back: Vec<TaskIx>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        probe: Vec<TaskIx>,
    },
    /// Nothing more will happen without an operator or a new owner.
    Stopped(RunEnd),
}

/// A coordinator, as other people need to find it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Owner {
    pub epoch: Epoch,
    pub host: String,
    pub pid: u32,
    /// Version of the binary.
    pub version: String,
}

/// How an attempt ended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptEnd {
    /// The work is done.
    Done(Outcome),
    /// A probe found the work to be done already.
    Satisfied(Outcome),
    /// A probe found that the work is not done; it may be started.
    NotYet,
    /// The probe could not tell; the operator must decide, or the runbook has
    /// said that the action may be repeated.
    Unknown {
        why: String,
    },
    Failed(Fault),
}

/// Why no further wave is started.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Halt {
    pub failed_sites: u32,
    pub allowed: u32,
}

/// Why the coordinator stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEnd {
    /// Every task is in a terminal state.
    Finished,
    /// What is left waits at gates.
    AtGates,
    /// Paused by the operator.
    Paused,
    /// Cancelled by the operator.
    Cancelled,
    /// Waves were halted.
    Halted,
}
