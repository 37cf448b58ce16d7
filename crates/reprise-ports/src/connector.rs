//! The connector: all that reprise asks of a kind of store, or of a generic
//! action such as `exec`.
//!
//! **Contract.** Every method can be cut off at any instant, by a dropped
//! future or by `kill -9`, and called again. A method that touches the live
//! end does so in one atomic step, or leaves a durable mark first
//! ([`Context::mark`]) by which a later [`Connector::probe`] can tell whether
//! it happened. Outcomes and faults are small and hold no secret. A connector
//! knows neither journal nor engine, so that it can run on another machine.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use reprise_model::{
    Action, AttemptId, Fault, Outcome, RunId, ShardId, Side, SiteId, StoreId, TaskKey, Timestamp,
    Volume,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

/// One attempt's work, as data: small and serialisable.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Call {
    pub run: RunId,
    pub attempt: AttemptId,
    pub task: TaskKey,
    /// The same for every attempt of the task, unique across runs.
    pub idempotency_key: String,
    pub action: Action,
    pub target_time: Timestamp,
    pub site: Option<CallSite>,
    pub store: Option<StoreId>,
    pub shard: Option<ShardId>,
    /// All sites of the batch whose slices lie on the same shard, the site
    /// itself among them: rows of one may refer to rows of another.
    #[serde(default)]
    pub companions: Arc<[SiteId]>,
    /// Options of the step: `{{ }}` rendered, `${NAME}` not yet resolved.
    pub with: Map<String, Value>,
    /// Outputs of the needed tasks, by task.
    pub outputs: BTreeMap<TaskKey, Map<String, Value>>,
}

impl Call {
    /// Where a store's task works.
    pub fn shard(&self) -> Result<&ShardId, Fault> {
        self.shard.as_ref().ok_or_else(|| self.names_no("shard"))
    }

    /// Whose slice a site's task works on.
    pub fn site(&self) -> Result<&CallSite, Fault> {
        self.site.as_ref().ok_or_else(|| self.names_no("site"))
    }

    fn names_no(&self, what: &str) -> Fault {
        Fault::permanent(format!("task `{}` names no {what}", self.task))
    }

    /// The answer of a store to an action that its kind does not know.
    pub fn not_offered(&self, kind: &str) -> Fault {
        let action = self.action.as_str();
        Fault::permanent(format!(
            "a store of kind `{kind}` does not offer `{action}`"
        ))
    }
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CallSite {
    pub id: SiteId,
    pub attributes: BTreeMap<String, String>,
}

/// What an attempt can do towards its coordinator.
#[async_trait]
pub trait Context: Send + Sync {
    /// Tells how far it is. Cheap, may be dropped; call it as often as useful.
    fn progress(&self, progress: Progress);

    /// Writes a note into the journal and returns when it is durable. The
    /// newest mark of an attempt is handed to [`Connector::probe`].
    async fn mark(&self, mark: Value) -> Result<(), Fault>;

    /// Cancelled when the operator or the time-out wants the attempt to end;
    /// return `FaultKind::Cancelled` soon after, with nothing half done.
    fn cancelled(&self) -> &CancellationToken;
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Progress {
    pub volume: Volume,
    /// From 0 to 1, where the connector can tell.
    pub fraction: Option<f64>,
    /// What it is at, in a few words: `replaying WAL`, `copying issues`.
    pub phase: Option<String>,
}

/// Whether a task's work is already as it should be.
#[derive(Clone, PartialEq, Debug)]
pub enum Probe {
    AsItShouldBe(Outcome),
    NotYet,
    Unknown { why: String },
}

/// What to look at before anything is started.
#[derive(Clone, PartialEq, Debug)]
pub struct Inspect {
    pub shard: ShardId,
    /// Absent: look at what does not depend on the moment.
    pub target_time: Option<Timestamp>,
    /// The sites that would be restored there; empty when not known yet.
    pub sites: Vec<SiteId>,
}

/// What was found out about one shard without changing anything.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Inspection {
    pub findings: Vec<Finding>,
    pub estimate: Estimate,
}

#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Estimate {
    /// Rows and bytes that one site's slice has on average.
    pub per_site: Option<Volume>,
    /// Bytes that the recovered shard takes in scratch.
    pub scratch_bytes: Option<u64>,
    /// Sites on the shard's live end.
    pub live_sites: Option<u64>,
}

