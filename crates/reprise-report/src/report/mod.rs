//! The report: what a run did, measured. `docs/reference/report-json.md`
//! defines every key; keys are added, never renamed.

mod failures;
mod objectives;
mod path;
mod phases;
mod sites;
mod stores;
mod totals;
mod validations;

pub use reprise_model::ConsistencyEvidence;
use reprise_model::{
    Digest, Elapsed, Halt, RunId, ShardId, SiteId, StoreId, TaskKey, Timestamp, Verdict,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fold::{Fold, PlanInForce, RunState};

pub(crate) use failures::gates as open_gates;

pub const REPORT_VERSION: u32 = 1;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Report {
    pub version: u32,
    pub run: RunId,
    pub plan_hash: Digest,
    /// The plans that the run has had, the one in force last: more than one
    /// where the runbook was edited meanwhile.
    pub plans: Vec<PlanInForce>,
    pub estate: String,
    pub runbook: String,
    pub drill: bool,
    pub state: RunState,
    /// The exit code that `reprise run` would end with in this state.
    pub exit_code: u8,
    pub target_time: Timestamp,
    pub incident_time: Option<Timestamp>,
    pub started: Option<Timestamp>,
    /// When the last task ended; absent while work is outstanding.
    pub finished: Option<Timestamp>,
    pub totals: Totals,
    pub objectives: Objectives,
    pub halted: Option<Halt>,
    pub failures: Vec<Failure>,
    pub gates: Vec<OpenGate>,
    pub sites: Vec<SiteReport>,
    pub phases: Vec<Phase>,
    pub critical_path: Vec<Link>,
    pub attempts: Attempts,
    pub journal: JournalFacts,
}

/// How a site came out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SiteState {
    /// Work failed; the site was set aside.
    Failed,
    /// Restored, but a validation failed or could not look.
    Unvalidated,
    /// The operator interrupted its work.
    Cancelled,
    /// At a gate.
    Waiting,
    /// Not finished, for no fault of its own.
    Outstanding,
    /// All its work succeeded and every verdict is a pass.
    Restored,
}

