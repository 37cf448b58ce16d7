//! What a site's files were at T: one file in scratch, made from the copy of T
//! and renamed into place when it is whole.

use std::path::{Path, PathBuf};

use reprise_model::{Fault, Timestamp};
use serde::{Deserialize, Serialize};

use super::names::{self, at, text};
use super::tree::{self, Node, What};
use super::watch::{Watch, each};
use crate::shared::lines;

const VERSION: u32 = 1;

/// What a manifest was made for; one of anything else is never used.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Of {
    pub version: u32,
    /// Where the copies are, and which of them it was.
    pub place: String,
    pub copy: String,
    pub folder: String,
    pub target: Timestamp,
}

impl Of {
    pub fn new(place: String, copy: &str, folder: &Path, target: Timestamp) -> Self {
        Self {
            version: VERSION,
            place,
            copy: copy.to_owned(),
            folder: text(folder),
            target,
        }
    }

    pub fn file(&self, scratch: &Path) -> PathBuf {
        scratch.join(format!("{}.jsonl", lines::file_name(&self.folder)))
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Line {
    path: String,
    node: Node,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Relative to the site's folder, which is the empty path.
    pub path: PathBuf,
    pub node: Node,
    /// Of a file.
    pub sha256: Option<String>,
}

/// The manifest in scratch, if it is whole and was made for `of`.
pub fn read(of: &Of, scratch: &Path) -> Option<Vec<Entry>> {
    let (head, all) = lines::read::<Of, Line>(&of.file(scratch))?;
    let entries = all.into_iter().map(|line| {
        Some(Entry {
            path: names::path(&line.path)?,
            node: line.node,
            sha256: line.sha256,
        })
    });
    let entries = entries.collect::<Option<Vec<Entry>>>()?;
    (head == *of).then_some(entries)
}

/// Reads the site's folder in the copy, all of it, and writes down what it is.
/// Folders come before what is in them. `stands` is the folder of the whole
/// copy, where that is one: a copy that is gone is no site without files.
pub fn make(
    of: &Of,
    copy: &Path,
    scratch: &Path,
    stands: Option<&Path>,
    threads: usize,
    watch: &Watch,
) -> Result<Vec<Entry>, Fault> {
    let tree = tree::read_copy(copy, watch)?;
    if let Some(stands) = stands {
        not_after(of, &tree)?;
        if tree.is_empty() {
            not_gone_after(of, copy, stands)?;
        }
    }
    let nodes: Vec<(PathBuf, Node)> = tree.into_iter().collect();
    let entries = each(&nodes, threads, watch, |(path, node)| {
        let sha256 = match node.what {
            What::File { .. } => Some(tree::digest(&at(copy, path), watch, |_| Ok(()))?),
            What::Folder | What::Link { .. } => None,
        };
        Ok(Entry {
            path: path.clone(),
            node: node.clone(),
            sha256,
        })
    })?;
    if let Some(stands) = stands {
        there(stands)?;
    }
    let file = of.file(scratch);
    let all: Vec<Line> = entries
        .iter()
        .map(|entry| Line {
            path: text(&entry.path),
            node: entry.node.clone(),
            sha256: entry.sha256.clone(),
        })
        .collect();
    lines::write(&file, of, &all)?;
    Ok(entries)
}

/// A copy that began before T and ran past it may hold what was written after,
/// and lack what was deleted: a folder's time is that of the last name in it
/// that came or went. A time that lies even after the copying itself was set by
/// somebody.
fn not_after(of: &Of, tree: &tree::Tree) -> Result<(), Fault> {
    let later = |node: &Node| after(node.modified, of.target) && node.modified <= node.changed;
    let mut found = tree.iter().filter(|(_, node)| later(node));
    let Some((first, _)) = found.next() else {
        return Ok(());
    };
    let what = format!(
        "{} things in `{}` were changed after that, such as `{}`",
        1 + found.count(),
        of.folder,
        text(first)
    );
    Err(ran_past(of, &what))
}

/// Of a site that the copy does not have, the folder above tells whether
/// something went from it after T.
fn not_gone_after(of: &Of, copy: &Path, stands: &Path) -> Result<(), Fault> {
    let above = copy.ancestors().skip(1);
    for above in above.take_while(|above| above.starts_with(stands)) {
        let Some(node) = tree::look(above)? else {
            continue;
        };
        if after(node.modified, of.target) && node.modified <= node.changed {
            let folder = text(above.strip_prefix(stands).unwrap_or(above));
            let what = format!(
                "it does not have `{}`, and something in `{folder}/` came or went after that",
                of.folder
            );
            return Err(ran_past(of, &what));
        }
        return Ok(());
    }
    there(stands)
}

fn ran_past(of: &Of, what: &str) -> Fault {
    Fault::refused(format!(
        "{}: copy `{}` was being made at {}: {what}",
        of.place, of.copy, of.target
    ))
    .hint("take a T before it began, so that the copy before it is used")
}

fn there(stands: &Path) -> Result<(), Fault> {
    match tree::look(stands)? {
        Some(_) => Ok(()),
        None => Err(Fault::refused(format!(
            "the copy {} is not there any more",
            stands.display()
        ))
        .hint("bring it back, or mount the disk that it is on, then `reprise retry`")),
    }
}

/// Whether a time of a file is after one of ours, which is coarser.
fn after((seconds, nanoseconds): (i64, i64), target: Timestamp) -> bool {
    let nanoseconds = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
    nanoseconds > i128::from(target.as_micros()) * 1000
}
