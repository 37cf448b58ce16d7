//! The words of reprise as types.
//!
//! Everything here is a value: ids, times, task states, journal events,
//! outcomes, verdicts and exit codes. The crate knows no runtime, no clock, no
//! file and no store, so that a live run, a journal read back and a simulated
//! run all speak the same language.

mod apps;
mod command;
mod consistency;
mod digest;
pub mod dn;
mod estate;
mod event;
mod events;
mod exit;
mod id;
mod outcome;
mod plan;
mod plans;
mod references;
mod runbook;
mod state;
mod time;
mod verdict;

pub use apps::{Apps, AppsAt, Auth, CheckRequest, ListRequest, Request};
pub use command::Command;
pub use consistency::{ConsistencyEvidence, Moment, SlicePoint, skew_seconds};
pub use digest::{Digest, DigestError};
pub use estate::{
    Backup, Directory, Estate, FileTree, Files, Layer, Objectives, Objects, Shard, SharedUsers,
    SiteSource, Store, StoreKind, TableRule, Tenancy, Tenant, Text,
};
pub use event::{AttemptEnd, Entry, Event, Halt, Owner, RunEnd};
pub use events::{EventFields, EventTarget, Events, HttpTarget, SqlTarget};
pub use exit::Exit;
pub use id::{
    AttemptId, Epoch, PoolName, RunId, Seq, ShardId, SiteId, StepName, StoreId, TaskIx, TaskKey,
};
pub use outcome::{Fault, FaultKind, Outcome, RecoveryPoint, Volume};
pub use plan::{
    BlastRadius, NotPlanned, PLAN_VERSION, Plan, PlannedShard, PlannedSite, PlannedStep,
    PlannedTask, SourceFile,
};
pub use plans::{Plans, counterparts};
pub use references::{End, Listed, Orphans, References, Side};
pub use runbook::{Action, HaltLimit, HaltRule, Pool, Retry, Runbook, Scope, Step, WaveSize};
pub use state::TaskState;
pub use time::{Elapsed, Timestamp, TimestampError, format_duration, parse_duration};
pub use verdict::{Check, Verdict};
