//! What stands below a folder. Links are told, never followed.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use reprise_model::Fault;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::names::{at, is_temporary, text};
use super::watch::Watch;

const PIECE: usize = 256 << 10;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    Folder,
    File {
        size: u64,
    },
    /// Where it points, as text of `names`.
    Link {
        to: String,
    },
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Node {
    pub what: What,
    pub mode: u32,
    pub owner: (u32, u32),
    /// Seconds and nanoseconds.
    pub modified: (i64, i64),
    /// Of the inode, by the clock of the machine that holds it: no program sets it.
    #[serde(skip)]
    pub changed: (i64, i64),
}

/// By path, folders before what is in them. The folder itself has the empty path.
pub type Tree = BTreeMap<PathBuf, Node>;

/// A folder of live. Nothing where it is not there; `leftovers` gets what a
/// restore that was cut off left behind.
pub fn read(root: &Path, watch: &Watch, leftovers: &mut Vec<PathBuf>) -> Result<Tree, Fault> {
    walk(root, watch, leftovers, |_| true)
}

/// A folder of a copy, of which nothing may go away while it is read. What a
/// restore left behind in live may have been copied: it is nobody's.
pub fn read_copy(root: &Path, watch: &Watch) -> Result<Tree, Fault> {
    walk(root, watch, &mut Vec::new(), |path| {
        path.as_os_str().is_empty()
    })
}

/// `may_be_gone` says of which paths it does not matter.
fn walk(
    root: &Path,
    watch: &Watch,
    leftovers: &mut Vec<PathBuf>,
    may_be_gone: impl Fn(&Path) -> bool,
) -> Result<Tree, Fault> {
    let mut tree = Tree::new();
    let mut todo = vec![PathBuf::new()];
    while let Some(path) = todo.pop() {
        watch.go_on()?;
        let place = at(root, &path);
        let Some(node) = look(&place)? else {
            // Since its folder was read.
            if may_be_gone(&path) {
                continue;
            }
            return Err(Fault::temporary(format!("{} went away", place.display())));
        };
        let folder = node.what == What::Folder;
        tree.insert(path.clone(), node);
        if !folder {
            continue;
        }
        let entries = fs::read_dir(&place).map_err(|error| cannot("read", &place, &error))?;
        for entry in entries {
            let name = entry
                .map_err(|error| cannot("read", &place, &error))?
                .file_name();
            match is_temporary(&name) {
                true => leftovers.push(at(root, &path.join(&name))),
                false => todo.push(path.join(&name)),
            }
        }
    }
    Ok(tree)
}

/// What stands at a place; `None` where nothing does.
pub fn look(place: &Path) -> Result<Option<Node>, Fault> {
    match fs::symlink_metadata(place) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        told => {
            let told = told.map_err(|error| cannot("look at", place, &error))?;
            node(place, &told).map(Some)
        }
    }
}

fn node(place: &Path, told: &Metadata) -> Result<Node, Fault> {
    let kind = told.file_type();
    let what = if kind.is_dir() {
        What::Folder
    } else if kind.is_file() {
        What::File { size: told.len() }
    } else if kind.is_symlink() {
        let to = fs::read_link(place).map_err(|error| cannot("read", place, &error))?;
        What::Link { to: text(&to) }
    } else {
        return Err(Fault::refused(format!(
            "{} is a device, a socket or a pipe, which is not brought back",
            place.display()
        )));
    };
    Ok(Node {
        what,
        mode: told.mode() & 0o7777,
        owner: (told.uid(), told.gid()),
        modified: (told.mtime(), told.mtime_nsec()),
        changed: (told.ctime(), told.ctime_nsec()),
    })
}

/// The SHA-256 of a file, piece by piece; each piece is handed on.
pub fn digest(
    place: &Path,
    watch: &Watch,
    mut piece: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<String, Fault> {
    let broken = |error: io::Error| cannot("read", place, &error);
    let mut file = fs::File::open(place).map_err(broken)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; PIECE];
    loop {
        watch.go_on()?;
        let read = file.read(&mut buffer).map_err(broken)?;
        if read == 0 {
            break;
        }
        digest.update(&buffer[..read]);
        piece(&buffer[..read]).map_err(|error| cannot("write beside", place, &error))?;
        watch.bytes.fetch_add(read as u64, Ordering::Relaxed);
    }
    watch.files.fetch_add(1, Ordering::Relaxed);
    let bytes = digest.finalize();
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// All that was written to the file system of a folder is on its disk.
pub fn durable(folder: &Path) -> Result<(), Fault> {
    fs::File::open(folder)
        .and_then(|folder| rustix::fs::syncfs(&folder).map_err(Into::into))
        .map_err(|error| cannot("make durable", folder, &error))
}

/// What the system said about a place. That a disk is full, or only to be
/// read, or that we may not, does not pass by itself.
pub fn cannot(doing: &str, place: &Path, error: &io::Error) -> Fault {
    let message = format!("cannot {doing} {}: {error}", place.display());
    match error.kind() {
        ErrorKind::Interrupted
        | ErrorKind::TimedOut
        | ErrorKind::StaleNetworkFileHandle
        | ErrorKind::NotFound => Fault::temporary(message),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Fault::permanent(message).hint("make room where the tree is, then `reprise retry`")
        }
        _ => Fault::permanent(message),
    }
}
