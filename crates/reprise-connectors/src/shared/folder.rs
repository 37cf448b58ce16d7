//! The scratch folder of one shard at one moment.
//!
//! ```text
//! <store>-<shard>-<T>/
//!   lock           held by the coordinator that works here
//!   marker.json    what is in it, and whether it is complete
//!   data/ ...      what the kind of store puts there
//! ```
//! A folder without our marker is never deleted.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::marker::PhantomData;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use reprise_model::{Fault, FaultKind, Timestamp};
use rustix::fs::{FlockOperation, flock};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::room;

/// A disk with less room in bytes takes no more messages.
const WORDS: u64 = 1 << 20;
const LOCK: &str = "lock";
const MARKER: &str = "marker.json";
/// The next marker, while it is written.
const DRAFT: &str = "marker.json.new";
/// The marker of a folder whose content is being deleted.
const RETIRED: &str = "marker.old";

/// Version of `marker.json`.
const VERSION: u32 = 1;

/// What a scratch folder holds: built from the backup `B`, and what a resumed
/// run needs to know of it once it is whole, `R`. No secrets in here.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Marker<B, R> {
    pub version: u32,
    pub target_time: Timestamp,
    pub backup: B,
    /// Scratch runs without fsync: after a restart of the machine its files
    /// cannot be trusted.
    pub boot_id: String,
    pub state: State<R>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State<R> {
    Building,
    Ready(Box<R>),
}

impl<B, R> Marker<B, R> {
    pub fn building(target_time: Timestamp, backup: B) -> Self {
        Self {
            version: VERSION,
            target_time,
            backup,
            boot_id: boot_id(),
            state: State::Building,
        }
    }

    /// Whether the folder can be used as it is.
    pub fn ready(&self, target_time: Timestamp) -> Option<&R> {
        match &self.state {
            State::Ready(ready)
                if self.version == VERSION
                    && self.target_time == target_time
                    && self.boot_id == boot_id() =>
            {
                Some(ready)
            }
            State::Ready(_) | State::Building => None,
        }
    }
}

/// Changes with every start of the machine.
fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

/// A scratch folder that is ours until this value is dropped.
#[derive(Debug)]
pub struct Folder<B, R> {
    path: PathBuf,
    /// Holds the lock.
    lock: File,
    holds: PhantomData<fn() -> Marker<B, R>>,
}

impl<B, R> Folder<B, R>
where
    B: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
{
    /// Takes the folder, which is made if need be; refused while another
    /// coordinator works in it.
    pub fn take(path: &Path) -> Result<Self, Fault> {
        fs::create_dir_all(path).map_err(|error| refuse("create", path, &error))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o711))
            .map_err(|error| refuse("protect", path, &error))?;
        Self::take_existing(path)?
            .ok_or_else(|| Fault::temporary(format!("{} went away", path.display())))
    }

    /// The same, but absent where there is no such folder.
    pub fn take_existing(path: &Path) -> Result<Option<Self>, Fault> {
        if !path.exists() {
            return Ok(None);
        }
        let place = path.join(LOCK);
        let mut lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&place)
            .map_err(|error| refuse("open", &place, &error))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut pid = String::new();
            let _ = lock.read_to_string(&mut pid);
            return Err(Fault::refused(format!(
                "another coordinator (process {}) works in {}",
                pid.trim(),
                path.display()
            ))
            .hint("wait for it, or end it; its finished work is used again"));
        }
        // A release in another process may have deleted the file just before
        // we locked it.
        let same = fs::metadata(&place)
            .and_then(|there| Ok((there.ino(), lock.metadata()?.ino())))
            .is_ok_and(|(there, ours)| there == ours);
        if !same {
            return Err(Fault::temporary(format!("{} went away", path.display())));
        }
        let pid = std::process::id().to_string();
        lock.set_len(0)
            .and_then(|()| lock.write_all(pid.as_bytes()))
            .map_err(|error| refuse("write", &place, &error))?;
        Ok(Some(Self {
            path: path.to_owned(),
            lock,
            holds: PhantomData,
        }))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    pub fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    pub fn marker(&self) -> Option<Marker<B, R>> {
        read_marker(&self.path)
    }

    /// Durable when it returns: it claims that the rest is there.
    pub fn write_marker(&self, marker: &Marker<B, R>) -> Result<(), Fault> {
        let place = self.path.join(MARKER);
        let draft = self.path.join(DRAFT);
        let text = serde_json::to_vec_pretty(marker).expect("a marker is plain data");
        File::create(&draft)
            .and_then(|mut file| {
                file.write_all(&text)?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&draft, &place))
            .map_err(|error| refuse("write", &place, &error))
    }

    /// Deletes everything but the lock and a sign that the folder is ours.
    /// Refused for a folder that holds something and has no such sign.
    ///
    /// The marker is retired first, by a rename that even a full disk allows:
    /// a folder that is half deleted must never look ready.
    pub fn wipe(&self) -> Result<(), Fault> {
        let (marker, retired) = (self.path.join(MARKER), self.path.join(RETIRED));
        if marker.exists() {
            fs::rename(&marker, &retired).map_err(|error| refuse("rename", &marker, &error))?;
        }
        let ours = retired.exists();
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if name == LOCK || name == RETIRED {
                continue;
            }
            let path = entry.path();
            if !ours && name != DRAFT {
                return Err(Fault::refused(format!(
                    "{} holds `{}` and no marker of ours; it is left alone",
                    self.path.display(),
                    name.to_string_lossy()
                ))
                .hint("name another scratch folder, or empty this one"));
            }
            remove(&path).map_err(|error| refuse("delete", &path, &error))?;
        }
        Ok(())
    }

    /// What a recovery that broke off tells, given what its programs said. A
    /// full disk is not left full: what is unfinished is deleted.
    pub fn explain(&self, fault: Fault, said: &str) -> Fault {
        let free = room::free_space(&self.path).unwrap_or(u64::MAX);
        // On a full disk a program's last words may not have found room either.
        let no_words =
            matches!(fault.kind, FaultKind::Temporary | FaultKind::Permanent) && free < WORDS;
        let told = [said, &fault.message].into_iter().any(room::is_missed);
        if fault.kind == FaultKind::Cancelled || !told && !no_words {
            return fault;
        }
        let unfinished = self
            .marker()
            .is_some_and(|marker| matches!(marker.state, State::Building));
        if unfinished && let Err(fault) = self.wipe() {
            tracing::warn!(%fault, "the scratch folder was not emptied");
        }
        room::no_space(&self.path, None, free)
    }

    /// Deletes the folder. The sign that it is ours goes last, so that a
    /// deletion that was cut off can be repeated.
    pub fn delete(self) -> Result<(), Fault> {
        self.wipe()?;
        for name in [RETIRED, LOCK] {
            let path = self.path.join(name);
            remove(&path).map_err(|error| refuse("delete", &path, &error))?;
        }
        fs::remove_dir(&self.path).map_err(|error| refuse("delete", &self.path, &error))?;
        drop(self.lock);
        Ok(())
    }
}

