//! What the connector must know about a store, with everything resolved.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reprise_model::{Directory, ShardId, StoreId};
use reprise_ports::CallSite;
use secrecy::SecretString;

/// Renders a template over a site; says what is wrong with it.
pub type Render = Arc<dyn Fn(&str, &CallSite) -> Result<String, String> + Send + Sync>;

#[derive(Clone)]
pub struct LdapConfig {
    pub store: StoreId,
    pub shards: Vec<LdapShard>,
    pub tenant: Option<Directory>,
    pub render: Render,
    /// Shards without a scratch folder of their own are recovered in here.
    pub scratch_root: PathBuf,
    /// The objective: a shard that misses more than this before T is refused.
    pub rpo: Option<Duration>,
}

#[derive(Clone, Debug)]
pub struct LdapShard {
    pub id: ShardId,
    /// Absent in a drill, which has no way to production.
    pub live: Option<SecretString>,
    /// Folder of LDIF files that slapcat made.
    pub snapshots: PathBuf,
    /// LDIF of the change log, or a folder of it.
    pub changes: PathBuf,
    pub scratch: Option<PathBuf>,
}

impl LdapConfig {
    pub fn shard(&self, id: &ShardId) -> Option<&LdapShard> {
        self.shards.iter().find(|shard| shard.id == *id)
    }
}
