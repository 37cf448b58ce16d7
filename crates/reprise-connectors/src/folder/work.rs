//! In what a site's live folder differs from its manifest.

use std::path::{Path, PathBuf};

use reprise_model::{Fault, Volume};

use super::copy::may_give;
use super::manifest::Entry;
use super::names::at;
use super::tree::{self, Node, Tree, What};
use super::watch::{Watch, each};
use crate::shared::policy::OnConflict;

#[derive(Debug, Default)]
pub struct Differences<'a> {
    /// What the manifest has: files and links, and their bytes.
    pub expected: Volume,
    pub live: Volume,
    pub missing: Vec<&'a Entry>,
    /// With the live node that is another one.
    pub other: Vec<(&'a Entry, &'a Node, &'static str)>,
    /// Below something that is kept in place of a folder.
    pub hidden: u64,
    /// Not there at T: files, links and the like.
    pub created: Vec<&'a Path>,
    /// Folders that were not there at T, before what is in them.
    pub new_folders: Vec<&'a Path>,
    /// Neither the copy nor live has the site's folder.
    pub nothing: bool,
    /// Folders of ours that were not given their mode yet.
    pub unfinished: Vec<&'a Entry>,
}

fn volume<'a>(nodes: impl Iterator<Item = &'a Node>) -> Volume {
    let mut volume = Volume::default();
    for node in nodes {
        match node.what {
            What::Folder => {}
            What::File { size } => {
                volume.rows += 1;
                volume.bytes += size;
            }
            What::Link { .. } => volume.rows += 1,
        }
    }
    volume
}

impl<'a> Differences<'a> {
    pub fn find(
        manifest: &'a [Entry],
        live: &'a Tree,
        root: &Path,
        on_conflict: OnConflict,
        threads: usize,
        watch: &Watch,
    ) -> Result<Self, Fault> {
        let mut found = Self {
            expected: volume(manifest.iter().map(|entry| &entry.node)),
            live: volume(live.values()),
            nothing: manifest.is_empty() && live.is_empty(),
            ..Self::default()
        };
        let mut known: Vec<&Path> = manifest.iter().map(|entry| entry.path.as_path()).collect();
        known.sort_unstable();
        let created = live
            .iter()
            .filter(|(path, _)| known.binary_search(&path.as_path()).is_err());
        for (path, node) in created {
            match node.what {
                What::Folder => found.new_folders.push(path),
                What::File { .. } | What::Link { .. } => found.created.push(path),
            }
        }
        let mut kept: Vec<&Path> = Vec::new();
        let mut compared = Vec::new();
        for entry in manifest {
            if kept.iter().any(|above| entry.path.starts_with(above)) {
                found.hidden += 1;
                continue;
            }
            match live.get(&entry.path) {
                None => found.missing.push(entry),
                Some(now) => {
                    let folder = entry.node.what == What::Folder;
                    if folder && now.what != What::Folder && on_conflict == OnConflict::Keep {
                        // Nothing may be written through what stands there: a
                        // link may lead to a neighbour.
                        kept.push(&entry.path);
                    }
                    compared.push((entry, now));
                }
            }
        }
        let told = each(&compared, threads, watch, |(entry, now)| {
            difference(entry, now, &at(root, &entry.path), watch)
        })?;
        for ((entry, now), told) in compared.into_iter().zip(told) {
            match told {
                Told::Same => {}
                Told::Unfinished => found.unfinished.push(entry),
                Told::Other(what) => found.other.push((entry, now, what)),
            }
        }
        Ok(found)
    }
}

/// The mode that a folder has while things are put into it. Where that is
/// another than its own it has the sticky bit, too, which tells it from one that
/// somebody opened for writing.
pub fn while_filled(mode: u32) -> u32 {
    match mode & 0o700 {
        0o700 => mode,
        _ => mode | 0o1700,
    }
}

enum Told {
    Same,
    /// A folder of ours that was not given its mode yet.
    Unfinished,
    Other(&'static str),
}

pub const OWNER: &str = "owner";

fn difference(entry: &Entry, now: &Node, place: &Path, watch: &Watch) -> Result<Told, Fault> {
    let then = &entry.node;
    let found = match (&then.what, &now.what) {
        (What::Folder, What::Folder) if then.mode == now.mode => None,
        (What::Folder, What::Folder) if now.mode == while_filled(then.mode) => {
            return Ok(Told::Unfinished);
        }
        (What::Folder, What::Folder) => Some("mode"),
        (What::Link { to }, What::Link { to: other }) => (to != other).then_some("target"),
        (What::File { size }, What::File { size: other }) => {
            let same =
                size == other && entry.sha256 == Some(tree::digest(place, watch, |_| Ok(()))?);
            match same {
                false => Some("bytes"),
                // Not every file system keeps fractions of a second.
                true => (then.mode != now.mode || then.modified.0 != now.modified.0)
                    .then_some("mode or time"),
            }
        }
        (What::Folder | What::File { .. } | What::Link { .. }, _) => Some("type"),
    };
    // Who cannot give things away does not ask whose they are.
    let owner = || (may_give() && then.owner != now.owner).then_some(OWNER);
    Ok(match found.or_else(owner) {
        None => Told::Same,
        Some(what) => Told::Other(what),
    })
}

/// What live has in the way, as samples show it.
pub fn sample(entry: &Entry, what: &str) -> String {
    format!("`{}` ({what})", super::names::text(&entry.path))
}

/// A folder where a file or a link was: it would have to be emptied first.
pub fn blocked<'a>(found: &Differences<'a>) -> Vec<&'a PathBuf> {
    let blocked = found
        .other
        .iter()
        .filter(|(entry, now, _)| now.what == What::Folder && entry.node.what != What::Folder);
    blocked.map(|(entry, _, _)| &entry.path).collect()
}
