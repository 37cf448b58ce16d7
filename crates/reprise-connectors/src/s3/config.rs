//! What the connector must know about a store, with everything resolved.

use std::path::PathBuf;
use std::sync::Arc;

use reprise_model::{ShardId, StoreId};
use reprise_ports::CallSite;
use secrecy::SecretString;

/// Renders a template over a site; says what is wrong with it.
pub type Render = Arc<dyn Fn(&str, &CallSite) -> Result<String, String> + Send + Sync>;

#[derive(Clone)]
pub struct S3Config {
    pub store: StoreId,
    pub shards: Vec<S3Shard>,
    /// Template of the prefix of a site's keys.
    pub prefix: Option<String>,
    pub render: Render,
    /// Shards without a scratch folder of their own keep manifests in here.
    pub scratch_root: PathBuf,
}

#[derive(Clone, Debug)]
pub struct S3Shard {
    pub id: ShardId,
    /// Absent in a drill, which has no way to production.
    pub live: Option<SecretString>,
    pub scratch: Option<PathBuf>,
}

impl S3Config {
    pub fn shard(&self, id: &ShardId) -> Option<&S3Shard> {
        self.shards.iter().find(|shard| shard.id == *id)
    }
}
