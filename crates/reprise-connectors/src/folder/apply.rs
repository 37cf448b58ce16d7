//! `restore`: a site's folder as it was at T.
//!
//! **Crash.** There is no transaction over files. Each goes to its state by a
//! rename, and what is left to do follows from comparing again: no mark is
//! needed. Before anything is written, all that would be a refusal is known.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use reprise_model::Fault;

use super::copy;
use super::manifest::Entry;
use super::names::at;
use super::options::Options;
use super::past::Above;
use super::tree::{Node, What, cannot, durable};
use super::watch::{Watch, each};
use super::work::{Differences, OWNER, blocked, sample};
use crate::shared::found::Found;
use crate::shared::policy::{CreatedAfter, OnConflict};

/// How many things were changed.
pub fn apply(
    found: &Differences<'_>,
    copy: &Path,
    root: &Path,
    above: &[(PathBuf, Option<Above>)],
    options: &Options,
    watch: &Watch,
) -> Result<u64, Fault> {
    let todo: Vec<(&Entry, Option<&Node>)> = todo(found, options);
    let (folders, others): (Vec<_>, Vec<_>) = todo
        .iter()
        .partition(|(entry, _)| entry.node.what == What::Folder);
    if !todo.is_empty() {
        for (place, as_was) in above {
            copy::above(place, as_was.as_ref())?;
        }
    }
    for (entry, over) in &folders {
        watch.go_on()?;
        real(root, &entry.path)?;
        let place = at(root, &entry.path);
        match over.filter(|over| over.what == What::Folder) {
            // Its owner and mode alone; they are given at the end.
            Some(_) => {}
            None => copy::make(entry, &at(copy, &entry.path), &place, *over, watch)?,
        }
    }
    each(&others, options.concurrent, watch, |(entry, over)| {
        real(root, &entry.path)?;
        let place = at(root, &entry.path);
        copy::make(entry, &at(copy, &entry.path), &place, *over, watch)
    })?;
    let mut removed = 0;
    if options.created_after == CreatedAfter::Remove {
        removed = (found.created.len() + found.new_folders.len()) as u64;
        remove(&found.created, root)?;
        remove_folders(&found.new_folders, root)?;
    }
    // Those within others first: a folder may forbid to look into it.
    let unfinished = found.unfinished.iter().copied();
    let mut modes: Vec<&Entry> = folders
        .iter()
        .map(|(entry, _)| *entry)
        .chain(unfinished)
        .collect();
    modes.sort_unstable_by(|a, b| b.path.cmp(&a.path));
    for entry in &modes {
        let place = at(root, &entry.path);
        copy::own(entry.node.owner, &place)?;
        let mode = Permissions::from_mode(entry.node.mode);
        fs::set_permissions(&place, mode)
            .map_err(|error| cannot("give its mode to", &place, &error))?;
    }
    // Also what an attempt brought back that was cut off before it came here.
    if let Some(above) = root.ancestors().skip(1).find(|above| above.is_dir()) {
        durable(above)?;
    }
    Ok(todo.len() as u64 + removed + found.unfinished.len() as u64)
}

fn todo<'a>(found: &Differences<'a>, options: &Options) -> Vec<(&'a Entry, Option<&'a Node>)> {
    let mut todo: Vec<(&Entry, Option<&Node>)> =
        found.missing.iter().map(|entry| (*entry, None)).collect();
    if options.on_conflict == OnConflict::Replace {
        todo.extend(
            found
                .other
                .iter()
                .map(|(entry, now, _)| (*entry, Some(*now))),
        );
    }
    todo.sort_unstable_by(|a, b| a.0.path.cmp(&b.0.path));
    todo
}

/// What stands above a path within the site must be folders: nothing is
/// written through a link, which may lead to a neighbour.
fn real(root: &Path, path: &Path) -> Result<(), Fault> {
    for above in path.ancestors().skip(1) {
        let place = at(root, above);
        let told =
            fs::symlink_metadata(&place).map_err(|error| cannot("look at", &place, &error))?;
        if !told.is_dir() {
            let place = place.display();
            return Err(Fault::temporary(format!("{place} is no folder any more")));
        }
    }
    Ok(())
}

fn remove(created: &[&Path], root: &Path) -> Result<(), Fault> {
    for path in created {
        real(root, path)?;
        let place = at(root, path);
        match fs::remove_file(&place) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(cannot("remove", &place, &error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Those that are empty by now: what somebody put there since is theirs.
fn remove_folders(folders: &[&Path], root: &Path) -> Result<(), Fault> {
    for path in folders.iter().rev() {
        real(root, path)?;
        let place = at(root, path);
        match fs::remove_dir(&place) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {
                let place = place.display();
                return Err(Fault::temporary(format!("{place} was filled meanwhile")));
            }
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(cannot("remove", &place, &error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a restore would change something, or refuse.
pub fn left(found: &Differences<'_>, options: &Options) -> bool {
    let other = !found.other.is_empty() && options.on_conflict != OnConflict::Keep;
    let created = !found.created.is_empty() || !found.new_folders.is_empty();
    let created = created && options.created_after == CreatedAfter::Remove;
    !found.missing.is_empty() || !found.unfinished.is_empty() || other || created
}

pub fn refuse(found: &Differences<'_>, options: &Options, end: &str) -> Result<(), Fault> {
    let blocked: Vec<&PathBuf> = blocked(found);
    if let (Some(first), true) = (blocked.first(), options.on_conflict != OnConflict::Keep) {
        return Err(Fault::refused(format!(
            "{end}: folders stand in {} places where files were at T, such as `{}`",
            blocked.len(),
            super::names::text(first)
        ))
        .hint("move them away: a folder is never emptied"));
    }
    if options.on_conflict != OnConflict::Refuse || found.other.is_empty() {
        return Ok(());
    }
    let mut samples = Found::default();
    for (entry, _, what) in &found.other {
        samples.add(sample(entry, what));
    }
    Err(Fault::refused(format!(
        "{end}: {} live files are not those of T: {}",
        samples.count,
        samples.samples.join(", ")
    ))
    .hint(match found.other.iter().all(|(_, _, what)| *what == OWNER) {
        true => "`with: { owners: leave }` is for copies that were made without owners; `on_conflict: replace` gives the files to whom the copy says",
        false => "`with: { on_conflict: replace }` brings those of T back, `keep` leaves them",
    }))
}
