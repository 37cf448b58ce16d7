//! What a step says about things that are live and were not so at T, and about
//! sites of which there is nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use reprise_model::{ShardId, Timestamp};
use serde::Deserialize;
use tokio::sync::OnceCell;

/// A thing whose live state is another one than at T.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// Stop before anything is written, and say how many there are.
    #[default]
    Refuse,
    /// What is live wins.
    Keep,
    /// What was there at T wins.
    Replace,
}

/// A thing that was not there at T and is now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CreatedAfter {
    #[default]
    Keep,
    Remove,
}

/// Whether any site of a batch has anything, by shard and T. One that has shows
/// that the template leads to where sites have their things: then a site that
/// has nothing just has nothing. Asked once, by the first that has nothing.
#[derive(Debug, Default)]
pub struct Anybody(Mutex<BTreeMap<(ShardId, Timestamp), Answer>>);

type Answer = Arc<OnceCell<bool>>;

impl Anybody {
    pub fn at(&self, shard: &ShardId, target: Timestamp) -> Answer {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry((shard.clone(), target)).or_default())
    }
}

/// A site of which nothing was there at T, is there now, or ever was, and none
/// of the others that were asked either.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Empty {
    /// A wrong prefix or folder looks like that.
    #[default]
    Unknown,
    Allowed,
}
