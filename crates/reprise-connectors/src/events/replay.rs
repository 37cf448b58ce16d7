//! Brings a site's data set to T: what is above the offset in the target is
//! applied, in the order of the numbers. Streams are independent of each other.

use std::collections::BTreeMap;

use reprise_model::{Fault, FaultKind, Outcome, Volume};
use reprise_ports::{CallSite, Context, Progress};

use super::audit::SiteState;
use super::index::Index;
use super::target::{Applied, Due, Held, Session};
use crate::rows::OnConflict;

/// How live stands to the events at T.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Standing {
    /// Stream, offset in live, last number at T: live has events that are later than T.
    pub ahead: Vec<(String, i64, i64)>,
    /// Stream, events counted in live, events up to its offset: some were lost or doubled.
    pub hollow: Vec<(String, u64, u64)>,
    /// Stream, offset, last number at T.
    pub behind: Vec<(String, i64, i64)>,
}

impl Standing {
    pub fn of(state: &SiteState, held: &Held, first: i64) -> Self {
        let mut standing = Self::default();
        let mut names: Vec<&String> = state.streams.keys().chain(held.offsets.keys()).collect();
        names.extend(held.counts.iter().flat_map(BTreeMap::keys));
        names.sort();
        names.dedup();
        for name in names {
            let last = state.streams.get(name).and_then(|stream| stream.last);
            let last = last.map_or(first - 1, |(seq, _)| seq);
            let offset = held.offsets.get(name).copied().unwrap_or(first - 1);
            if offset > last {
                standing.ahead.push((name.clone(), offset, last));
                continue;
            }
            if let Some(counts) = &held.counts {
                let counted = counts.get(name).copied().unwrap_or(0);
                let applied = u64::try_from(offset + 1 - first).unwrap_or(0);
                if counted != applied {
                    standing.hollow.push((name.clone(), counted, applied));
                }
            }
            if offset < last {
                standing.behind.push((name.clone(), offset, last));
            }
        }
        standing
    }

    pub fn is_done(&self) -> bool {
        self.ahead.is_empty() && self.hollow.is_empty() && self.behind.is_empty()
    }

    /// What is in the way of going on behind the offset.
    pub fn conflict(&self) -> Option<String> {
        let ahead = self.ahead.iter().map(|(stream, live, last)| {
            let later = live.abs_diff(*last);
            format!(
                "stream {stream} is {later} events past the target time (at {live}, not {last})"
            )
        });
        let hollow = self.hollow.iter().map(|(stream, counted, applied)| {
            format!("stream {stream} has {counted} events where its offset says {applied}")
        });
        let words: Vec<String> = ahead.chain(hollow).collect();
        (!words.is_empty()).then(|| words.join("; "))
    }
}

pub(super) struct Replay<'a> {
    pub index: &'a Index,
    pub state: &'a SiteState,
    pub site: &'a CallSite,
    /// The same for every attempt.
    pub key: &'a str,
    pub attempt: u32,
    pub context: &'a dyn Context,
}

impl Replay<'_> {
    pub async fn restore(
        &self,
        session: &mut Session<'_>,
        on_conflict: OnConflict,
    ) -> Result<Outcome, Fault> {
        let streams: Vec<String> = self.state.streams.keys().cloned().collect();
        let first = self.index.events.first;
        let mut held = session.held(self.site, &streams).await?;
        let mut key = self.key.to_owned();
        let standing = Standing::of(self.state, &held, first);
        if let Some(conflict) = standing.conflict() {
            match on_conflict {
                OnConflict::Refuse => {
                    return Err(Fault::refused(format!("live is in the way: {conflict}")).hint(
                        "`with: { on_conflict: replace }` clears the site in the target and replays all",
                    ));
                }
                OnConflict::Keep => {
                    return Err(Fault::permanent(
                        "`with: on_conflict` is keep; a store of kind `events` knows refuse and replace",
                    ));
                }
                OnConflict::Replace => {
                    session.clear(self.site).await?;
                    held = Held::default();
                    // The target may still answer for what it has forgotten.
                    key = format!("{key}-cleared-{}", self.attempt);
                }
            }
        }
        self.replay(session, &held, first, &key).await
    }

    async fn replay(
        &self,
        session: &mut Session<'_>,
        held: &Held,
        first: i64,
        key: &str,
    ) -> Result<Outcome, Fault> {
        let due = self.due(held).await?;
        let all: usize = due.values().map(Vec::len).sum();
        let mut volume = Volume::default();
        for (stream, due) in &due {
            let mut after = held.offsets.get(stream).copied().unwrap_or(first - 1);
            for batch in due.chunks(session.batch()) {
                if self.context.cancelled().is_cancelled() {
                    return Err(Fault::new(
                        FaultKind::Cancelled,
                        "cancelled between two batches",
                    ));
                }
                let applied = session.apply(self.site, stream, after, batch, key);
                match applied.await? {
                    Applied::Yes => {}
                    Applied::Moved => {
                        return Err(Fault::temporary(format!(
                            "the offset of stream {stream} is no longer {after}: another replays it, or an answer was lost"
                        )));
                    }
                }
                after = batch.last().map_or(after, |event| event.seq);
                volume.rows += batch.len() as u64;
                volume.bytes += batch
                    .iter()
                    .map(|event| event.payload.get().len() as u64)
                    .sum::<u64>();
                self.context.progress(Progress {
                    volume,
                    fraction: Some(volume.rows as f64 / all.max(1) as f64),
                    phase: Some(format!("replaying {stream}")),
                });
            }
        }
        Ok(Outcome {
            volume,
            ..Outcome::default()
        })
    }

    /// The events of T above the offsets, each number once.
    async fn due(&self, held: &Held) -> Result<BTreeMap<String, Vec<Due>>, Fault> {
        let (index, site) = (self.index.clone(), self.site.id.clone());
        let (offsets, target) = (held.offsets.clone(), self.index.target);
        super::connector::blocking(move || {
            let mut all: BTreeMap<String, BTreeMap<i64, Due>> = BTreeMap::new();
            index.of_site(&site, |record| {
                let seen = record.seen;
                let is_in = target.is_none_or(|target| seen.time <= target);
                let applied = offsets
                    .get(&*record.stream)
                    .is_some_and(|offset| seen.seq <= *offset);
                let Some(payload) = record.payload.filter(|_| is_in && !applied) else {
                    return;
                };
                let stream = all.entry(record.stream.into_owned()).or_default();
                stream.entry(seen.seq).or_insert_with(|| Due {
                    seq: seen.seq,
                    time: seen.time,
                    payload: payload.to_owned(),
                });
            })?;
            let sorted = all.into_iter();
            Ok(sorted
                .map(|(stream, due)| (stream, due.into_values().collect()))
                .collect())
        })
        .await
    }
}
