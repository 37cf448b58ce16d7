//! How an attempt ended: what it produced, or what went wrong.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Check, Elapsed, Timestamp, Verdict};

/// Data moved or looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Volume {
    pub rows: u64,
    pub bytes: u64,
}

impl std::ops::AddAssign for Volume {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.bytes += other.bytes;
    }
}

/// The moment a shard really was recovered to, measured, never assumed.
///
/// `point` is the latest instant up to which the recovered data is proven
/// complete, and never later than the target time. `last_before` and
/// `first_after` bracket it: the last commit that is in, the first that is
/// not. A quiet server has no `first_after`; `basis` says what then proves
/// that nothing is missing.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RecoveryPoint {
    pub point: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_before: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_after: Option<Timestamp>,
    pub basis: String,
}

/// What a finished attempt leaves: small, serialisable, free of secrets.
/// Large data is left where it is and referred to.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Values for the tasks that need this one.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub output: Map<String, Value>,
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub volume: Volume,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_point: Option<RecoveryPoint>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
}

impl Outcome {
    /// Work of which a check failed, or could not look, has not succeeded:
    /// nothing that waits for it may go on.
    pub fn judged(self) -> Result<Self, Fault> {
        let not_passed = self.checks.iter().max_by_key(|check| check.verdict);
        let what = match not_passed.map(|check| check.verdict) {
            None | Some(Verdict::Pass) => return Ok(self),
            Some(Verdict::Unknown) => "is unknown",
            Some(Verdict::Fail) => "did not pass",
        };
        let name = not_passed.map_or("", |check| check.name.as_str());
        let why = not_passed.and_then(|check| check.evidence.get("why")?.as_str());
        let why = why.map_or(String::new(), |why| format!(": {why}"));
        let message = format!("check `{name}` {what}{why}");
        let mut fault = Fault::new(FaultKind::Validation, message);
        fault.checks = self.checks;
        Err(fault)
    }
}

fn is_nothing(volume: &Volume) -> bool {
    *volume == Volume::default()
}

/// What kind of thing went wrong: decides about retry, about the site and
/// about the exit code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// May pass: connection lost, server starting, lock time-out, rate limit.
    Temporary,
    /// Will not pass by itself: no rights, no such table, bad data.
    Permanent,
    /// A precondition does not hold, and nothing was touched: rows in the way,
    /// schema drift, too little space.
    Refused,
    /// The data is there and a check of it did not pass.
    Validation,
    /// The attempt took longer than the runbook allows.
    TimedOut,
    /// The operator ended it.
    Cancelled,
}

impl FaultKind {
    pub fn may_pass(self) -> bool {
        match self {
            Self::Temporary | Self::TimedOut => true,
            Self::Permanent | Self::Refused | Self::Validation | Self::Cancelled => false,
        }
    }
}

/// Why an attempt did not succeed. `message` holds facts in lower case,
/// without secrets; `hint` says what to do.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    pub kind: FaultKind,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Not before this much time has passed (a vendor's `Retry-After`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Elapsed>,
    /// The checks that did not pass, when `kind` is `Validation`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
}

impl Fault {
    pub fn new(kind: FaultKind, message: impl fmt::Display) -> Self {
        Self {
            kind,
            message: message.to_string(),
            hint: None,
            retry_after: None,
            checks: Vec::new(),
        }
    }

    pub fn temporary(message: impl fmt::Display) -> Self {
        Self::new(FaultKind::Temporary, message)
    }

    pub fn permanent(message: impl fmt::Display) -> Self {
        Self::new(FaultKind::Permanent, message)
    }

    pub fn refused(message: impl fmt::Display) -> Self {
        Self::new(FaultKind::Refused, message)
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
