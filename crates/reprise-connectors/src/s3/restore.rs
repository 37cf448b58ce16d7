//! `restore`: every key below the site's prefix as it was at T.
//!
//! **Crash.** There is no transaction over keys. Each key goes to its state by
//! itself, and what it needs follows from what the server lists now: a repeat
//! finds finished keys finished and goes on with the others, so that no mark is
//! needed. A copy whose answer was lost is found by its bytes, what is told
//! about it and its tags. Before anything is written, all that would be a
//! refusal is known: live objects in the way, doubts about T, versions gone.
//!
//! **Others who write.** A version that somebody writes between the listing
//! and a copy is covered by the copy and stays in the key's history; a marker
//! is taken away by its own id, so that nothing newer is touched.

use futures::TryStreamExt;
use futures::stream::FuturesUnordered;
use reprise_model::{Fault, Outcome, Volume};
use reprise_ports::{Probe, Progress};
use serde_json::json;

use super::history::{History, Version};
use super::manifest::Manifest;
use super::slice::{Slice, history, outcome};
use super::step::{Step, step};
use super::{apply, compare};
use crate::shared::policy::{CreatedAfter, OnConflict};

const SAMPLES: usize = 10;
/// How often it tells how far it is, in keys.
const TOLD_EVERY: usize = 64;

/// What is to be done, and what was seen on the way to knowing it.
#[derive(Default)]
struct Work<'a> {
    todo: Vec<(&'a str, Change<'a>)>,
    /// Objects of the manifest, and their bytes.
    slice: Volume,
    in_the_way: Vec<String>,
    kept: u64,
    created: u64,
    gone: Vec<&'a str>,
}

