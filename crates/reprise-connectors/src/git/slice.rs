//! A site's files at T against those in the live folder, one by one.

use std::collections::BTreeSet;

use reprise_model::{Check, Fault, FaultKind, Outcome, Verdict, Volume};
use serde_json::{Value, json};

use super::command::contents;
use super::files::Entry;
use super::folder::{Folder, Standing, is_under_way};
use super::options::{CreatedAfter, OnConflict, Options};
use super::path::SitePath;

/// Paths of each kind in the evidence and in messages; all of them are counted.
const SAMPLES: usize = 10;

/// What a site has in the repository at T, and where its live folder is.
pub(super) struct Slice<'a> {
    pub repository: std::path::PathBuf,
    pub entries: Vec<Entry>,
    pub path: SitePath,
    pub folder: &'a Folder,
}

/// How live differs; paths.
#[derive(Default)]
pub(super) struct Differences {
    /// Positions among the entries.
    missing: Vec<usize>,
    differ: Vec<usize>,
    /// What is no plain file and stands where one should be.
    blocked: Vec<(String, &'static str)>,
    extra: Vec<String>,
    /// What was being written when somebody was cut off.
    drafts: Vec<String>,
}

impl Slice<'_> {
    fn differences(&self) -> Result<Differences, Fault> {
        let mut found = Differences::default();
        let ids: Vec<&str> = self
            .entries
            .iter()
            .map(|entry| entry.blob.as_str())
            .collect();
        contents(&self.repository, &ids, |number, wanted| {
            let entry = &self.entries[number];
            if is_pointer(&wanted) {
                return Err(elsewhere(&entry.path));
            }
            match self.folder.look(&entry.path)? {
                Standing::Nothing => found.missing.push(number),
                Standing::File {
                    content,
                    executable,
                } => {
                    if content != wanted || executable != entry.executable {
                        found.differ.push(number);
                    }
                }
                Standing::Other(what) => found.blocked.push((entry.path.clone(), what)),
            }
            Ok(())
        })?;
        let known: BTreeSet<&str> = self
            .entries
            .iter()
            .map(|entry| entry.path.as_str())
            .collect();
        let (live, drafts) = self.folder.list(self.path.as_str())?;
        found.drafts = drafts;
        found.extra = live
            .into_iter()
            .filter(|path| !known.contains(path.as_str()))
            .collect();
        Ok(found)
    }

    fn names(&self, numbers: &[usize]) -> Vec<String> {
        numbers
            .iter()
            .map(|number| self.entries[*number].path.clone())
            .collect()
    }

    fn volume(&self) -> Volume {
        Volume {
            rows: self.entries.len() as u64,
            bytes: self.entries.iter().map(|entry| entry.bytes).sum(),
        }
    }

    /// Whether live is as the step wants it.
    pub fn is_done(&self, options: Options) -> Result<Option<Outcome>, Fault> {
        let found = self.differences()?;
        let is_done = found.wrong(options).next().is_none();
        Ok(is_done.then(|| Outcome {
            volume: self.volume(),
            ..Outcome::default()
        }))
    }

    /// Each file by itself; what is so already is left alone.
    pub fn restore(
        &self,
        options: Options,
        mut wrote: impl FnMut(Volume) -> Result<(), Fault>,
    ) -> Result<Outcome, Fault> {
        let found = self.differences()?;
        self.refuse(&found, options)?;
        for path in found.drafts.iter().filter(|path| !is_under_way(path)) {
            self.folder.remove(path)?;
        }
        let mut due = found.missing.clone();
        match options.on_conflict {
            OnConflict::Replace => due.extend(&found.differ),
            OnConflict::Refuse | OnConflict::Keep => {}
        }
        due.sort_unstable();
        let ids: Vec<&str> = due
            .iter()
            .map(|number| self.entries[*number].blob.as_str())
            .collect();
        let mut volume = Volume::default();
        contents(&self.repository, &ids, |at, content| {
            let entry = &self.entries[due[at]];
            self.folder.write(&entry.path, &content, entry.executable)?;
            volume.rows += 1;
            volume.bytes += entry.bytes;
            wrote(volume)
        })?;
        let mut removed = 0_u64;
        if options.created_after == CreatedAfter::Remove {
            for path in &found.extra {
                self.folder.remove(path)?;
                removed += 1;
            }
        }
        let output = json!({
            "files": self.entries.len(), "written": due.len(), "removed": removed,
            "kept": if options.on_conflict == OnConflict::Keep { found.differ.len() } else { 0 },
        });
        let Value::Object(output) = output else {
            unreachable!("it was written as an object")
        };
        Ok(Outcome {
            output,
            volume,
            ..Outcome::default()
        })
    }

