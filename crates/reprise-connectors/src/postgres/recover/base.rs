//! Base backups: what `pg_basebackup` left, and from when on it can be used.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use reprise_model::{Fault, Timestamp};

use super::lsn::Lsn;
use super::zone;

/// One base backup in plain format.
#[derive(Clone, PartialEq, Debug)]
pub struct Base {
    pub path: PathBuf,
    pub major: u32,
    pub timeline: u32,
    /// Replay begins here.
    pub start: Lsn,
    /// No moment before this one can be reached: replay is only consistent
    /// after the backup's end.
    pub stop_time: Timestamp,
    /// What `stop_time` was read from.
    pub stop_source: String,
    pub label: String,
}

/// All base backups at `base`, the newest first: the folder itself, or the
/// folders in it.
pub fn find(base: &Path, wal: &Path) -> Result<Vec<Base>, Fault> {
    let mut folders = vec![base.to_owned()];
    if !base.join("PG_VERSION").exists() {
        folders = fs::read_dir(base)
            .map_err(|error| {
                Fault::permanent(format!(
                    "cannot read the backup {}: {error}",
                    base.display()
                ))
            })?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.join("PG_VERSION").exists())
            .collect();
    }
    if folders.is_empty() {
        return Err(Fault::permanent(format!(
            "{} holds no base backup: there is no PG_VERSION in it or in a folder of it",
            base.display()
        ))
        .hint(
            "`base` takes what `pg_basebackup --format=plain` wrote, or a folder of such folders",
        ));
    }
    let mut found = folders
        .iter()
        .map(|folder| read(folder, wal))
        .collect::<Result<Vec<_>, _>>()?;
    found.sort_by_key(|base| std::cmp::Reverse(base.stop_time));
    Ok(found)
}

/// The newest backup that ended at or before `target`.
pub fn choose(found: &[Base], target: Timestamp) -> Result<&Base, Fault> {
    found
        .iter()
        .find(|base| base.stop_time <= target)
        .ok_or_else(|| {
            let earliest = found.last().expect("find returns at least one");
            Fault::refused(format!(
                "the target time {target} is before the backup's end: {} ended at {} ({})",
                earliest.path.display(),
                earliest.stop_time,
                earliest.stop_source
            ))
            .hint(format!(
                "the earliest moment that can be reached is `--at {}`; or name an older backup",
                earliest.stop_time
            ))
        })
}

fn read(folder: &Path, wal: &Path) -> Result<Base, Fault> {
    let at = |what: &str| Fault::permanent(format!("the backup {} {what}", folder.display()));
    let version = fs::read_to_string(folder.join("PG_VERSION"))
        .map_err(|error| at(&format!("cannot be read: {error}")))?;
    let major = version
        .trim()
        .parse()
        .map_err(|_| at("has a PG_VERSION that is not a number"))?;
    let label = fs::read_to_string(folder.join("backup_label")).map_err(|_| {
        at("has no backup_label").hint(
            "without it PostgreSQL would start from a wrong place; take the backup with pg_basebackup",
        )
    })?;
    let field = |name: &str| field(&label, name);
    let start = field("START WAL LOCATION")
        .and_then(|text| text.split(' ').next()?.parse().ok())
        .ok_or_else(|| at("has a backup_label without START WAL LOCATION"))?;
    let timeline = field("START TIMELINE")
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| at("has a backup_label without START TIMELINE"))?;
    let (stop_time, stop_source) =
        stop_time(folder, wal, &label).ok_or_else(|| at("does not tell when it ended"))?;
    Ok(Base {
        path: folder.to_owned(),
        major,
        timeline,
        start,
        stop_time,
        stop_source,
        label: field("LABEL").unwrap_or_default().to_owned(),
    })
}

/// When the backup ended: from the history file that the server archived
/// right then, else from when the backup's last file was written.
fn stop_time(folder: &Path, wal: &Path, label: &str) -> Option<(Timestamp, String)> {
    if let Some(file) = history_file(wal, label) {
        let text = fs::read_to_string(&file).ok()?;
        let name = file.file_name()?.to_string_lossy().into_owned();
        let stop = field(&text, "STOP TIME")?;
        // An abbreviation may not tell its offset; the file was written at
        // that very moment.
        return match zone::parse(stop) {
            Some(stop) => Some((stop, format!("STOP TIME in {name}"))),
            None => Some((modified(&file)?, format!("the time of {name}"))),
        };
    }
    let manifest = folder.join("backup_manifest");
    let last = match manifest.exists() {
        true => manifest,
        false => folder.join("backup_label"),
    };
    let name = last.file_name()?.to_string_lossy().into_owned();
    Some((modified(&last)?, format!("the time of {name}")))
}

/// `<segment>.<offset>.backup` in the archive, of the same backup: another
/// one, even of another server, may have begun at the same place.
fn history_file(wal: &Path, label: &str) -> Option<PathBuf> {
    let same = |text: &str| {
        ["START WAL LOCATION", "START TIME", "LABEL"]
            .iter()
            .all(|name| field(text, name) == field(label, name))
    };
    fs::read_dir(wal)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "backup"))
        .find(|path| fs::read_to_string(path).is_ok_and(|text| same(&text)))
}

/// A line `NAME: value` of a label.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        .map(str::trim)
}

/// When a file was last written.
pub fn modified(path: &Path) -> Option<Timestamp> {
    let time = fs::metadata(path).ok()?.modified().ok()?;
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::default().saturating_add(since))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(stop: &str) -> Base {
        Base {
            path: PathBuf::from(format!("/backups/{stop}")),
            major: 15,
            timeline: 1,
            start: Lsn(0x200_0028),
            stop_time: stop.parse().unwrap(),
            stop_source: "STOP TIME".into(),
            label: "nightly".into(),
        }
    }

    #[test]
    fn the_newest_backup_that_ended_in_time_is_taken() {
        let all = [base("2026-03-02T00:00:00Z"), base("2026-03-01T00:00:00Z")];
        let check = |target: &str, expect: Option<usize>| {
            let chosen = choose(&all, target.parse().unwrap());
            assert_eq!(chosen.ok(), expect.map(|ix| &all[ix]), "{target}");
        };
        check("2026-03-03T00:00:00Z", Some(0));
        check("2026-03-02T00:00:00Z", Some(0));
        check("2026-03-01T23:59:59.999999Z", Some(1));
        check("2026-02-28T00:00:00Z", None);
    }

    #[test]
    fn too_early_a_moment_names_the_earliest() {
        let fault = choose(
            &[base("2026-03-01T00:00:00Z")],
            "2026-02-01T00:00:00Z".parse().unwrap(),
        )
        .unwrap_err();
        assert!(
            fault.hint.unwrap().contains("--at 2026-03-01T00:00:00Z"),
            "{}",
            fault.message
        );
    }
}
