//! The plan: runbook x estate x sites x T, compiled into an immutable, hashed
//! DAG of tasks. A value: printed, stored, hashed, executed as it is.
//!
//! Tasks refer to steps, sites and shards by index, so that a plan of a
//! million tasks stays small.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::digest::Hasher;
use crate::{
    Action, Digest, Elapsed, Layer, Moment, Objectives, Pool, PoolName, Retry, Scope, ShardId,
    SiteId, StepName, StoreId, StoreKind, TaskIx, TaskKey, Timestamp,
};

/// The newest plan format that this version reads and the one it writes.
pub const PLAN_VERSION: u32 = 1;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Plan {
    pub version: u32,
    /// Over the compact JSON of the plan with this field zero.
    pub hash: Digest,
    pub target_time: Timestamp,
    /// When the damage was done; the recovery time counts from here, else
    /// from the start of the run.
    pub incident_time: Option<Timestamp>,
    pub drill: bool,
    pub estate: SourceFile,
    pub runbook: SourceFile,
    pub objectives: Objectives,
    /// More failed sites than this stop further waves.
    pub halt_above: Option<u32>,
    /// A site of which a check failed counts among them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub halt_on_checks: bool,
    /// Attempts under way at once, over all pools; absent: only pools bound them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    pub pools: Vec<Pool>,
    pub shards: Vec<PlannedShard>,
    /// Ordered by wave.
    pub sites: Vec<PlannedSite>,
    /// Number of sites in each wave.
    pub waves: Vec<u32>,
    pub steps: Vec<PlannedStep>,
    /// In topological order: needs point backwards.
    pub tasks: Vec<PlannedTask>,
    pub not_planned: Vec<NotPlanned>,
    pub blast_radius: BlastRadius,
}

/// Hashes what is written, with a zero for every byte of one range: the
/// plan's own hash, which its text holds near the beginning.
struct Blanked {
    range: Range<usize>,
    at: usize,
    /// Small writes are gathered: a hash of a few bytes at a time is slow.
    buffer: Vec<u8>,
    hasher: Hasher,
}

impl Blanked {
    const BUFFER: usize = 64 * 1024;

    fn new(range: Range<usize>) -> Self {
        Self {
            range,
            at: 0,
            buffer: Vec::with_capacity(Self::BUFFER),
            hasher: Hasher::default(),
        }
    }

    fn digest(mut self) -> Digest {
        self.hasher.update(&self.buffer);
        self.hasher.finish()
    }
}

impl io::Write for Blanked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() > Self::BUFFER {
            self.hasher.update(&self.buffer);
            self.buffer.clear();
        }
        let start = self.buffer.len();
        self.buffer.extend_from_slice(bytes);
        let (from, to) = (self.at, self.at + bytes.len());
        if from < self.range.end && self.range.start < to {
            let from_here = self.range.start.max(from) - from;
            let to_here = self.range.end.min(to) - from;
            self.buffer[start + from_here..start + to_here].fill(b'0');
        }
        self.at = to;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that the plan was compiled from. The digest covers what the file
/// means, with secrets left out, not its bytes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SourceFile {
    pub name: String,
    pub path: PathBuf,
    pub digest: Digest,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PlannedShard {
    pub store: StoreId,
    pub shard: ShardId,
    pub kind: StoreKind,
    pub layer: Layer,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PlannedSite {
    pub id: SiteId,
    pub wave: u32,
    pub attributes: BTreeMap<String, String>,
    /// Indexes into `Plan::shards`, one for each store that places the site.
    pub shards: Vec<u32>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PlannedStep {
    pub name: StepName,
    pub scope: Scope,
    pub action: Action,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreId>,
    pub needs: Vec<StepName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Elapsed>,
    pub retry: Retry,
    /// What one task of it is expected to take.
    pub expected: Elapsed,
    /// Unrendered: `{{ site.x }}` and `${NAME}` are filled in at dispatch.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub with: Map<String, Value>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PlannedTask {
    /// Index into `Plan::steps`.
    pub step: u32,
    /// Index into `Plan::sites`, for scope `site`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<u32>,
    /// Index into `Plan::shards`: the shard itself for scope `shard`, the
    /// shard that holds the site's slice for a site's task on a store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<TaskIx>,
    /// What this task is expected to take, where more is known than its step says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Elapsed>,
}

/// A task that the runbook would have had, and why it is not in the plan.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct NotPlanned {
    pub task: TaskKey,
    pub why: String,
}

/// What the run will touch, to be confirmed before anything is written.
/// `rows` and `bytes` are estimates from the live ends' statistics; absent
/// where nobody could say.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct BlastRadius {
    pub sites: u32,
    pub customers: Option<u32>,
    pub users: Option<u64>,
    pub shards: u32,
    pub rows: Option<u64>,
    pub bytes: Option<u64>,
    /// Bytes to be recovered in scratch.
    pub scratch_bytes: Option<u64>,
    /// Sites that share the touched shards and are not in the batch.
    pub neighbours: Option<u32>,
}

impl Plan {
    pub fn step_of(&self, task: TaskIx) -> &PlannedStep {
        &self.steps[self.tasks[task.get()].step as usize]
    }

    pub fn site_of(&self, task: TaskIx) -> Option<&PlannedSite> {
        let site = self.tasks[task.get()].site?;
        Some(&self.sites[site as usize])
    }

    pub fn shard_of(&self, task: TaskIx) -> Option<&PlannedShard> {
        let shard = self.tasks[task.get()].shard?;
        Some(&self.shards[shard as usize])
    }

    /// What the recovery points of this plan's slices are held against.
    pub fn moment(&self) -> Moment {
        Moment {
            target_time: self.target_time,
            incident_time: self.incident_time,
            rpo: self.objectives.rpo,
        }
    }

    /// The task's stable name.
    pub fn key(&self, task: TaskIx) -> TaskKey {
        let step = self.step_of(task);
        match step.scope {
            Scope::Run => TaskKey::of_run(&step.name),
            Scope::Shard => {
                let shard = self.shard_of(task).expect("a shard's task has a shard");
                TaskKey::of_shard(&step.name, &shard.shard)
            }
            Scope::Site => {
                let site = self.site_of(task).expect("a site's task has a site");
                TaskKey::of_site(&step.name, &site.id)
            }
        }
    }

    /// What the task is expected to take.
    pub fn expected(&self, task: TaskIx) -> Duration {
        let of_step = || self.step_of(task).expected;
        self.tasks[task.get()].expected.unwrap_or_else(of_step).0
    }

    pub fn ixs(&self) -> impl Iterator<Item = TaskIx> + use<> {
        (0..self.tasks.len()).map(TaskIx::at)
    }

    /// The hash that the plan should carry. A plan of a million tasks is
    /// neither copied nor written out for it.
    pub fn computed_hash(&self) -> Digest {
        let before_hash = format!(r#"{{"version":{},"hash":""#, self.version).len();
        let mut text = Blanked::new(before_hash..before_hash + Digest::DIGITS);
        serde_json::to_writer(&mut text, self).expect("a plan is plain data");
        text.digest()
    }

    pub fn sealed(mut self) -> Self {
        self.hash = self.computed_hash();
        self
    }
}
