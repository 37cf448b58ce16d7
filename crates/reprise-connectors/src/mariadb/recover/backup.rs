//! Backups made by `mariadb-backup`: where they are, and where each ends in
//! the binary log.

use std::fs;
use std::path::{Path, PathBuf};

use reprise_model::{Fault, Timestamp};
use serde::{Deserialize, Serialize};

use super::binlog::{LogFile, number, read_folder};
use super::cut::{Cut, beyond, cut, second, too_late};
use crate::shared::copy::Inventory;

/// What a server of MariaDB 10.11 makes for itself, in bytes: a redo log of
/// 96 MiB, and temporary tables.
const OF_A_SERVER: u64 = 112 << 20;

/// Which backup a scratch was built from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BackupId {
    pub uuid: String,
    pub log: String,
    pub position: u64,
}

#[derive(Clone, Debug)]
pub struct Backup {
    pub folder: PathBuf,
    pub id: BackupId,
    /// The newest transaction of each domain that it holds.
    pub gtids: Vec<String>,
    /// What the data files must be read with.
    pub settings: Vec<(String, String)>,
}

/// A backup and what of the binary log brings it to T.
#[derive(Clone, Debug)]
pub struct Source {
    pub backup: Backup,
    pub files: Vec<LogFile>,
    pub cut: Cut,
}

impl Source {
    /// The newest backup that ends before `target`.
    pub fn find(base: &Path, binlog: &Path, target: Timestamp) -> Result<Self, Fault> {
        let mut backups = backups(base)?;
        backups.sort_by_key(|backup| (number(&backup.id.log), backup.id.position));
        let mut refused = Fault::refused(format!("{} holds no backup", base.display())).hint(
            "the folder that `mariadb-backup --target-dir` wrote, or a folder of such folders",
        );
        for backup in backups.into_iter().rev() {
            let position = backup.id.position;
            match read_folder(binlog, &backup.id.log) {
                Err(fault) => refused = fault,
                Ok(files) => {
                    match beyond(&files, position).or_else(|| too_late(&files, position, target)) {
                        Some(fault) => refused = fault,
                        None => {
                            let cut = cut(&files, position, target)?;
                            return Ok(Self { backup, files, cut });
                        }
                    }
                }
            }
        }
        Err(refused)
    }

    /// Bytes that the recovered shard takes in scratch: the backup, the log of
    /// its own server, and what is replayed, which is logged once more and may
    /// have to be copied to be read.
    pub fn scratch_bytes(&self) -> Result<u64, Fault> {
        let folder = &self.backup.folder;
        let backup = Inventory::all(folder, Path::new("")).map_err(|error| {
            Fault::refused(format!("cannot read {}: {error}", folder.display()))
        })?;
        let replayed = self.files.iter().take(self.cut.files).map(|file| file.end);
        Ok(backup.bytes + OF_A_SERVER + 2 * replayed.sum::<u64>())
    }

    /// When the log was last written to. What came after its last file was
    /// ended is in another one, and what came after a transaction that it does
    /// not hold to the end is in none: neither is here.
    pub fn written(&self) -> Option<Timestamp> {
        let last = self.files.last();
        let ended = last.and_then(|last| last.rotated.or(last.torn));
        let written = self.files.iter().filter_map(|file| file.written).max();
        ended.map(second).or(written)
    }

    /// The newest transaction of each domain at the end of the whole log.
    pub fn newest(&self) -> Vec<String> {
        let all = self.files.iter().enumerate().flat_map(|(at, file)| {
            let groups = file.groups.iter();
            groups.filter(move |group| at > 0 || group.offset >= self.cut.from)
        });
        let mut newest = self.backup.gtids.clone();
        for group in all {
            let gtid = group.gtid.to_string();
            match newest
                .iter_mut()
                .find(|known| domain(known) == domain(&gtid))
            {
                Some(known) => *known = gtid,
                None => newest.push(gtid),
            }
        }
        newest
    }
}

pub fn domain(gtid: &str) -> &str {
    gtid.split('-').next().unwrap_or(gtid)
}

pub fn gtids(list: &str) -> Vec<String> {
    let parts = list.split(',').map(str::trim);
    parts
        .filter(|gtid| !gtid.is_empty())
        .map(str::to_owned)
        .collect()
}

/// A note of the backup tool, whose name changed with version 11.
fn note(folder: &Path, name: &str) -> Option<String> {
    ["mariadb_backup_", "xtrabackup_"]
        .iter()
        .find_map(|prefix| fs::read_to_string(folder.join(format!("{prefix}{name}"))).ok())
}

fn backups(base: &Path) -> Result<Vec<Backup>, Fault> {
    if note(base, "info").is_some() {
        return Ok(vec![read(base)?]);
    }
    let entries = fs::read_dir(base)
        .map_err(|error| Fault::refused(format!("cannot read {}: {error}", base.display())))?;
    let folders = entries.flatten().map(|entry| entry.path());
    let (mut usable, mut refused) = (Vec::new(), None);
    for folder in folders.filter(|folder| note(folder, "info").is_some()) {
        match read(&folder) {
            Ok(backup) => usable.push(backup),
            // Such as an increment beside its full backup.
            Err(fault) => refused = Some(fault),
        }
    }
    match refused.filter(|_| usable.is_empty()) {
        Some(fault) => Err(fault),
        None => Ok(usable),
    }
}

