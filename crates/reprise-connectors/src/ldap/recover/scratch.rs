//! What `recover` leaves: `state.ldif`, the directory at T, and a manifest
//! that is renamed into place when the state is whole. Both hold for one T and
//! one pair of sources; readable by their owner alone, for the sake of the
//! passwords in it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use reprise_model::{Fault, FaultKind, Outcome, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ldap::ldif;
use crate::ldap::tree::Tree;
use crate::shared::room;

const STATE: &str = "state.ldif";
const MANIFEST: &str = "manifest.json";
const VERSION: u32 = 2;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Manifest {
    pub version: u32,
    pub target_time: Timestamp,
    pub snapshots: PathBuf,
    pub changes: PathBuf,
    pub entries: usize,
    pub outcome: Outcome,
}

/// The scratch folder of one shard at one moment.
#[derive(Clone, Debug)]
pub struct Scratch {
    pub folder: PathBuf,
    pub target: Timestamp,
    pub snapshots: PathBuf,
    pub changes: PathBuf,
}

impl Scratch {
    /// Absent where nothing is, or something of another T or place.
    pub fn manifest(&self) -> Option<Manifest> {
        let text = fs::read(self.folder.join(MANIFEST)).ok()?;
        let manifest: Manifest = serde_json::from_slice(&text).ok()?;
        let fits = manifest.version == VERSION
            && manifest.target_time == self.target
            && manifest.snapshots == self.snapshots
            && manifest.changes == self.changes;
        fits.then_some(manifest)
    }

    pub fn write(&self, tree: &Tree, outcome: &Outcome) -> Result<(), Fault> {
        let manifest = Manifest {
            version: VERSION,
            target_time: self.target,
            snapshots: self.snapshots.clone(),
            changes: self.changes.clone(),
            entries: tree.len(),
            outcome: outcome.clone(),
        };
        let text = serde_json::to_vec_pretty(&manifest).expect("a manifest is plain data");
        self.put(tree, &text)
            .map_err(|error| room::explain(&self.folder, self.fault("write", &error)))
    }

    fn put(&self, tree: &Tree, manifest: &[u8]) -> io::Result<()> {
        // The folder above is for all stores, some of other accounts.
        if let Some(root) = self.folder.parent() {
            fs::create_dir_all(root)?;
        }
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&self.folder)?;
        remove(&self.folder.join(MANIFEST))?;
        replace(&self.folder.join(STATE), |file| {
            let mut out = BufWriter::new(file);
            for entry in tree.entries() {
                ldif::write(entry, &mut out)?;
            }
            out.flush()
        })?;
        replace(&self.folder.join(MANIFEST), |file| file.write_all(manifest))?;
        File::open(&self.folder)?.sync_all()
    }

    pub fn read(&self) -> Result<Tree, Fault> {
        let manifest = self.manifest().ok_or_else(|| {
            Fault::temporary(format!("{} holds no state of T", self.folder.display()))
        })?;
        let place = self.folder.join(STATE);
        let text = fs::read_to_string(&place).map_err(|error| self.fault("read", &error))?;
        let tree = ldif::parse(&text).and_then(Tree::of);
        let tree = tree.map_err(|why| self.fault("read", &why))?;
        match tree.len() == manifest.entries {
            true => Ok(tree),
            false => Err(self.fault("read", &"it has fewer entries than were written")),
        }
    }

    /// The manifest goes first: what is half deleted is nothing.
    pub fn delete(&self) -> Result<(), Fault> {
        for name in [MANIFEST, STATE] {
            let path = self.folder.join(name);
            let draft = draft(&path);
            let gone = remove(&path).and_then(|()| remove(&draft));
            gone.map_err(|error| self.fault("delete", &error))?;
        }
        match fs::remove_dir(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.fault("delete", &error))
            }
            _ => Ok(()),
        }
    }

    fn fault(&self, doing: &str, why: &impl std::fmt::Display) -> Fault {
        let message = format!("cannot {doing} {}: {why}", self.folder.display());
        Fault::new(FaultKind::Refused, message)
    }
}

fn draft(path: &Path) -> PathBuf {
    path.with_extension("new")
}

fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let draft = draft(path);
    remove(&draft)?;
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    write(&mut file)?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
