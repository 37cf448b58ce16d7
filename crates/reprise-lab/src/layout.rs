//! Where things lie in a lab's folder.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::Error;

/// Marks a folder as a lab's, so that nothing else is ever removed.
const MARKER: &str = ".reprise-lab";

/// All that a lab writes; what `--purge` may remove.
const OURS: [&str; 15] = [
    "clusters",
    "backups",
    "oracle",
    "scratch",
    "lab.json",
    "estate.yaml",
    "env",
    "ledger.jsonl",
    "accident.json",
    "deleted.txt",
    "servers",
    "secret",
    "diary.jsonl",
    "then.json",
    "dark.txt",
];

#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// An existing lab, or the place for a new one.
    pub fn at(dir: &Path) -> Result<Self, Error> {
        let root = std::path::absolute(dir).map_err(Error::io("find", dir))?;
        Ok(Self { root })
    }

    /// Claims the folder: an absent or empty one, or one that was claimed before.
    pub fn claim(&self) -> Result<(), Error> {
        fs::create_dir_all(&self.root).map_err(Error::io("create", &self.root))?;
        let marker = self.root.join(MARKER);
        let mut entries = fs::read_dir(&self.root).map_err(Error::io("read", &self.root))?;
        if !marker.exists() && entries.next().is_some() {
            return Err(Error::NotOurs(self.root.clone()));
        }
        fs::write(
            &marker,
            "A lab of reprise; `reprise-lab down --purge` removes it.\n",
        )
        .map_err(Error::io("write", &marker))
    }

    pub fn is_claimed(&self) -> bool {
        self.root.join(MARKER).exists()
    }

    /// Removes what a lab wrote, and the folder if nothing else is in it.
    pub fn purge(&self) -> Result<(), Error> {
        for name in OURS {
            let path = self.root.join(name);
            let removed = match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&path),
                Ok(_) => fs::remove_file(&path),
                Err(_) => Ok(()),
            };
            removed.map_err(Error::io("remove", &path))?;
        }
        let marker = self.root.join(MARKER);
        fs::remove_file(&marker).map_err(Error::io("remove", &marker))?;
        // Somebody may keep plans or reports here: then the folder stays.
        let _ = fs::remove_dir(&self.root);
        Ok(())
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn cluster(&self, name: &str) -> PathBuf {
        self.root.join("clusters").join(name)
    }

    pub fn backup(&self, name: &str) -> PathBuf {
        self.root.join("backups").join(name)
    }

    pub fn oracle(&self, name: &str) -> PathBuf {
        self.root.join("oracle").join(name)
    }

    pub fn manifest(&self) -> PathBuf {
        self.root.join("lab.json")
    }

    pub fn estate(&self) -> PathBuf {
        self.root.join("estate.yaml")
    }

    pub fn env(&self) -> PathBuf {
        self.root.join("env")
    }

    /// What the layers' servers keep.
    pub fn services(&self) -> PathBuf {
        self.root.join("servers")
    }

    pub fn service(&self, name: &str) -> PathBuf {
        self.services().join(name)
    }

    /// The password of all servers, and nothing else in the file.
    pub fn secret(&self) -> PathBuf {
        self.root.join("secret")
    }

    pub fn read_secret(&self) -> Result<String, Error> {
        let path = self.secret();
        fs::read_to_string(&path).map_err(Error::io("read", &path))
    }

    pub fn diary(&self) -> PathBuf {
        self.root.join("diary.jsonl")
    }

    /// What the sites of the accident had at the target time.
    pub fn then(&self) -> PathBuf {
        self.root.join("then.json")
    }

    /// Hosts that do not answer, one a line.
    pub fn dark(&self) -> PathBuf {
        self.root.join("dark.txt")
    }

    pub fn ledger(&self) -> PathBuf {
        self.root.join("ledger.jsonl")
    }

    pub fn accident(&self) -> PathBuf {
        self.root.join("accident.json")
    }

    pub fn deleted(&self) -> PathBuf {
        self.root.join("deleted.txt")
    }
}

/// Writes a file so that a reader sees the old or the new one, never half.
pub fn replace(path: &Path, text: &str) -> Result<(), Error> {
    let draft = path.with_extension("draft");
    fs::write(&draft, text).map_err(Error::io("write", &draft))?;
    fs::rename(&draft, path).map_err(Error::io("write", path))
}

/// Writes a file that nobody else may read, in place of any that was there.
pub fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    // A file from before may have been opened up since.
    let _ = fs::remove_file(path);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(Error::io("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_somebody_else_is_neither_claimed_nor_purged() {
        let dir = tempfile::tempdir().unwrap();
        let theirs = dir.path().join("thesis.txt");
        fs::write(&theirs, "years of work").unwrap();
        let layout = Layout::at(dir.path()).unwrap();
        assert!(matches!(layout.claim(), Err(Error::NotOurs(_))));

        let lab = Layout::at(&dir.path().join("lab")).unwrap();
        lab.claim().unwrap();
        lab.claim().unwrap();
        fs::write(lab.root().join("report.html"), "kept").unwrap();
        fs::write(lab.manifest(), "{}").unwrap();
        lab.purge().unwrap();
        assert!(!lab.manifest().exists());
        assert!(lab.root().join("report.html").exists() && theirs.exists());
    }
}
