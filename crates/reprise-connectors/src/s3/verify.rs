//! `verify`: the live keys of a site against its manifest of T.

use futures::TryStreamExt;
use futures::stream::FuturesOrdered;
use reprise_model::{Check, Fault, FaultKind, Outcome, Verdict, Volume};
use serde_json::json;

use super::listing;
use super::slice::{Slice, history, outcome};
use crate::shared::found::Found;
use crate::shared::policy::{CreatedAfter, OnConflict};

impl Slice<'_> {
    pub async fn verify(&self) -> Result<Outcome, Fault> {
        let (manifest, mut now) = self.read().await?;
        now.sort_by(|a, b| a.key.cmp(&b.key));
        let cancelled = self.context.cancelled();
        let readable = listing::objects(self.bucket, &self.prefix, cancelled).await?;
        let (mut expected, mut live) = (Volume::default(), Volume::default());
        let (mut missing, mut wrong, mut extra) =
            (Found::default(), Found::default(), Found::default());
        let mut compared = Vec::new();
        let mut wanted = Vec::new();
        for entry in &manifest.entries {
            let Some(then) = &entry.at else { continue };
            wanted.push(entry.key.as_str());
            expected.rows += 1;
            expected.bytes += then.object.as_ref().map_or(0, |object| object.size);
            match history(&now, &entry.key).and_then(|history| history.current()) {
                Some(current) if current.object.is_some() => {
                    match readable.get(&entry.key) == current.object.as_ref() {
                        true => compared.push((entry.key.as_str(), current, then)),
                        false => missing.add(format!(
                            "{}: the server lists its version {}, and not the object",
                            entry.key, current.id
                        )),
                    }
                }
                _ => missing.add(entry.key.clone()),
            }
        }
        wanted.sort_unstable();
        for history in &now {
            let current = history
                .current()
                .and_then(|version| version.object.as_ref());
            let Some(object) = current else { continue };
            live.rows += 1;
            live.bytes += object.size;
            if wanted.binary_search(&history.key.as_str()).is_err() {
                extra.add(history.key.clone());
            }
        }
        let mut compared = compared.into_iter();
        // In the order of the keys, so that samples are the same each time.
        let mut under_way = FuturesOrdered::new();
        loop {
            while under_way.len() < self.options.concurrent {
                let Some((key, current, then)) = compared.next() else {
                    break;
                };
                under_way.push_back(self.compare(key, current, then));
            }
            let Some((key, _, found)) = under_way.try_next().await? else {
                break;
            };
            if let Some(what) = found {
                wrong.add(format!("{key}: {what}"));
            }
        }
        let wrong_fails = self.options.on_conflict != OnConflict::Keep;
        let extra_fails = self.options.created_after == CreatedAfter::Remove;
        let fails = missing.count > 0
            || (wrong_fails && wrong.count > 0)
            || (extra_fails && extra.count > 0);
        let check = Check {
            name: "objects".to_owned(),
            verdict: if fails { Verdict::Fail } else { Verdict::Pass },
            evidence: json!({
                "at_t": { "objects": expected.rows, "bytes": expected.bytes },
                "live": { "objects": live.rows, "bytes": live.bytes },
                "missing": missing.evidence(),
                "wrong": wrong.evidence(),
                "created_after": extra.evidence(),
                "compared": "the objects that the server lists; version ids; where they differ size and ETag (bytes where ETags differ), metadata and tags",
                "bucket": self.bucket.place(),
                "prefix": self.prefix,
            }),
        };
        if fails {
            let message = format!(
                "{}: site {}: {} objects are missing, {} are not those of T, {} were not there at T",
                self.bucket.end, self.site, missing.count, wrong.count, extra.count
            );
            let mut fault = Fault::new(FaultKind::Validation, message);
            fault.checks = vec![check];
            return Err(fault);
        }
        let mut outcome = outcome(&manifest);
        outcome.volume = live;
        outcome.checks = vec![check];
        Ok(outcome)
    }
}
