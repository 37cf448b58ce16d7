//! What a site's keys were at T: one file in scratch, made from a listing of
//! the site's prefix and renamed into place when it is whole.
//!
//! It is made for each site, not for the bucket: a listing costs a request for
//! every thousand versions, so that a batch of a few sites must not pay for
//! the millions of keys of all others. Lost, it is made again: nothing that a
//! restore does changes which version was current at T.

use std::path::{Path, PathBuf};

use reprise_model::{Fault, RecoveryPoint, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::history::{self, Doubt, History, Ties, Version};
use super::point::Tally;
use crate::shared::lines;

const VERSION: u32 = 1;
const SAMPLES: usize = 10;

/// What a manifest was made for; one of anything else is never used.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Of {
    pub version: u32,
    pub place: String,
    pub prefix: String,
    pub target: Timestamp,
    pub ties: Ties,
}

impl Of {
    pub fn new(place: String, prefix: &str, target: Timestamp, ties: Ties) -> Self {
        Self {
            version: VERSION,
            place,
            prefix: prefix.to_owned(),
            target,
            ties,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    pub key: String,
    /// The version that was current at T; absent where the key was not there.
    pub at: Option<Version>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Head {
    of: Of,
    point: RecoveryPoint,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Manifest {
    pub of: Of,
    pub point: RecoveryPoint,
    pub entries: Vec<Entry>,
}

impl Manifest {
    /// Decides for every key what was current; a doubt about any of them is a
    /// refusal that names keys.
    pub fn make(of: Of, histories: &[History], end: &str) -> Result<Self, Fault> {
        let mut doubts: Vec<(&str, Doubt)> = Vec::new();
        let mut entries = Vec::with_capacity(histories.len());
        for history in histories {
            match history::at(history, of.target, of.ties) {
                Ok(at) => entries.push(Entry {
                    key: history.key.clone(),
                    at: at.cloned(),
                }),
                Err(doubt) => doubts.push((&history.key, doubt)),
            }
        }
        if !doubts.is_empty() {
            return Err(doubted(&doubts, &of, end));
        }
        let point = point(&of, histories);
        Ok(Self { of, point, entries })
    }

    pub fn write(&self, path: &Path) -> Result<(), Fault> {
        let head = Head {
            of: self.of.clone(),
            point: self.point.clone(),
        };
        lines::write(path, &head, &self.entries)
    }

    /// The manifest at `path`, if it is whole and was made for `of`.
    pub fn read(path: &Path, of: &Of) -> Option<Self> {
        let (head, entries) = lines::read::<Head, Entry>(path)?;
        (head.of == *of).then_some(Self {
            of: head.of,
            point: head.point,
            entries,
        })
    }
}

/// The file of a prefix, whatever letters that has.
pub fn path(folder: &Path, prefix: &str, ties: Ties) -> PathBuf {
    let ties = json!(ties).as_str().unwrap_or_default().to_owned();
    folder.join(format!("{}.{ties}.jsonl", lines::file_name(prefix)))
}

fn point(of: &Of, histories: &[History]) -> RecoveryPoint {
    let mut tally = Tally::new(of.target, of.ties);
    for history in histories {
        for version in &history.versions {
            tally.add(&history.key, version);
        }
    }
    tally.point()
}

fn doubted(doubts: &[(&str, Doubt)], of: &Of, end: &str) -> Fault {
    let samples: Vec<String> = doubts
        .iter()
        .take(SAMPLES)
        .map(|(key, doubt)| format!("`{key}` ({})", words(*doubt)))
        .collect();
    let fault = Fault::refused(format!(
        "{end}: what was current at {} cannot be told for {} keys below `{}`: {}",
        of.target,
        doubts.len(),
        of.prefix,
        samples.join(", ")
    ));
    match doubts.iter().all(|(_, doubt)| *doubt == Doubt::SameSecond) {
        true => fault.hint(
            "times of S3 are whole seconds: take a T of another second, or say `with: { ties: include }` or `exclude` in restore and verify",
        ),
        false => fault.hint("the bucket's history of these keys does not say it; bring them back by hand"),
    }
}

fn words(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::SameSecond => "made in the second of T",
        Doubt::Disorder => "order and times of its versions disagree",
        Doubt::Overwritten => "written over without versions",
    }
}