impl SiteState {
    /// Worst first.
    pub const ALL: [SiteState; 6] = [
        Self::Failed,
        Self::Unvalidated,
        Self::Cancelled,
        Self::Waiting,
        Self::Outstanding,
        Self::Restored,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Unvalidated => "unvalidated",
            Self::Cancelled => "cancelled",
            Self::Waiting => "waiting",
            Self::Outstanding => "outstanding",
            Self::Restored => "restored",
        }
    }

    /// The data is back, proven or not.
    pub fn is_back(self) -> bool {
        match self {
            Self::Restored | Self::Unvalidated => true,
            Self::Failed | Self::Cancelled | Self::Waiting | Self::Outstanding => false,
        }
    }
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SiteReport {
    pub id: SiteId,
    pub state: SiteState,
    pub wave: u32,
    /// From the incident, else the start of the run, to the end of the site's
    /// last task; absent until the site is back.
    pub rta_seconds: Option<f64>,
    /// The worst of its stores.
    pub rpa_seconds: Option<f64>,
    /// Between its oldest and its newest store.
    pub skew_seconds: Option<f64>,
    pub verdict: Verdict,
    pub stores: Vec<StoreReport>,
    pub validations: Vec<Validation>,
    pub attributes: std::collections::BTreeMap<String, String>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StoreReport {
    pub store: StoreId,
    pub shard: ShardId,
    /// Measured: the latest instant up to which the data is proven complete.
    pub recovery_point: Option<Timestamp>,
    pub rpa_seconds: Option<f64>,
    /// What proves the recovery point.
    pub basis: Option<String>,
    pub rows: u64,
    pub bytes: u64,
    pub verdict: Verdict,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Validation {
    pub name: String,
    pub task: Option<TaskKey>,
    pub verdict: Verdict,
    pub evidence: Value,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Totals {
    pub sites: u32,
    pub restored: u32,
    pub unvalidated: u32,
    pub failed: u32,
    pub cancelled: u32,
    pub waiting: u32,
    pub outstanding: u32,
    pub rows: u64,
    pub bytes: u64,
    /// The slowest site's; absent until one is back.
    pub rta_seconds: Option<f64>,
    /// The worst store's.
    pub rpa_seconds: Option<f64>,
    /// Between the oldest and the newest store of all.
    pub skew_seconds: Option<f64>,
    pub tasks: TaskCounts,
}

/// Tasks by state; those not begun are `pending`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TaskCounts {
    pub total: u32,
    pub done: u32,
    pub satisfied: u32,
    pub failed: u32,
    pub skipped: u32,
    pub cancelled: u32,
    pub running: u32,
    pub gated: u32,
    pub indeterminate: u32,
    pub pending: u32,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Objectives {
    /// In seconds, as everywhere.
    pub rpo: Option<Elapsed>,
    pub rto: Option<Elapsed>,
    pub rpo_met: Option<bool>,
    pub rto_met: Option<bool>,
    /// Absent when nobody set an objective, or when it cannot be told yet.
    pub met: Option<bool>,
}

/// A task that ended without success.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Failure {
    pub task: TaskKey,
    pub site: Option<SiteId>,
    pub message: String,
    pub hint: Option<String>,
    pub attempts: u32,
    /// Only a check failed; the data is there.
    pub check: bool,
    /// Tasks that were skipped because of it.
    pub skipped: u32,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct OpenGate {
    pub task: TaskKey,
    pub site: Option<SiteId>,
    pub role: Option<String>,
    pub since: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Phase {
    pub name: String,
    pub tasks: u32,
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
    /// From start to end.
    pub seconds: f64,
    /// While at least one task of it was under way.
    pub busy_seconds: f64,
    /// Summed over its tasks.
    pub task_seconds: f64,
}

/// One task on the chain that determined the end.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Link {
    pub task: TaskKey,
    pub start: Option<Timestamp>,
    pub end: Timestamp,
    /// From its first start to its end, retries included.
    pub seconds: f64,
    /// Between the end of the task before it and its start: for a slot, a
    /// wave, an operator.
    pub waited_seconds: f64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Attempts {
    pub started: u32,
    pub failed: u32,
    /// Coordinators that have owned the run: 1 plus the resumes.
    pub owners: u32,
}

/// How far the report can be trusted.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct JournalFacts {
    pub entries: u64,
    /// The digest of the whole chain.
    pub head: Option<Digest>,
    /// The chain was verified from its first entry.
    pub verified: bool,
}

impl Fold {
    /// The report as of the entries seen. `head` is the digest of a chain
    /// that was verified; without it the report says so.
    pub fn report(&self, run: &RunId, head: Option<Digest>) -> Report {
        let plan = self.plan();
        let sites = sites::of(self);
        let totals = totals::over(self, &sites);
        let objectives = objectives::judge(self, &sites, &totals);
        let mut report = Report {
            version: REPORT_VERSION,
            run: run.clone(),
            plan_hash: plan.hash,
            plans: self.plans_in_force().to_vec(),
            estate: plan.estate.name.clone(),
            runbook: plan.runbook.name.clone(),
            drill: plan.drill,
            state: self.run_state(),
            exit_code: 0,
            target_time: plan.target_time,
            incident_time: plan.incident_time,
            started: self.started(),
            finished: finished(self),
            objectives,
            halted: self.halted().cloned(),
            failures: failures::of(self),
            gates: failures::gates(self),
            phases: phases::of(self),
            critical_path: path::of(self),
            attempts: Attempts {
                started: self.attempts(),
                failed: self.failed_attempts(),
                owners: self.owners(),
            },
            journal: JournalFacts {
                entries: self.entries(),
                head,
                verified: head.is_some(),
            },
            sites,
            totals,
        };
        report.exit_code = crate::exit(&report).code();
        report
    }
}

fn finished(fold: &Fold) -> Option<Timestamp> {
    match fold.run_state() {
        RunState::Finished => {
            let ends = fold.plan().ixs().filter_map(|task| fold.record(task).end);
            ends.max().or(fold.last_at())
        }
        RunState::Running
        | RunState::AtGates
        | RunState::Paused
        | RunState::Cancelled
        | RunState::Halted => None,
    }
}