/// Looks without taking the folder.
pub fn read_marker<B, R>(folder: &Path) -> Option<Marker<B, R>>
where
    B: DeserializeOwned,
    R: DeserializeOwned,
{
    let text = fs::read(folder.join(MARKER)).ok()?;
    serde_json::from_slice(&text).ok()
}

fn remove(path: &Path) -> std::io::Result<()> {
    let gone = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match gone {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn refuse(doing: &str, path: &Path, error: &std::io::Error) -> Fault {
    let fault = Fault::refused(format!("cannot {doing} {}: {error}", path.display()));
    room::explain(path.parent().unwrap_or(path), fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Folder = super::Folder<String, u32>;

    fn marker() -> Marker<String, u32> {
        Marker::building(Timestamp::from_micros(1), "7".to_owned())
    }

    #[test]
    fn a_second_coordinator_is_refused_with_the_first_ones_pid() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("s");
        let held = Folder::take(&path).unwrap();
        let fault = Folder::take(&path).unwrap_err();
        let pid = std::process::id().to_string();
        assert!(fault.message.contains(&pid), "{}", fault.message);
        drop(held);
        assert!(Folder::take(&path).is_ok());
    }

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("thesis.txt"), "years of work").unwrap();
        let fault = Folder::take(root.path()).unwrap().delete().unwrap_err();
        assert!(fault.message.contains("thesis.txt"), "{}", fault.message);
        assert!(root.path().join("thesis.txt").exists());
    }

    #[test]
    fn a_marked_folder_is_deleted_and_the_marker_survives_a_round_trip() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("s");
        let folder = Folder::take(&path).unwrap();
        folder.write_marker(&marker()).unwrap();
        fs::create_dir(folder.data()).unwrap();
        assert_eq!(folder.marker(), Some(marker()));
        folder.delete().unwrap();
        assert!(!path.exists());
        assert_eq!(Folder::take_existing(&path).unwrap().map(|_| ()), None);
    }

    #[test]
    fn a_wiped_folder_is_ours_still_and_never_looks_ready() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::take(&root.path().join("s")).unwrap();
        folder.write_marker(&marker()).unwrap();
        folder.wipe().unwrap();
        assert_eq!(folder.marker(), None);
        fs::create_dir(folder.data()).unwrap();
        folder.wipe().unwrap();
        assert!(!folder.data().exists());
        folder.delete().unwrap();
        assert!(!root.path().join("s").exists());
    }

    #[test]
    fn only_a_ready_marker_of_this_boot_and_moment_is_used() {
        let mut marker = marker();
        assert_eq!(marker.ready(Timestamp::from_micros(1)), None);
        marker.state = State::Ready(Box::new(5));
        assert!(marker.ready(Timestamp::from_micros(1)).is_some());
        assert_eq!(marker.ready(Timestamp::from_micros(2)), None);
        marker.boot_id = "another".into();
        assert_eq!(marker.ready(Timestamp::from_micros(1)), None);
    }
}
