//! What the connector must know about a store, with everything resolved.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reprise_model::{Events, ShardId, StoreId};
use reprise_ports::CallSite;
use secrecy::SecretString;

/// Renders a template over a site and further names; says what is wrong with it.
pub type Render =
    Arc<dyn Fn(&str, &CallSite, &BTreeMap<String, String>) -> Result<String, String> + Send + Sync>;

#[derive(Clone)]
pub struct EventsConfig {
    pub store: StoreId,
    pub events: Events,
    pub shards: Vec<EventsShard>,
    pub render: Render,
    /// Shards without a scratch folder of their own are indexed in here.
    pub scratch_root: PathBuf,
    /// Connections at most to each live end.
    pub live_connections: usize,
}

#[derive(Clone, Debug)]
pub struct EventsShard {
    pub id: ShardId,
    /// Absent in a drill, which has no way to production.
    pub live: Option<SecretString>,
    pub archive: Archive,
    pub scratch: Option<PathBuf>,
}

/// Where the recorded events are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Archive {
    /// Folder of segments.
    pub path: PathBuf,
    /// A second copy of them, from which gaps are filled.
    pub second: Option<PathBuf>,
}

impl Archive {
    pub(super) fn copies(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(self.path.as_path()).chain(self.second.as_deref())
    }
}

impl EventsConfig {
    pub fn shard(&self, id: &ShardId) -> Option<&EventsShard> {
        self.shards.iter().find(|shard| shard.id == *id)
    }
}