fn read(folder: &Path) -> Result<Backup, Fault> {
    let what = |what: &str| Fault::refused(format!("the backup in {}: {what}", folder.display()));
    let info = note(folder, "info").unwrap_or_default();
    for (key, wrong) in [
        ("incremental", "Y"),
        ("compressed", "compressed"),
        ("partial", "Y"),
    ] {
        if value(&info, key) == Some(wrong) {
            return Err(what(&format!("it is {key}"))
                .hint("combine or unpack it first: a full, plain backup is needed"));
        }
    }
    let end = note(folder, "binlog_info").ok_or_else(|| {
        what("it does not say where it ends in the binary log")
            .hint("was the binary log switched off (`log_bin`)?")
    })?;
    let mut fields = end.trim().split('\t');
    let (log, position) = (fields.next(), fields.next().and_then(|at| at.parse().ok()));
    let (Some(log), Some(position)) = (log, position) else {
        return Err(what("its place in the binary log cannot be read"));
    };
    let settings = fs::read_to_string(folder.join("backup-my.cnf")).unwrap_or_default();
    let settings = [
        "innodb_data_file_path",
        "innodb_page_size",
        "innodb_undo_tablespaces",
    ]
    .into_iter()
    .filter_map(|key| Some((key.to_owned(), value(&settings, key)?.to_owned())));
    Ok(Backup {
        folder: folder.to_owned(),
        id: BackupId {
            uuid: value(&info, "uuid").unwrap_or_default().to_owned(),
            log: log.to_owned(),
            position,
        },
        gtids: gtids(fields.next().unwrap_or_default()),
        settings: settings.collect(),
    })
}

/// `key = value` of a note.
fn value<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .find(|(name, _)| name.trim() == key)
        .map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup(folder: &Path, info: &str, end: &str) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("xtrabackup_info"), info).unwrap();
        fs::write(folder.join("xtrabackup_binlog_info"), end).unwrap();
        fs::write(
            folder.join("backup-my.cnf"),
            "[mysqld]\ninnodb_page_size=16384\n",
        )
        .unwrap();
    }

    #[test]
    fn a_backup_tells_where_it_ends() {
        let root = tempfile::tempdir().unwrap();
        backup(
            &root.path().join("b1"),
            "uuid = u-1\nincremental = N\n",
            "bin.000002\t536\t0-1-4,1-1-9\n",
        );
        let found = backups(root.path()).unwrap().remove(0);
        assert_eq!(
            (
                found.id.uuid.as_str(),
                found.id.log.as_str(),
                found.id.position
            ),
            ("u-1", "bin.000002", 536)
        );
        assert_eq!(found.gtids, ["0-1-4", "1-1-9"]);
        assert_eq!(
            found.settings,
            [("innodb_page_size".to_owned(), "16384".to_owned())]
        );
        assert_eq!(backups(&root.path().join("b1")).unwrap().len(), 1);
    }

    #[test]
    fn an_increment_beside_its_full_backup_does_not_hide_it() {
        let root = tempfile::tempdir().unwrap();
        let end = "bin.000001\t4\t\n";
        backup(
            &root.path().join("full"),
            "uuid = u-1\nincremental = N\n",
            end,
        );
        backup(
            &root.path().join("since"),
            "uuid = u-2\nincremental = Y\n",
            end,
        );
        let found = backups(root.path()).unwrap();
        let found: Vec<&str> = found.iter().map(|found| found.id.uuid.as_str()).collect();
        assert_eq!(found, ["u-1"]);
    }

    #[test]
    fn a_log_that_goes_on_elsewhere_was_not_written_when_its_file_was() {
        let root = tempfile::tempdir().unwrap();
        backup(
            root.path(),
            "uuid = u\nincremental = N\n",
            "bin.000001\t4\t\n",
        );
        let copied = Timestamp::from_micros(900_000_000);
        let written = |rotated: Option<i64>, torn: Option<i64>| {
            let file = LogFile {
                path: "bin.000001".into(),
                name: "bin.000001".to_owned(),
                begun: 5,
                follows: None,
                groups: Vec::new(),
                rotated,
                torn,
                end: 4,
                written: Some(copied),
            };
            let source = Source {
                backup: read(root.path()).unwrap(),
                cut: cut(std::slice::from_ref(&file), 4, copied).unwrap(),
                files: vec![file],
            };
            source.written()
        };
        assert_eq!(written(None, None), Some(copied));
        assert_eq!(written(Some(60), None), Some(second(60)));
        assert_eq!(written(None, Some(70)), Some(second(70)));
    }

    #[test]
    fn an_incremental_backup_is_refused() {
        let root = tempfile::tempdir().unwrap();
        backup(
            root.path(),
            "uuid = u\nincremental = Y\n",
            "bin.000001\t4\t\n",
        );
        let fault = backups(root.path()).unwrap_err();
        assert!(fault.message.contains("incremental"), "{}", fault.message);
    }
}
