//! Ids. Each is a type of its own, so that an app's id can never be handed
//! over where a site's id is meant: the mistake that started incident A.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::new(text)
            }
        }
    };
}

text_id! {
    /// One tenant's container of products: what is deleted and restored.
    SiteId
}
text_id! {
    /// One data set of the estate, by its name in `estate.yaml`.
    StoreId
}
text_id! {
    /// One physical part of a store. Unique within its store only.
    ShardId
}
text_id! {
    /// A step of the runbook, by its name there.
    StepName
}
text_id! {
    /// A pool of slots that bounds concurrency.
    PoolName
}
text_id! {
    /// One execution of a plan. Sorts by the time of its creation.
    RunId
}
text_id! {
    /// A task's stable name, the same in every compilation of the same plan:
    /// `step` for the run, `step@shard` for a shard, `step/site` for a site.
    TaskKey
}

impl TaskKey {
    pub fn of_run(step: &StepName) -> Self {
        Self::new(step.as_str())
    }

    pub fn of_shard(step: &StepName, shard: &ShardId) -> Self {
        Self::new([step.as_str(), "@", shard.as_str()].concat())
    }

    pub fn of_site(step: &StepName, site: &SiteId) -> Self {
        Self::new([step.as_str(), "/", site.as_str()].concat())
    }
}

/// A task's place in its plan: dense, from zero, in topological order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskIx(pub u32);

impl TaskIx {
    pub fn at(index: usize) -> Self {
        Self(u32::try_from(index).expect("a plan holds fewer than 2^32 tasks"))
    }

    pub fn get(self) -> usize {
        self.0 as usize
    }
}

/// One try of one task. `number` counts from 1 within the run and survives
/// crashes, so that no two tries of a task ever share an id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct AttemptId {
    pub task: TaskIx,
    pub number: u32,
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.task.0, self.number)
    }
}

/// Position of an event in its run's journal, from 0 without gaps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

/// Counts the coordinators that have owned a run. A writer that presents an
/// older epoch than the journal's has been superseded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);
