//! Copies a backup into scratch, fast, and never touches the backup.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// How many files are copied at the same time: enough to hide the latency of
/// a network disk, few enough to leave room for others.
const COPIERS: usize = 4;

/// Folders whose content PostgreSQL makes anew.
const TRANSIENT: [&str; 7] = [
    "pg_dynshmem",
    "pg_notify",
    "pg_replslot",
    "pg_serial",
    "pg_snapshots",
    "pg_stat_tmp",
    "pg_subtrans",
];

/// Files of the original that must not speak in scratch: its configuration
/// may archive into the real archive, and its signals may start another
/// kind of recovery.
const LEFT_OUT: [&str; 8] = [
    "postmaster.pid",
    "postmaster.opts",
    "postgresql.auto.conf",
    "postgresql.conf",
    "recovery.signal",
    "standby.signal",
    "tablespace_map",
    "backup_manifest",
];

/// Shared between the copying threads and whoever watches them.
#[derive(Debug, Default)]
pub struct Watch {
    pub bytes: AtomicU64,
    pub stop: AtomicBool,
}

/// What there is to copy.
#[derive(Debug, Default)]
pub struct Inventory {
    folders: Vec<PathBuf>,
    files: Vec<(PathBuf, PathBuf)>,
    links: Vec<(PathBuf, PathBuf)>,
    pub bytes: u64,
}

impl Inventory {
    /// Lists a folder, all of it.
    pub fn all(from: &Path, to: &Path) -> io::Result<Self> {
        let mut inventory = Self::default();
        inventory.folders.push(to.to_owned());
        // No folder is its top: nothing has a meaning of its own.
        inventory.walk(Path::new(""), from, to)?;
        Ok(inventory)
    }

    /// Lists PostgreSQL's base backup, with its tablespaces put under `tablespaces`.
    pub fn of(base: &Path, data: &Path, tablespaces: &Path) -> io::Result<Self> {
        let mut inventory = Self::default();
        inventory.walk(base, base, data)?;
        inventory.folders.push(tablespaces.to_owned());
        for entry in read_dir_or_none(&base.join("pg_tblspc"))? {
            let from = fs::canonicalize(entry.path())?;
            let to = tablespaces.join(entry.file_name());
            inventory.walk(&from, &from, &to)?;
            let link = data.join("pg_tblspc").join(entry.file_name());
            inventory.links.push((to, link));
        }
        Ok(inventory)
    }

    fn walk(&mut self, root: &Path, from: &Path, to: &Path) -> io::Result<()> {
        self.folders.push(to.to_owned());
        let top = root == from;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let name = entry.file_name();
            let text = name.to_string_lossy();
            if top && LEFT_OUT.contains(&text.as_ref()) {
                continue;
            }
            // pg_wal may be a link to another disk; its content is wanted.
            let metadata = fs::metadata(entry.path())?;
            let target = to.join(&name);
            if !metadata.is_dir() {
                self.bytes += metadata.len();
                self.files.push((entry.path(), target));
            } else if top && (TRANSIENT.contains(&text.as_ref()) || text == "pg_tblspc") {
                self.folders.push(target);
            } else {
                self.walk(root, &entry.path(), &target)?;
            }
        }
        Ok(())
    }

    /// Copies all of it; ends early when the watch says so.
    pub fn copy(&self, watch: &Watch) -> io::Result<()> {
        for folder in &self.folders {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        for (target, link) in &self.links {
            symlink(target, link)?;
        }
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let copiers: Vec<_> = (0..COPIERS)
                .map(|_| scope.spawn(|| self.copy_files(&next, watch)))
                .collect();
            copiers
                .into_iter()
                .try_for_each(|copier| copier.join().expect("a copier does not panic"))
        })
    }

    fn copy_files(&self, next: &AtomicUsize, watch: &Watch) -> io::Result<()> {
        while let Some((from, to)) = self.files.get(next.fetch_add(1, Ordering::Relaxed)) {
            if watch.stop.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            // The kernel copies, and shares blocks where the disk can.
            match fs::copy(from, to) {
                Ok(bytes) => watch.bytes.fetch_add(bytes, Ordering::Relaxed),
                Err(error) => {
                    watch.stop.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            };
        }
        Ok(())
    }
}

fn read_dir_or_none(path: &Path) -> io::Result<Vec<fs::DirEntry>> {
    match fs::read_dir(path) {
        Ok(entries) => entries.collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_copied_without_what_must_not_speak() {
        let root = tempfile::tempdir().unwrap();
        let (base, data) = (root.path().join("base"), root.path().join("data"));
        let elsewhere = root.path().join("elsewhere");
        for folder in ["base/1", "pg_tblspc", "pg_replslot/old"] {
            fs::create_dir_all(base.join(folder)).unwrap();
        }
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join("5"), "in a tablespace").unwrap();
        symlink(&elsewhere, base.join("pg_tblspc/16384")).unwrap();
        for file in ["base/1/42", "PG_VERSION", "postgresql.auto.conf"] {
            fs::write(base.join(file), "x").unwrap();
        }
        let watch = Watch::default();
        let tablespaces = root.path().join("tablespaces");
        let inventory = Inventory::of(&base, &data, &tablespaces).unwrap();
        inventory.copy(&watch).unwrap();
        assert!(data.join("base/1/42").exists());
        assert!(!data.join("postgresql.auto.conf").exists());
        assert!(data.join("pg_replslot").exists() && !data.join("pg_replslot/old").exists());
        let link = fs::read_link(data.join("pg_tblspc/16384")).unwrap();
        assert_eq!(link, tablespaces.join("16384"));
        assert!(link.join("5").exists());
        assert_eq!(watch.bytes.load(Ordering::Relaxed), inventory.bytes);
    }
}
