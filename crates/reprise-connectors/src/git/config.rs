//! What the connector must know about a store, with everything resolved.

use std::path::PathBuf;
use std::sync::Arc;

use reprise_model::{ShardId, StoreId};
use reprise_ports::CallSite;
use secrecy::SecretString;

/// Renders a template over a site; says what is wrong with it.
pub type Render = Arc<dyn Fn(&str, &CallSite) -> Result<String, String> + Send + Sync>;

#[derive(Clone)]
pub struct GitConfig {
    pub store: StoreId,
    pub shards: Vec<GitShard>,
    /// Template of the path below which a site's files are.
    pub path: Option<String>,
    pub render: Render,
    /// Shards without a scratch folder of their own are recovered in here.
    pub scratch_root: PathBuf,
    /// The folder that relative live folders start from.
    pub base: PathBuf,
}

#[derive(Clone, Debug)]
pub struct GitShard {
    pub id: ShardId,
    /// The live folder, plain or as `file://`; absent in a drill.
    pub live: Option<SecretString>,
    /// A folder, or what `git clone` takes.
    pub repository: String,
    pub branch: String,
    pub scratch: Option<PathBuf>,
}

impl GitConfig {
    pub fn shard(&self, id: &ShardId) -> Option<&GitShard> {
        self.shards.iter().find(|shard| shard.id == *id)
    }
}
