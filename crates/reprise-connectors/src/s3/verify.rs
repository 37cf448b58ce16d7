//! `verify`: the live keys of a site against its manifest of T.

use futures::TryStreamExt;
use futures::stream::FuturesOrdered;
use reprise_model::{Check, Fault, FaultKind, Outcome, Verdict, Volume};
use serde_json::{Value, json};

use super::history::{History, Version};
use super::listing;
use super::manifest::{Manifest, words};
use super::slice::{Slice, history, outcome};
use crate::shared::found::Found;
use crate::shared::policy::{CreatedAfter, Empty, OnConflict};

#[derive(Debug, Default)]
struct Seen {
    expected: Volume,
    live: Volume,
    missing: Found,
    wrong: Found,
    extra: Found,
    /// Of which nobody can tell what they were at T.
    left: Found,
    /// Live, in a class that readers do not get without bringing them back.
    archived: Found,
    /// No version at T, now, or in between.
    nothing: bool,
    /// Others of the batch have some.
    others_have: bool,
}

impl Slice<'_> {
    pub async fn verify(&self) -> Result<Outcome, Fault> {
        let (manifest, mut now) = self.read().await?;
        now.sort_by(|a, b| a.key.cmp(&b.key));
        let mut seen = self.seen(&manifest, &now).await?;
        seen.others_have = seen.nothing && self.others_have().await?;
        let check = Check {
            name: "objects".to_owned(),
            verdict: self.verdict(&seen),
            evidence: self.evidence(&seen, &manifest),
        };
        if check.verdict == Verdict::Fail {
            let message = format!(
                "{}: site {}: {} objects are missing, {} are not those of T, {} were not there at T",
                self.bucket.end, self.site, seen.missing.count, seen.wrong.count, seen.extra.count
            );
            let mut fault = Fault::new(FaultKind::Validation, message);
            fault.checks = vec![check];
            return Err(fault);
        }
        let mut outcome = outcome(&manifest);
        outcome.volume = seen.live;
        outcome.checks = vec![check];
        Ok(outcome)
    }

    async fn seen(&self, manifest: &Manifest, now: &[History]) -> Result<Seen, Fault> {
        let cancelled = self.context.cancelled();
        let readable = listing::objects(self.bucket, &self.prefix, cancelled).await?;
        let mut seen = Seen {
            nothing: manifest.entries.is_empty() && now.is_empty(),
            ..Seen::default()
        };
        let mut compared = Vec::new();
        for entry in &manifest.entries {
            if let Some(doubt) = entry.doubt {
                seen.left.add(format!("{}: {}", entry.key, words(doubt)));
            }
            let Some(then) = &entry.at else { continue };
            seen.expected.rows += 1;
            seen.expected.bytes += then.object.as_ref().map_or(0, |object| object.size);
            match history(now, &entry.key).and_then(|history| history.current()) {
                Some(current) if current.object.is_some() => {
                    match readable.get(&entry.key) == current.object.as_ref() {
                        true => compared.push((entry.key.as_str(), current, then)),
                        false => seen.missing.add(format!(
                            "{}: the server lists its version {}, and not the object",
                            entry.key, current.id
                        )),
                    }
                }
                _ => seen.missing.add(entry.key.clone()),
            }
        }
        seen.live(manifest, now);
        self.compare_in_order(compared, &mut seen.wrong).await?;
        Ok(seen)
    }

    async fn compare_in_order(
        &self,
        compared: Vec<(&str, &Version, &Version)>,
        wrong: &mut Found,
    ) -> Result<(), Fault> {
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
                return Ok(());
            };
            if let Some(what) = found {
                wrong.add(format!("{key}: {what}"));
            }
        }
    }

    fn verdict(&self, seen: &Seen) -> Verdict {
        let wrong_fails = self.options.on_conflict != OnConflict::Keep;
        let extra_fails = self.options.created_after == CreatedAfter::Remove;
        let fails = seen.missing.count > 0
            || (wrong_fails && seen.wrong.count > 0)
            || (extra_fails && seen.extra.count > 0);
        // Nothing that was looked at is no proof. What the step says is left,
        // is left, and told.
        let nowhere = seen.nothing && !seen.others_have;
        let unknown = nowhere && self.options.empty == Empty::Unknown;
        match (fails, unknown) {
            (true, _) => Verdict::Fail,
            (false, true) => Verdict::Unknown,
            (false, false) => Verdict::Pass,
        }
    }

    fn evidence(&self, seen: &Seen, manifest: &Manifest) -> Value {
        let mut evidence = json!({
            "at_t": { "objects": seen.expected.rows, "bytes": seen.expected.bytes },
            "live": { "objects": seen.live.rows, "bytes": seen.live.bytes },
            "missing": seen.missing.evidence(),
            "wrong": seen.wrong.evidence(),
            "created_after": seen.extra.evidence(),
            "compared": "the objects that the server lists; version ids; where they differ size and ETag (bytes where ETags differ), metadata and tags",
            "past": manifest.point.basis,
            "bucket": self.bucket.place(),
            "prefix": self.prefix,
        });
        for (name, found) in [("left", &seen.left), ("archived", &seen.archived)] {
            if found.count > 0 {
                evidence[name] = found.evidence();
            }
        }
        if seen.nothing {
            let prefix = &self.prefix;
            let nothing =
                format!("0 objects, at T and now: nothing was ever kept below `{prefix}`");
            evidence["nothing"] = json!(match seen.others_have {
                true => format!("{nothing}; other sites of the batch have something below theirs"),
                false => format!(
                    "{nothing}; where the site may have no media, `empty: allowed` in the `with` of this step says so"
                ),
            });
        }
        evidence
    }
}

impl Seen {
    fn live(&mut self, manifest: &Manifest, now: &[History]) {
        let entries = manifest.entries.iter();
        let known = entries.filter(|entry| entry.at.is_some() || entry.doubt.is_some());
        let mut known: Vec<&str> = known.map(|entry| entry.key.as_str()).collect();
        known.sort_unstable();
        for history in now {
            let Some(current) = history.current() else {
                continue;
            };
            let Some(object) = &current.object else {
                continue;
            };
            self.live.rows += 1;
            self.live.bytes += object.size;
            if known.binary_search(&history.key.as_str()).is_err() {
                self.extra.add(history.key.clone());
            }
            if current.is_archived() {
                self.archived.add(history.key.clone());
            }
        }
    }
}
