//! One thing put in its place: beside it first, then renamed.

use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, lchown, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reprise_model::Fault;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::manifest::Entry;
use super::names::{self, temporary};
use super::past::Above;
use super::tree::{self, Node, What, cannot};
use super::watch::Watch;
use super::work::while_filled;

/// Makes `entry` at `place`, from `from` in the copy of T, in place of what is
/// there, which must be `over` still.
pub fn make(
    entry: &Entry,
    from: &Path,
    place: &Path,
    over: Option<&Node>,
    watch: &Watch,
) -> Result<(), Fault> {
    let draft = temporary(place);
    let made = draw(entry, from, &draft, watch).and_then(|()| put(&draft, place, over));
    if made.is_err() {
        // The first fault is the one to tell; what is left is cleared by the next restore.
        let _ = fs::remove_file(&draft).or_else(|_| fs::remove_dir(&draft));
    }
    made
}

fn draw(entry: &Entry, from: &Path, draft: &Path, watch: &Watch) -> Result<(), Fault> {
    let node = &entry.node;
    let broken = |error: std::io::Error| cannot("write", draft, &error);
    match &node.what {
        What::Folder => {
            fs::create_dir(draft).map_err(broken)?;
            own(node.owner, draft)?;
            let mode = Permissions::from_mode(while_filled(node.mode));
            fs::set_permissions(draft, mode).map_err(broken)
        }
        What::Link { to } => {
            let to =
                names::path(to).ok_or_else(|| Fault::permanent("a manifest with an odd link"))?;
            symlink(to, draft).map_err(broken)?;
            own(node.owner, draft)
        }
        What::File { .. } => {
            let mut file = File::options();
            let file = file.write(true).create_new(true).mode(0o600);
            let mut file = file.open(draft).map_err(broken)?;
            let digest = tree::digest(from, watch, |piece| file.write_all(piece))?;
            if entry.sha256.as_ref() != Some(&digest) {
                return Err(Fault::permanent(format!(
                    "{}: the copy of T is not what it was when its manifest was made",
                    from.display()
                )));
            }
            own(node.owner, draft)?;
            let mode = Permissions::from_mode(node.mode);
            file.set_permissions(mode).map_err(broken)?;
            file.set_modified(moment(node.modified)).map_err(broken)
        }
    }
}

/// Only root may give things away.
pub fn may_give() -> bool {
    rustix::process::geteuid().is_root()
}

pub fn own((user, group): (u32, u32), place: &Path) -> Result<(), Fault> {
    if !may_give() {
        return Ok(());
    }
    lchown(place, Some(user), Some(group)).map_err(|error| cannot("give away", place, &error))
}

/// A folder above a site's, for all sites that come: as the copy has it, or as
/// the system makes it where the copy does not say. One that is there is left.
pub fn above(place: &Path, as_was: Option<&Above>) -> Result<(), Fault> {
    let draft = temporary(place);
    let broken = |error: std::io::Error| cannot("make", place, &error);
    let made = fs::create_dir(&draft).map_err(broken).and_then(|()| {
        if let Some(as_was) = as_was {
            own(as_was.owner, &draft)?;
            let mode = Permissions::from_mode(as_was.mode);
            fs::set_permissions(&draft, mode).map_err(broken)?;
        }
        put(&draft, place, None)
    });
    if made.is_ok() {
        return Ok(());
    }
    let _ = fs::remove_dir(&draft);
    // Another site's restore was faster.
    match fs::symlink_metadata(place).is_ok_and(|told| told.is_dir()) {
        true => Ok(()),
        false => made,
    }
}

fn moment((seconds, nanoseconds): (i64, i64)) -> SystemTime {
    let fraction = Duration::from_nanos(nanoseconds.unsigned_abs());
    let whole = Duration::from_secs(seconds.unsigned_abs());
    match seconds < 0 {
        true => UNIX_EPOCH - whole + fraction,
        false => UNIX_EPOCH + whole + fraction,
    }
}

fn put(draft: &Path, place: &Path, over: Option<&Node>) -> Result<(), Fault> {
    let busy = || Fault::temporary(format!("{} was changed meanwhile", place.display()));
    let broken = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => busy(),
        _ => cannot("rename to", place, &error),
    };
    let Some(over) = over else {
        return match renameat_with(CWD, draft, CWD, place, RenameFlags::NOREPLACE) {
            // Not every file system can: then the instant in between is left.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                match fs::symlink_metadata(place) {
                    Ok(_) => Err(busy()),
                    Err(_) => fs::rename(draft, place).map_err(broken),
                }
            }
            renamed => renamed.map_err(|error| broken(error.into())),
        };
    };
    let now = fs::symlink_metadata(place).map_err(|error| cannot("look at", place, &error))?;
    if (now.ctime(), now.ctime_nsec()) != over.changed {
        return Err(busy());
    }
    let folder = fs::symlink_metadata(draft).is_ok_and(|draft| draft.is_dir());
    if folder && over.what != What::Folder {
        fs::remove_file(place).map_err(broken)?;
    }
    fs::rename(draft, place).map_err(broken)
}