    /// Before anything is written.
    fn refuse(&self, found: &Differences, options: Options) -> Result<(), Fault> {
        if let Some((path, what)) = found.blocked.first() {
            let count = found.blocked.len();
            return Err(Fault::refused(format!(
                "{count} paths are no plain files in live: {path} is {what}"
            ))
            .hint("move it away; links are neither followed nor replaced"));
        }
        let differ = &found.differ;
        if options.on_conflict == OnConflict::Refuse && !differ.is_empty() {
            let names = self.names(&differ[..differ.len().min(SAMPLES)]).join(", ");
            return Err(Fault::refused(format!(
                "{} files in live are not as they were: {names}",
                differ.len()
            ))
            .hint("`with: { on_conflict: replace }` writes those of the target time, `keep` leaves them"));
        }
        Ok(())
    }

    pub fn verify(&self, options: Options) -> Result<Outcome, Fault> {
        let found = self.differences()?;
        let wrong: Vec<(&str, usize)> = found.wrong(options).collect();
        let sampled = |paths: &[String]| json!({ "count": paths.len(), "samples": paths[..paths.len().min(SAMPLES)] });
        let blocked: Vec<String> = found.blocked.iter().map(|(path, _)| path.clone()).collect();
        let check = Check {
            name: "files".to_owned(),
            verdict: if wrong.is_empty() {
                Verdict::Pass
            } else {
                Verdict::Fail
            },
            evidence: json!({
                "path": self.path.as_str(),
                "files": self.entries.len(),
                "bytes": self.volume().bytes,
                "missing": sampled(&self.names(&found.missing)),
                "differ": sampled(&self.names(&found.differ)),
                "not_plain": sampled(&blocked),
                "extra": sampled(&found.extra),
            }),
        };
        if wrong.is_empty() {
            return Ok(Outcome {
                volume: self.volume(),
                checks: vec![check],
                ..Outcome::default()
            });
        }
        let words: Vec<String> = wrong
            .iter()
            .map(|(what, count)| format!("{count} {what}"))
            .collect();
        let mut samples = self.names(&found.missing);
        samples.extend(self.names(&found.differ));
        samples.extend(blocked);
        samples.extend(found.extra.iter().cloned());
        samples.truncate(SAMPLES);
        let message = format!(
            "the files differ: {} ({})",
            words.join(", "),
            samples.join(", ")
        );
        let mut fault = Fault::new(FaultKind::Validation, message);
        fault.checks.push(check);
        Err(fault)
    }
}

/// Git LFS keeps a text in the place of a content that is elsewhere.
/// Source: the specification of its pointer files, version 1.
fn is_pointer(content: &[u8]) -> bool {
    const FIRST: &[u8] = b"version https://git-lfs.github.com/spec/";
    content.len() < 1024 && content.starts_with(FIRST)
}

fn elsewhere(path: &str) -> Fault {
    Fault::permanent(format!(
        "{path} is a pointer of Git LFS: its content is not in the repository"
    ))
    .hint("keep it in the repository itself, or in a store of kind `folder` or `s3`")
}

impl Differences {
    /// What is not as the step wants it, with how many.
    fn wrong(&self, options: Options) -> impl Iterator<Item = (&'static str, usize)> {
        let differ = match options.on_conflict {
            OnConflict::Keep => 0,
            OnConflict::Refuse | OnConflict::Replace => self.differ.len(),
        };
        let extra = match options.created_after {
            CreatedAfter::Keep => 0,
            CreatedAfter::Remove => self.extra.len(),
        };
        [
            ("missing", self.missing.len()),
            ("not as they were", differ),
            ("no plain files", self.blocked.len()),
            ("not there at the target time", extra),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
    }
}
