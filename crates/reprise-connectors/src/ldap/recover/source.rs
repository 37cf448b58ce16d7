//! The files that a directory's past is kept in: snapshots and the change log.

use std::fs;
use std::path::{Path, PathBuf};

use reprise_model::{Fault, Timestamp};

use super::change::Change;
use crate::ldap::csn::Csn;
use crate::ldap::entry::Entry;
use crate::ldap::ldif;
use crate::ldap::tree::Tree;

/// A snapshot, whose moment is measured from what is in it.
pub struct Snapshot {
    pub path: PathBuf,
    pub newest: Csn,
    pub tree: Tree,
}

/// Snapshots whose newest change is not after T, the newest first. The others
/// are counted, and what could not be read is told.
pub struct Snapshots {
    pub usable: Vec<Snapshot>,
    pub oldest_after: Option<Timestamp>,
    pub unreadable: Vec<String>,
}

impl Snapshots {
    pub fn read(folder: &Path, target: Timestamp) -> Result<Self, Fault> {
        let mut found = Self {
            usable: Vec::new(),
            oldest_after: None,
            unreadable: Vec::new(),
        };
        for path in files(folder)? {
            match snapshot(&path) {
                Ok(Some(one)) if one.newest.time <= target => found.usable.push(one),
                Ok(Some(one)) => {
                    let oldest = found.oldest_after.get_or_insert(one.newest.time);
                    *oldest = one.newest.time.min(*oldest);
                }
                Ok(None) => {}
                Err(why) => found.unreadable.push(format!("{}: {why}", path.display())),
            }
        }
        found.usable.sort_by(|a, b| b.newest.cmp(&a.newest));
        Ok(found)
    }
}

/// `None` for a file of the change log, which may lie in the same folder.
fn snapshot(path: &Path) -> Result<Option<Snapshot>, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let entries = ldif::parse(&text)?;
    let is_log = |entry: &Entry| entry.has("objectClass", "auditContainer");
    if entries.iter().any(is_log) {
        return Ok(None);
    }
    // What is cut off leaves no other trace: its entries are just not there.
    ldif::ends_whole(&text)?;
    if let Some(torn) = entries.iter().find(|entry| entry.csn().is_none()) {
        return Err(format!("`{}` has no entryCSN", torn.dn));
    }
    let tree = Tree::of(entries)?;
    let newest = tree.newest().ok_or("it holds no entryCSN")?;
    Ok(Some(Snapshot {
        path: path.to_owned(),
        newest,
        tree,
    }))
}

/// One slapcat of the change log.
struct Log {
    /// It holds every change after this one, up to its newest.
    after: Csn,
    changes: Vec<Change>,
}

/// All changes of which there is a log, and how far they go without a gap.
pub struct Changes {
    logs: Vec<Log>,
}

impl Changes {
    pub fn read(place: &Path) -> Result<Self, Fault> {
        let paths = match place.is_dir() {
            true => files(place)?,
            false => vec![place.to_owned()],
        };
        let mut logs = Vec::new();
        for path in paths {
            let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
            let log = read_log(&text).map_err(|why| unreadable(&path, &why))?;
            logs.extend(log);
        }
        if logs.is_empty() {
            let message = format!("{} holds no change log", place.display());
            return Err(Fault::refused(message)
                .hint("write one by `slapcat -b` with the suffix of the log's database"));
        }
        logs.sort_by(|a, b| a.after.cmp(&b.after));
        Ok(Self { logs })
    }

    /// The changes from a snapshot on, each once and in order, as far as the
    /// logs go on from it without a gap; and those before it, back to a gap.
    pub fn since(self, start: &Csn) -> Result<Vec<Change>, Fault> {
        let mut covered: Option<Csn> = None;
        let mut beyond = None;
        let mut all = Vec::new();
        for log in self.logs {
            let reached = covered.as_ref().max(Some(start));
            if reached.is_some_and(|reached| log.after > *reached) {
                beyond = beyond.or(Some(log.after));
                continue;
            }
            // What older logs leave out is in the snapshot.
            if covered.as_ref().is_some_and(|covered| log.after > *covered) {
                all.clear();
            }
            let changes = log.changes.iter().map(|change| change.csn.clone());
            covered = changes.chain(covered).max().or(Some(log.after));
            all.extend(log.changes);
        }
        if all.is_empty()
            && let Some(first) = beyond
        {
            return Err(Fault::refused(format!(
                "the change log begins at {} and the snapshot ends at {}: what happened in between is lost",
                first.time, start.time
            ))
            .hint("take snapshots more often than the log is purged (`logpurge`)"));
        }
        all.sort_by(|a, b| a.csn.cmp(&b.csn));
        all.dedup_by(|a, b| a.csn == b.csn && a.uuid == b.uuid);
        Ok(all)
    }
}

/// The root of the log says by `minCSN` from where on it is whole. `None` for
/// a file that is no log.
fn read_log(text: &str) -> Result<Option<Log>, String> {
    let entries = ldif::parse_raw(text)?;
    let root = entries.iter().find(|entry| {
        let classes = entry.lines.iter();
        classes
            .filter(|(name, _)| name.eq_ignore_ascii_case("objectClass"))
            .any(|(_, value)| value.eq_ignore_ascii_case(b"auditContainer"))
    });
    let Some(root) = root else {
        return Ok(None);
    };
    let mut changes = Vec::new();
    for entry in &entries {
        changes.extend(Change::read(entry)?);
    }
    // One for each server: before the latest of them something can be missing.
    let told = root
        .all("minCSN")
        .filter_map(|text| std::str::from_utf8(text).ok());
    let told = told.filter_map(Csn::parse).max();
    let first = changes.iter().map(|change| change.csn.clone()).min();
    let after = told.or(first);
    Ok(after.map(|after| Log { after, changes }))
}

/// The files of a folder, by name.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let entries = fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "ldif"))
        .collect();
    paths.sort();
    Ok(paths)
}

fn unreadable(path: &Path, why: &impl std::fmt::Display) -> Fault {
    Fault::refused(format!("{} cannot be read: {why}", path.display()))
}
