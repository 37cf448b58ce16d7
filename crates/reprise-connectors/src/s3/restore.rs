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

use super::apply;
use super::manifest::Manifest;
use super::slice::{Slice, outcome};
use super::work::{Change, Work};

const SAMPLES: usize = 10;
/// How often it tells how far it is, in keys.
const TOLD_EVERY: usize = 64;

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
        let blocked = !work.in_the_way.is_empty() || !work.gone.is_empty();
        let clean = work.todo.is_empty() && work.archived.is_empty() && !blocked;
        Ok(match clean {
            true => Probe::AsItShouldBe(told(&manifest, &work)),
            false => Probe::NotYet,
        })
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
        if let Some(first) = work.archived.first() {
            return Err(Fault::refused(format!(
                "{end}: site {}: the versions of T of {} keys are archived (GLACIER, DEEP_ARCHIVE), such as `{first}`",
                self.site,
                work.archived.len(),
            ))
            .hint("bring those versions back with `aws s3api restore-object --version-id ...`, wait until they are there, then `reprise retry`"));
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
        ("left", work.left),
    ] {
        outcome.output.insert(name.to_owned(), json!(count));
    }
    outcome
}
