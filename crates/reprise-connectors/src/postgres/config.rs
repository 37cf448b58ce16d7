//! What the connector must know about a store, with everything resolved:
//! absolute paths, URLs with their passwords inside secrets.

use std::path::PathBuf;
use std::time::Duration;

use reprise_model::{Backup, ShardId, StoreId, Tenant};
use secrecy::SecretString;

#[derive(Clone, Debug)]
pub struct PostgresConfig {
    pub store: StoreId,
    pub tenant: Option<Tenant>,
    pub shards: Vec<PostgresShard>,
    /// Shards without a scratch folder of their own are recovered in here.
    pub scratch_root: PathBuf,
    /// Short-lived private folders for sockets go in here; keep its path short.
    pub temp: PathBuf,
    /// A Python environment that holds PostgreSQL in a wheel.
    pub deps: Option<PathBuf>,
    /// `bin` folders of PostgreSQL to be preferred.
    pub pg_bin: Vec<PathBuf>,
    /// The value of `PATH`, where PostgreSQL is looked for too.
    pub path: Option<std::ffi::OsString>,
    /// The objective: a shard that misses more than this before T is refused.
    pub rpo: Option<Duration>,
    pub pools: PoolSizes,
}

#[derive(Clone, Debug)]
pub struct PostgresShard {
    pub id: ShardId,
    /// Absent in a drill, which has no way to production.
    pub live: Option<SecretString>,
    /// With absolute paths.
    pub backup: Backup,
    pub scratch: Option<PathBuf>,
}

/// Connections at most, for each shard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PoolSizes {
    pub live: u32,
    pub scratch: u32,
}

impl Default for PoolSizes {
    fn default() -> Self {
        Self {
            live: 8,
            scratch: 8,
        }
    }
}

impl PostgresConfig {
    pub fn shard(&self, id: &ShardId) -> Option<&PostgresShard> {
        self.shards.iter().find(|shard| shard.id == *id)
    }
}
