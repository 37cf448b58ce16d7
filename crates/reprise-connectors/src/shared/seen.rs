//! What `inspect` found out about a shard, as findings.

use reprise_model::{ShardId, StoreId};
use reprise_ports::{Finding, Level};

/// A check, its level, its words and a hint.
pub type Seen = (&'static str, Level, String, Option<String>);

pub fn findings(store: &StoreId, shard: &ShardId, seen: Vec<Seen>) -> Vec<Finding> {
    let finding = |(check, level, message, hint): Seen| Finding {
        check: check.to_owned(),
        level,
        store: store.clone(),
        shard: shard.clone(),
        message,
        hint,
    };
    seen.into_iter().map(finding).collect()
}
