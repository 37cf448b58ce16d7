//! The runbook: the procedure, written once for all sites. The values of `runbook.yaml`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Elapsed, PoolName, StepName, StoreId};

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Runbook {
    pub name: String,
    /// Sizes of the waves; empty means one wave of all.
    pub waves: Vec<WaveSize>,
    pub halt: HaltRule,
    /// Attempts under way at once, over all pools; absent: only pools bound them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    pub pools: Vec<Pool>,
    /// In the order of the file.
    pub steps: Vec<Step>,
}

#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaveSize {
    Sites(u32),
    /// Share of all sites, in percent; rounds up.
    Percent(f64),
    Rest,
}

/// When to stop starting waves. Nothing set: never.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct HaltRule {
    /// More failed sites than this.
    pub failed_sites: Option<HaltLimit>,
    /// A site of which a check failed counts, too.
    pub checks: bool,
}

#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HaltLimit {
    Sites(u32),
    Percent(f64),
}

/// Slots bound concurrency, the rate bounds starts per second.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Pool {
    pub name: PoolName,
    pub slots: u32,
    pub rate_per_second: Option<f64>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    Run,
    Shard,
    Site,
}

impl Scope {
    pub const ALL: [Scope; 3] = [Self::Run, Self::Shard, Self::Site];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Shard => "shard",
            Self::Site => "site",
        }
    }
}

/// What a step does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Action {
    /// Bring a shard to T in scratch.
    #[serde(rename = "recover")]
    Recover,
    /// Put a site's slice back into live.
    #[serde(rename = "restore")]
    Restore,
    /// Prove that a site's slice is whole.
    #[serde(rename = "verify")]
    Verify,
    /// Drop the scratch.
    #[serde(rename = "release")]
    Release,
    /// Wait for a person.
    #[serde(rename = "gate")]
    Gate,
    /// Run a program.
    #[serde(rename = "exec")]
    Exec,
    /// Ask an address and compare the answer.
    #[serde(rename = "http.check")]
    HttpCheck,
    /// Open a connection, and compare what the other side says first.
    #[serde(rename = "tcp.check")]
    TcpCheck,
    /// Hold the recovery points of all of a site's slices against the target time.
    #[serde(rename = "check.consistency")]
    CheckConsistency,
    /// Compare what two stores say of each other.
    #[serde(rename = "check.references")]
    CheckReferences,
}

impl Action {
    pub const ALL: [Action; 10] = [
        Self::Recover,
        Self::Restore,
        Self::Verify,
        Self::Release,
        Self::Gate,
        Self::Exec,
        Self::HttpCheck,
        Self::TcpCheck,
        Self::CheckConsistency,
        Self::CheckReferences,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recover => "recover",
            Self::Restore => "restore",
            Self::Verify => "verify",
            Self::Release => "release",
            Self::Gate => "gate",
            Self::Exec => "exec",
            Self::HttpCheck => "http.check",
            Self::TcpCheck => "tcp.check",
            Self::CheckConsistency => "check.consistency",
            Self::CheckReferences => "check.references",
        }
    }

    /// Whether the step must name a store.
    pub fn wants_store(self) -> bool {
        match self {
            Self::Recover | Self::Restore | Self::Verify | Self::Release => true,
            Self::Gate
            | Self::Exec
            | Self::HttpCheck
            | Self::TcpCheck
            | Self::CheckConsistency
            | Self::CheckReferences => false,
        }
    }

    /// Whether it may be done once more when nobody can tell if it was done:
    /// it only looks, works in scratch, or carries an idempotency key.
    pub fn may_repeat(self) -> bool {
        match self {
            Self::Restore | Self::Gate => false,
            Self::Recover
            | Self::Verify
            | Self::Release
            | Self::Exec
            | Self::HttpCheck
            | Self::TcpCheck
            | Self::CheckConsistency
            | Self::CheckReferences => true,
        }
    }

    /// Whether a check of this kind that did not pass may pass a little later.
    pub fn settles_with_time(self) -> bool {
        matches!(self, Self::HttpCheck | Self::TcpCheck)
    }

    /// Whether it only looks, or asks a person to: its failure is a failed
    /// validation, not a failed site.
    pub fn is_check(self) -> bool {
        match self {
            Self::Verify
            | Self::HttpCheck
            | Self::TcpCheck
            | Self::CheckConsistency
            | Self::CheckReferences
            | Self::Gate => true,
            Self::Recover | Self::Restore | Self::Release | Self::Exec => false,
        }
    }
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Step {
    pub name: StepName,
    pub scope: Scope,
    pub action: Action,
    pub store: Option<StoreId>,
    pub needs: Vec<StepName>,
    pub pool: Option<PoolName>,
    pub timeout: Option<Elapsed>,
    pub retry: Retry,
    /// Condition over site or shard attributes; where it does not hold the
    /// step is not planned, and the plan says why.
    pub when: Option<String>,
    /// What a task of this step usually takes, where the author knows.
    pub expect: Option<Elapsed>,
    /// Options of the action; texts may hold `{{ site.x }}` and `${NAME}`.
    pub with: Map<String, Value>,
}

/// Exponential backoff with full jitter between `min` and `max`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Retry {
    /// Tries in all, the first included.
    pub attempts: u32,
    pub min: Elapsed,
    pub max: Elapsed,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 3,
            min: Elapsed::from_secs(1),
            max: Elapsed::from_secs(60),
        }
    }
}
