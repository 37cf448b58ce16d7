//! Liveness by a lock on `<database>.<run>.lock`.
//!
//! The kernel drops the lock when the process that took it ends, however it
//! ends, so a lock that is held means a coordinator that is alive. The file
//! itself means nothing: one left behind by a crash is taken over.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A look from [`is_held`] holds the lock for microseconds, and a killed
/// process needs a moment until its files are closed: a claim waits that out.
const TRIES: u32 = 10;
const BETWEEN: Duration = Duration::from_millis(20);

pub(super) struct RunLock {
    path: PathBuf,
    file: File,
}

impl RunLock {
    /// None when somebody alive holds it.
    pub(super) async fn take(database: &Path, run: &str) -> io::Result<Option<Self>> {
        let path = lock_path(database, run);
        for _ in 0..TRIES {
            if let Some(file) = try_take(&path)? {
                return Ok(Some(Self { path, file }));
            }
            tokio::time::sleep(BETWEEN).await;
        }
        Ok(None)
    }

    /// Removes the file while the lock on it is still held: whoever opened it
    /// meanwhile notices that it is no longer the one at the path.
    pub(super) fn give_up(self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a lock file stays behind");
        }
        drop(self.file);
    }
}

fn try_take(path: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    match file.try_lock() {
        Ok(()) if is_at(&file, path) => Ok(Some(file)),
        Ok(()) | Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether the open file is still the one that others would open.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(theirs)) => (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()),
        _ => false,
    }
}

/// Whether a coordinator holds the run. A lock that may not be looked at is
/// taken for one that is held: to wait is harmless, to interfere is not.
pub(super) fn is_held(database: &Path, run: &str) -> bool {
    match File::open(lock_path(database, run)) {
        Ok(file) => file.try_lock_shared().is_err(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// A run's name may hold anything; a file's name may not.
fn lock_path(database: &Path, run: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".");
    for byte in run.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => {
                name.push(char::from(byte).to_string());
            }
            other => name.push(format!("%{other:02x}")),
        }
    }
    name.push(".lock");
    PathBuf::from(name)
}
