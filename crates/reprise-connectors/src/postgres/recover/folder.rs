//! What the scratch folder of one shard holds, besides the lock and the marker:
//! `data/ tablespaces/ wal/ postgresql.conf pg_hba.conf log requests`.

use std::path::{Path, PathBuf};

use reprise_model::Outcome;
use serde::{Deserialize, Serialize};

use super::lsn::Lsn;
use crate::shared::folder;

pub use crate::shared::folder::State;

pub type Folder = folder::Folder<BackupId, Ready>;
pub type Marker = folder::Marker<BackupId, Ready>;

/// All that a resumed run needs to know about a finished recovery.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Ready {
    pub replayed_to: Lsn,
    pub superuser: String,
    pub database: String,
    pub settings: Vec<(String, String)>,
    pub outcome: Outcome,
}

/// Which backup it was built from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BackupId {
    pub system_id: String,
    pub start: Lsn,
    pub major: u32,
}

impl Folder {
    /// Written by the restore command: the files that it was asked for.
    pub fn requests(&self) -> PathBuf {
        self.path().join("requests")
    }
}

/// Looks without taking the folder.
pub fn read_marker(folder: &Path) -> Option<Marker> {
    folder::read_marker(folder)
}
