//! What the connector must know about a store, with everything resolved:
//! absolute paths, URLs with their passwords inside secrets.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use reprise_model::{ShardId, StoreId, Tenant};
use secrecy::{ExposeSecret, SecretString};
use sqlx::mysql::MySqlConnectOptions;

#[derive(Clone, Debug)]
pub struct MariadbConfig {
    pub store: StoreId,
    pub tenant: Option<Tenant>,
    pub shards: Vec<MariadbShard>,
    /// Shards without a scratch folder of their own are recovered in here.
    pub scratch_root: PathBuf,
    /// Short-lived private folders for sockets go in here; keep its path short.
    pub temp: PathBuf,
    /// The value of `PATH`, where the server's programs are looked for.
    pub path: Option<std::ffi::OsString>,
    /// The objective: a shard that misses more than this before T is refused.
    pub rpo: Option<Duration>,
    /// Connections at most to each shard's live end.
    pub live_connections: usize,
}

#[derive(Clone, Debug)]
pub struct MariadbShard {
    pub id: ShardId,
    /// Absent in a drill, which has no way to production.
    pub live: Option<SecretString>,
    /// The database that the live URL names, which a drill knows too.
    pub database: Option<String>,
    /// A backup's folder, or a folder of several.
    pub base: PathBuf,
    /// A folder of binary logs.
    pub binlog: PathBuf,
    /// The time zone of the server that wrote them, as its machine had it.
    pub time_zone: Option<String>,
    pub scratch: Option<PathBuf>,
}

impl MariadbShard {
    /// The database that a live URL names.
    pub fn database_of(live: &SecretString) -> Option<String> {
        let options = MySqlConnectOptions::from_str(live.expose_secret()).ok()?;
        options.get_database().map(str::to_owned)
    }
}

impl MariadbConfig {
    pub fn shard(&self, id: &ShardId) -> Option<&MariadbShard> {
        self.shards.iter().find(|shard| shard.id == *id)
    }
}
