//! Where a shard's past comes from: the backup chosen for a target time, and
//! the stretch of log that leads there. Found out before anything is copied.

use std::path::{Path, PathBuf};

use reprise_model::{Backup, Fault, Timestamp};
use reprise_pgserver::{Account, Installation};

use super::archive::{Archive, Stretch};
use super::base::{self, Base};
use super::control::Control;
use super::copy::Inventory;
use super::fault;
use super::folder::BackupId;
use super::lsn::Lsn;
use super::pgbackrest::{self, Repository};
use crate::postgres::PostgresConfig;

/// Space for what a scratch server writes besides the backup: replayed
/// segments that are not recycled yet, sort files, the log.
const MARGIN: u64 = 256 << 20;

/// The log that a scratch server keeps on disk at most before it recycles.
const KEPT_LOG: u64 = 4 << 30;

/// A backup, and how to get from it to the target.
#[derive(Debug)]
pub struct Source {
    pub id: BackupId,
    pub label: String,
    pub stop_time: Timestamp,
    pub timeline: u32,
    pub segment_size: u64,
    /// Settings of the primary that a standby may not go below.
    pub limits: Vec<(String, u64)>,
    /// Where the log ends, where that can be told beforehand.
    pub end: Option<Lsn>,
    pub archived: Option<Timestamp>,
    pub base_bytes: u64,
    pub installation: Installation,
    pub origin: Origin,
}

/// Why there is no way to the target, and which check that belongs to.
#[derive(Debug)]
pub struct Obstacle {
    pub check: &'static str,
    pub fault: Fault,
}

impl Obstacle {
    pub fn at(check: &'static str) -> impl Fn(Fault) -> Self {
        move |fault| Self { check, fault }
    }
}

impl From<Fault> for Obstacle {
    /// What belongs to no other check is wrong with the backup.
    fn from(fault: Fault) -> Self {
        Self {
            check: "backup",
            fault,
        }
    }
}

impl From<Obstacle> for Fault {
    fn from(obstacle: Obstacle) -> Self {
        obstacle.fault
    }
}

#[derive(Debug)]
pub enum Origin {
    Folder {
        base: Base,
        archive: Archive,
        stretch: Stretch,
    },
    PgBackRest(Repository),
}

impl Source {
    /// Finds the backup that reaches `target`. Reads, never writes.
    pub fn find(
        config: &PostgresConfig,
        backup: &Backup,
        target: Timestamp,
    ) -> Result<Self, Obstacle> {
        match backup {
            Backup::BaseBackup { base, wal } => Self::in_folder(config, base, wal, target),
            Backup::PgBackRest {
                stanza,
                config: file,
            } => pgbackrest::find(config, stanza, file.as_deref(), target),
            _ => Err(Obstacle {
                check: "backup",
                fault: Fault::permanent("a backup of another kind of store holds no PostgreSQL"),
            }),
        }
    }

    fn in_folder(
        config: &PostgresConfig,
        base: &Path,
        wal: &Path,
        target: Timestamp,
    ) -> Result<Self, Obstacle> {
        let found = base::find(base, wal)?;
        let base = base::choose(&found, target)
            .map_err(Obstacle::at("backup-reaches"))?
            .clone();
        let installation = installation(config, base.major).map_err(Obstacle::at("tools"))?;
        let control = Control::read(&installation, &base.path)?;
        let archive = Archive::read(wal, control.segment_size)?;
        let gap = Obstacle::at("wal-gap");
        let timeline = archive.timeline_at(&base, target).map_err(&gap)?;
        let stretch = archive.stretch(&base, timeline).map_err(&gap)?;
        archive.check_identity(&stretch, &control.system_id)?;
        let base_bytes = size_of(&base)?;
        Ok(Self {
            id: BackupId {
                system_id: control.system_id,
                start: base.start,
                major: base.major,
            },
            label: match base.label.is_empty() {
                true => base.path.display().to_string(),
                false => base.label.clone(),
            },
            stop_time: base.stop_time,
            timeline,
            segment_size: control.segment_size,
            limits: control.limits,
            end: Some(stretch.end),
            archived: stretch.archived,
            base_bytes,
            installation,
            origin: Origin::Folder {
                base,
                archive,
                stretch,
            },
        })
    }

    /// Bytes of log from the backup to the end.
    pub fn log_bytes(&self) -> u64 {
        self.end
            .map_or(0, |end| end.0.saturating_sub(self.id.start.0))
    }

    /// What the scratch folder may come to take.
    pub fn scratch_bytes(&self) -> u64 {
        self.base_bytes + self.log_bytes().min(KEPT_LOG) + MARGIN
    }

    /// The account for the scratch server: the one that owns the backup.
    pub fn account(&self, folder: &Path, temp: &Path) -> Result<Account, Fault> {
        let owner: PathBuf = match &self.origin {
            Origin::Folder { base, .. } => base.path.clone(),
            Origin::PgBackRest(repository) => repository.path.clone(),
        };
        let program = self.installation.bin().join("postgres");
        Account::for_folder(Some(&owner))
            .and_then(|account| {
                account.reaching(&[&folder.join("data"), &temp.join("socket"), &program])
            })
            .map_err(fault::permanent)
    }
}

fn size_of(base: &Base) -> Result<u64, Fault> {
    let nowhere = Path::new("/");
    Inventory::of(&base.path, nowhere, nowhere)
        .map(|inventory| inventory.bytes)
        .map_err(|error| {
            let place = base.path.display();
            Fault::permanent(format!("cannot list the backup {place}: {error}"))
        })
}

/// The installation that can open a cluster of this major version.
pub fn installation(config: &PostgresConfig, major: u32) -> Result<Installation, Fault> {
    let search = reprise_pgserver::SearchPath {
        explicit: config.pg_bin.clone(),
        deps: config.deps.clone(),
        path: config.path.clone(),
    };
    Installation::for_major(&search, major).map_err(fault::permanent)
}