/// One thing that was looked at. `check` is a stable word for scripts, such
/// as `connection`, `rights`, `backup-reaches`, `schema-drift`, `ownership`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Finding {
    pub check: String,
    pub level: Level,
    pub store: StoreId,
    pub shard: ShardId,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Looked at, and in order.
    Ok,
    /// Can only be known later, once the shard is recovered.
    Later,
    /// The restore can go on; the operator should know.
    Warning,
    /// Could not look.
    Unknown,
    /// The restore would fail or be wrong.
    Error,
}

/// A site as the estate's list gives it.
pub type SiteRow = BTreeMap<String, String>;

/// What of one site's slice is listed, to be held against another store's.
#[derive(Clone, PartialEq, Debug)]
pub struct Listing {
    pub shard: ShardId,
    pub site: CallSite,
    pub target_time: Timestamp,
    /// Which end, what of it, its key and what is compared.
    pub side: Side,
}

/// One item of a listing. An item without a key refers to nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    pub key: Option<String>,
    /// As many as the side compares, in its order.
    pub fields: Vec<Option<String>>,
}

/// Takes one item after another; `Break` ends the listing there.
pub type Take<'a> = &'a mut (dyn FnMut(Item) -> ControlFlow<()> + Send);

#[async_trait]
pub trait Connector: Send + Sync {
    fn offers(&self) -> &'static [Action];

    /// Looks, changes nothing, and never fails as a whole: what could not be
    /// looked at is a finding of level `Unknown` or `Error`.
    async fn inspect(&self, inspect: &Inspect) -> Inspection;

    /// Does the work of one attempt.
    async fn perform(&self, call: &Call, context: &dyn Context) -> Result<Outcome, Fault>;

    /// Tells whether the work of `call` is done already. `mark` is the newest
    /// mark that an attempt of this task left.
    async fn probe(
        &self,
        call: &Call,
        mark: Option<&Value>,
        context: &dyn Context,
    ) -> Result<Probe, Fault>;

    /// Reads the list of sites from a shard that was recovered before.
    async fn list_sites(
        &self,
        shard: &ShardId,
        target_time: Timestamp,
        query: &str,
    ) -> Result<Vec<SiteRow>, Fault> {
        let _ = (shard, target_time, query);
        Err(Fault::permanent("this kind of store cannot list sites"))
    }

    /// Says what ids are that turned out not to be sites: looks for them among
    /// the keys of the recovered shard and answers such as `apps.id`.
    async fn identify(
        &self,
        shard: &ShardId,
        target_time: Timestamp,
        ids: &[String],
    ) -> BTreeMap<String, String> {
        let _ = (shard, target_time, ids);
        BTreeMap::new()
    }

    /// Gives all items of a site's slice, in any order, without changing
    /// anything. `Ok` means that it was read to its end, or to a `Break`.
    async fn list(
        &self,
        listing: &Listing,
        take: Take<'_>,
        context: &dyn Context,
    ) -> Result<(), Fault> {
        let _ = (take, context);
        let store = &listing.side.store;
        Err(Fault::permanent(format!(
            "store `{store}` cannot be listed: its kind does not offer it"
        )))
    }

    /// Ends every process and connection that it started. What a resumed run
    /// can use again stays on disk.
    async fn close(&self);

    /// The folders in which it leaves data between runs, for people to see.
    fn leaves(&self) -> Vec<PathBuf> {
        Vec::new()
    }
}
