//! What a site's keys were at T: one file in scratch, made from a listing of
//! the site's prefix and renamed into place when it is whole.
//!
//! It is made for each site, not for the bucket: a listing costs a request for
//! every thousand versions, so that a batch of a few sites must not pay for
//! the millions of keys of all others. Lost, it is made again: nothing that a
//! restore does changes which version was current at T.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reprise_model::{Fault, RecoveryPoint, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::history::{self, Doubt, Doubts, History, Ties, Version};
use super::options::Options;
use super::point::Tally;
use crate::shared::found::Found;
use crate::shared::lines;

const VERSION: u32 = 2;
const SAMPLES: usize = 10;
/// Uploads that take longer are hardly made.
const LONGEST_UPLOAD: Duration = Duration::from_secs(86_400);

/// What a manifest was made for; one of anything else is never used.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Of {
    pub version: u32,
    pub place: String,
    pub prefix: String,
    pub target: Timestamp,
    pub ties: Ties,
    pub doubts: Doubts,
}

impl Of {
    pub fn new(place: String, prefix: &str, target: Timestamp, options: &Options) -> Self {
        Self {
            version: VERSION,
            place,
            prefix: prefix.to_owned(),
            target,
            ties: options.ties,
            doubts: options.doubts,
        }
    }

    /// The file of it in the shard's scratch, whatever letters the prefix has.
    pub fn file(&self, folder: &Path) -> PathBuf {
        let ties = json!(self.ties).as_str().unwrap_or_default().to_owned();
        let doubts = match self.doubts {
            Doubts::Refuse => "",
            Doubts::Leave => "-leave",
        };
        let prefix = lines::file_name(&self.prefix);
        folder.join(format!("{prefix}.{ties}{doubts}.jsonl"))
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    pub key: String,
    /// The version that was current at T; absent where the key was not there.
    pub at: Option<Version>,
    /// Nobody can tell; it is left as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
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
    /// Decides for every key what was current. A doubt about any of them is a
    /// refusal that names keys, or such keys are left. `kept` says what is known
    /// of the bucket's rules.
    pub fn make(of: Of, histories: &[History], end: &str, kept: &str) -> Result<Self, Fault> {
        let mut doubts: Vec<(&str, Doubt)> = Vec::new();
        let mut entries = Vec::with_capacity(histories.len());
        for history in histories {
            let (at, doubt) = match history::at(history, of.target, of.ties) {
                Ok(at) => (at.cloned(), None),
                Err(doubt) => {
                    doubts.push((&history.key, doubt));
                    (None, Some(doubt))
                }
            };
            entries.push(Entry {
                key: history.key.clone(),
                at,
                doubt,
            });
        }
        if !doubts.is_empty() && of.doubts == Doubts::Refuse {
            return Err(doubted(&doubts, &of, end));
        }
        let mut point = point(&of, histories);
        point.basis += &format!("; {kept}");
        point.basis += &in_parts(&of, &entries);
        point.basis += &left(&doubts);
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

fn point(of: &Of, histories: &[History]) -> RecoveryPoint {
    let mut tally = Tally::new(of.target, of.ties);
    for history in histories {
        for version in &history.versions {
            tally.add(&history.key, version);
        }
    }
    let mut point = tally.point();
    if tally.is_empty() {
        let nothing = format!("nothing was ever kept below `{}`", of.prefix);
        point.basis = format!("{nothing}: {}", point.basis);
    }
    point
}

/// S3 tells when an upload in parts began, and not when it was there.
fn in_parts(of: &Of, entries: &[Entry]) -> String {
    let since = of.target.saturating_sub(LONGEST_UPLOAD);
    let mut found = Found::default();
    for entry in entries {
        let Some(at) = &entry.at else { continue };
        let object = at.object.as_ref();
        let parts = object.is_some_and(|object| object.etag.contains('-'));
        if parts && at.modified >= since {
            found.add(entry.key.clone());
        }
    }
    match found.samples.first() {
        None => String::new(),
        Some(first) => format!(
            "; {} objects, such as `{first}`, were uploaded in parts in the day before T: some servers (AWS) tell when such an upload began, so that it may have ended after T",
            found.count
        ),
    }
}

fn left(doubts: &[(&str, Doubt)]) -> String {
    match doubts.first() {
        None => String::new(),
        Some((first, _)) => format!(
            "; {} keys, such as `{first}`, are left as they are: what they were at T cannot be told",
            doubts.len()
        ),
    }
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
    let leave = "`with: { doubts: leave }` in restore and verify leaves these keys as they are and brings the others back; verify names them";
    match doubts.iter().all(|(_, doubt)| *doubt == Doubt::SameSecond) {
        true => fault.hint(format!(
            "times of S3 are whole seconds: take a T of another second, or say `with: {{ ties: include }}` or `exclude` in restore and verify; or {leave}"
        )),
        false => fault.hint(leave),
    }
}

pub fn words(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::SameSecond => "made in the second of T",
        Doubt::Disorder => "order and times of its versions disagree",
        Doubt::Overwritten => "written over without versions",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::history::Object;

    const DAY: i64 = 86_400_000_000;

    fn history(key: &str, etag: &str, modified: i64) -> History {
        let version = Version {
            id: "v".to_owned(),
            modified: Timestamp::from_micros(modified),
            object: Some(Object {
                size: 1,
                etag: etag.to_owned(),
            }),
            class: None,
        };
        History {
            key: key.to_owned(),
            versions: vec![version],
            current: Some(0),
        }
    }

    #[test]
    fn uploads_in_parts_that_may_have_ended_after_t_are_counted() {
        let target = Timestamp::from_micros(100 * DAY);
        let of = Of::new("p".to_owned(), "a/", target, &Options::default());
        let all = [
            history("a/long-ago", "d41d-2", 98 * DAY),
            history("a/near", "d41d-2", 100 * DAY - 1_000_000),
            history("a/whole", "d41d", 100 * DAY - 1_000_000),
            history("a/later", "d41d-2", 100 * DAY + 2_000_000),
        ];
        let made = Manifest::make(of, &all, "end", "no rule").expect("no doubt");
        let told = "no rule; 1 objects, such as `a/near`, were uploaded in parts";
        assert!(made.point.basis.contains(told), "{}", made.point.basis);
    }
}
