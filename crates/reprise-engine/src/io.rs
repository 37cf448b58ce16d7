//! All that comes in and all that goes out.

use reprise_model::{AttemptId, Command, Entry, Fault, Outcome, Owner, RunEnd, Seq, Timestamp};
use serde_json::Value;

/// What the world said.
#[derive(Clone, PartialEq, Debug)]
pub enum Input {
    /// This coordinator owns the run now: a new one, or one taken up again.
    /// `inbox` holds what operators have asked for in the meantime, numbered.
    Begin {
        owner: Owner,
        inbox: Vec<(u64, Command)>,
    },
    /// The probe of an attempt was answered.
    Probed { attempt: AttemptId, answer: Answer },
    /// An attempt ended, and it is known how.
    Finished {
        attempt: AttemptId,
        result: Result<Outcome, Fault>,
    },
    /// Contact with an attempt was lost; it may have done its work or not.
    Lost { attempt: AttemptId, why: String },
    /// A connector wants a note to be durable.
    Marked { attempt: AttemptId, mark: Value },
    /// An operator's command; `number` is its place in the inbox, 0 for a signal.
    Commanded { number: u64, command: Command },
    /// Time has passed.
    Tick,
}

/// What a probe found.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    AsItShouldBe(Outcome),
    NotYet,
    Unknown {
        why: String,
    },
    /// The probe itself failed.
    Failed(Fault),
}

/// What is to be done, in this order. An effect is performed once the journal
/// is durable up to the entry that it names; one that names none, once every
/// entry before it is durable.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    Journal(Entry),
    /// Ask whether the task's work is done already. `mark` is the newest note
    /// of an earlier attempt.
    Probe {
        attempt: AttemptId,
        mark: Option<Value>,
        after: Seq,
    },
    Start {
        attempt: AttemptId,
        after: Seq,
    },
    /// Ask the attempt to end; it still answers with `Finished`, `Probed` or `Lost`.
    Interrupt {
        attempt: AttemptId,
        why: Interruption,
    },
    /// Come back with `Tick` at this moment, or with anything else before.
    Wake {
        at: Timestamp,
    },
    /// Nothing more will come from the engine.
    Stop(RunEnd),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interruption {
    Cancelled,
    TimedOut,
}