enum Change<'a> {
    Uncover(Vec<&'a str>),
    Copy(&'a Version),
    Remove,
}

impl Slice<'_> {
    pub async fn restore(&self) -> Result<Outcome, Fault> {
        let (manifest, mut now) = self.read().await?;
        now.sort_by(|a, b| a.key.cmp(&b.key));
        let work = self.work(&manifest, &now).await?;
        self.refuse(&work)?;
        let all = work.todo.len();
        let mut done = 0;
        let mut todo = work.todo.iter();
        let mut under_way = FuturesUnordered::new();
        loop {
            // A loop, and no stream of closures: what they borrow would have
            // to outlive every caller.
            while under_way.len() < self.options.concurrent {
                let Some((key, change)) = todo.next() else {
                    break;
                };
                under_way.push(self.change(key, change));
            }
            if under_way.try_next().await?.is_none() {
                break;
            }
            done += 1;
            if done % TOLD_EVERY == 0 {
                self.context.progress(Progress {
                    volume: Volume::default(),
                    fraction: Some(done as f64 / all as f64),
                    phase: Some("bringing objects back".to_owned()),
                });
            }
        }
        drop(under_way);
        Ok(told(&manifest, &work))
    }

    /// Whether all keys are as the manifest has them, without changing any.
    pub async fn probe_restore(&self) -> Result<Probe, Fault> {
        let (manifest, mut now) = self.read().await?;
        now.sort_by(|a, b| a.key.cmp(&b.key));
        let work = self.work(&manifest, &now).await?;
        let clean = work.todo.is_empty() && work.in_the_way.is_empty() && work.gone.is_empty();
        Ok(match clean {
            true => Probe::AsItShouldBe(told(&manifest, &work)),
            false => Probe::NotYet,
        })
    }

    async fn work<'a>(
        &self,
        manifest: &'a Manifest,
        now: &'a [History],
    ) -> Result<Work<'a>, Fault> {
        let mut work = Work::default();
        let mut compared = Vec::new();
        for entry in &manifest.entries {
            if let Some(object) = entry.at.as_ref().and_then(|at| at.object.as_ref()) {
                work.slice.rows += 1;
                work.slice.bytes += object.size;
            }
            let key = entry.key.as_str();
            match step(history(now, key), entry.at.as_ref()) {
                Step::Nothing => {}
                Step::Uncover { markers } => work.todo.push((key, Change::Uncover(markers))),
                Step::Copy { then } => work.todo.push((key, Change::Copy(then))),
                Step::Compare { now, then } => compared.push((key, now, then)),
                Step::Created => self.created(key, &mut work),
                Step::Gone { .. } => work.gone.push(key),
            }
        }
        // Keys that appeared after the manifest was made.
        let mut known: Vec<&str> = manifest.entries.iter().map(|e| e.key.as_str()).collect();
        known.sort_unstable();
        for history in now {
            let live = history.current().is_some_and(|v| v.object.is_some());
            if live && known.binary_search(&history.key.as_str()).is_err() {
                self.created(&history.key, &mut work);
            }
        }
        let mut compared = compared.into_iter();
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < self.options.concurrent {
                let Some((key, now, then)) = compared.next() else {
                    break;
                };
                under_way.push(self.compare(key, now, then));
            }
            let Some((key, then, found)) = under_way.try_next().await? else {
                break;
            };
            match (found, self.options.on_conflict) {
                (None, _) => {}
                (Some(what), OnConflict::Refuse) => {
                    work.in_the_way.push(format!("`{key}` ({what})"))
                }
                (Some(_), OnConflict::Keep) => work.kept += 1,
                (Some(_), OnConflict::Replace) => work.todo.push((key, Change::Copy(then))),
            }
        }
        drop(under_way);
        Ok(work)
    }

    /// In what the live object of a key differs from that of T.
    pub(super) async fn compare<'a>(
        &self,
        key: &'a str,
        now: &Version,
        then: &'a Version,
    ) -> Result<(&'a str, &'a Version, Option<&'static str>), Fault> {
        let cancelled = self.context.cancelled();
        let found = compare::difference(self.bucket, key, now, then, cancelled).await?;
        Ok((key, then, found))
    }

    fn created<'a>(&self, key: &'a str, work: &mut Work<'a>) {
        work.created += 1;
        match self.options.created_after {
            CreatedAfter::Keep => {}
            CreatedAfter::Remove => work.todo.push((key, Change::Remove)),
        }
    }

    fn refuse(&self, work: &Work<'_>) -> Result<(), Fault> {
        let end = &self.bucket.end;
        if !work.gone.is_empty() {
            return Err(Fault::permanent(format!(
                "{end}: site {}: the bucket has dropped the versions of T of {} keys, such as `{}`",
                self.site,
                work.gone.len(),
                work.gone[0]
            )));
        }
        if work.in_the_way.is_empty() {
            return Ok(());
        }
        let mut samples = work.in_the_way.clone();
        samples.sort_unstable();
        samples.truncate(SAMPLES);
        Err(Fault::refused(format!(
            "{end}: site {}: {} live objects are not those of T: {}",
            self.site,
            work.in_the_way.len(),
            samples.join(", ")
        ))
        .hint("`with: { on_conflict: replace }` brings those of T back, `keep` leaves them"))
    }

    async fn change(&self, key: &str, change: &Change<'_>) -> Result<(), Fault> {
        let (bucket, cancelled) = (self.bucket, self.context.cancelled());
        match change {
            Change::Uncover(markers) => {
                for marker in markers {
                    apply::uncover(bucket, key, marker, cancelled).await?;
                }
                Ok(())
            }
            Change::Copy(then) => {
                apply::copy(bucket, key, then, self.options.part_size, cancelled).await
            }
            Change::Remove => apply::remove(bucket, key, cancelled).await,
        }
    }
}

fn told(manifest: &Manifest, work: &Work<'_>) -> Outcome {
    let mut outcome = outcome(manifest);
    outcome.volume = work.slice;
    for (name, count) in [
        ("changed", work.todo.len() as u64),
        ("kept", work.kept),
        ("created_after", work.created),
    ] {
        outcome.output.insert(name.to_owned(), json!(count));
    }
    outcome
}
