//! What a plan is compiled from. All of it is handed in: the crate looks
//! nothing up.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use reprise_model::{Estate, Runbook, ShardId, SiteId, SourceFile, StoreId, Timestamp, Volume};

use crate::learn::Lessons;

/// A site as the estate's list gives it: the column `id` and its attributes.
pub type SiteRow = BTreeMap<String, String>;

#[derive(Clone, Debug)]
pub struct CompileInput<'a> {
    pub estate: &'a Estate,
    pub estate_source: SourceFile,
    pub runbook: &'a Runbook,
    pub runbook_source: SourceFile,
    /// All sites as they were at the target time, in any order.
    pub sites: Vec<SiteRow>,
    pub selection: Selection,
    pub target_time: Timestamp,
    pub incident_time: Option<Timestamp>,
    pub drill: bool,
    /// What was found out about shards; may be empty.
    pub estimates: BTreeMap<(StoreId, ShardId), ShardEstimate>,
    /// What earlier runs taught about how long tasks take.
    pub learned: Option<&'a Lessons>,
    /// What selected ids are that turned out not to be sites, such as
    /// `apps.id`; may be empty.
    pub identified: BTreeMap<String, String>,
}

/// Which sites to restore.
#[derive(Clone, PartialEq, Debug)]
pub enum Selection {
    /// In this order.
    Ids(Vec<SelectedId>),
    /// Sites whose attributes equal all of these, ordered by id.
    Where(Vec<(String, String)>),
    /// Every site, ordered by id.
    All,
}

#[derive(Clone, PartialEq, Debug)]
pub struct SelectedId {
    pub id: SiteId,
    /// Where somebody wrote it, when that was a file.
    pub place: Option<Place>,
}

impl From<reprise_spec::SelectedId> for SelectedId {
    fn from(selected: reprise_spec::SelectedId) -> Self {
        let place = selected.place.map(|(file, line)| Place {
            file,
            line: u32::try_from(line).unwrap_or(u32::MAX),
        });
        Self {
            id: selected.id,
            place,
        }
    }
}

/// A line in a file that people write. Lines count from 1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    pub file: PathBuf,
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct ShardEstimate {
    /// What one site's slice has on average.
    pub per_site: Option<Volume>,
    /// Bytes that the recovered shard takes in scratch.
    pub scratch_bytes: Option<u64>,
    /// Sites on the shard's live end.
    pub live_sites: Option<u64>,
}
