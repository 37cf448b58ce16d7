//! What the connector must know about a store, with everything resolved.

use std::path::PathBuf;
use std::sync::Arc;

use reprise_model::{ShardId, StoreId};
use reprise_ports::CallSite;

/// Renders a template over a site; says what is wrong with it.
pub type Render = Arc<dyn Fn(&str, &CallSite) -> Result<String, String> + Send + Sync>;

#[derive(Clone)]
pub struct FolderConfig {
    pub store: StoreId,
    pub shards: Vec<FolderShard>,
    /// Template of a site's folder.
    pub folder: Option<String>,
    pub render: Render,
    /// Shards without a scratch folder of their own use this one.
    pub scratch_root: PathBuf,
}

#[derive(Clone, Debug)]
pub struct FolderShard {
    pub id: ShardId,
    /// Absent in a drill, which has no way to production.
    pub live: Option<PathBuf>,
    pub past: Past,
    pub scratch: Option<PathBuf>,
}

/// Where copies of the tree are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Past {
    Folders(PathBuf),
    Restic {
        repository: PathBuf,
        password_file: PathBuf,
        host: Option<String>,
        /// The tree inside of the snapshots; the path of live where absent.
        path: Option<PathBuf>,
    },
}

impl FolderConfig {
    pub fn shard(&self, id: &ShardId) -> Option<&FolderShard> {
        self.shards.iter().find(|shard| shard.id == *id)
    }
}
