//! `inspect`: whether the bucket keeps what T needs, and whether the sites'
//! prefixes are theirs and have ever been used.

use futures::TryStreamExt;
use futures::stream::FuturesOrdered;
use reprise_model::{Fault, SiteId};
use reprise_ports::{Estimate, Inspect, Inspection, Level};
use tokio_util::sync::CancellationToken;

use super::client::Bucket;
use super::connector::S3Connector;
use super::listing;
use super::recover::reaches;
use crate::shared::found::Found;
use crate::shared::seen::{Seen, findings};

/// How many prefixes are looked at at a time.
const LOOKS: usize = 16;

const HINT: &str = "a wrong `tenant: { prefix: ... }` looks like that; sites without media are left out by `placement`, or pass with `empty: allowed` in the `with` of verify";

impl S3Connector {
    pub(super) async fn look(&self, inspect: &Inspect) -> Inspection {
        let cancelled = CancellationToken::new();
        let mut seen: Vec<Seen> = Vec::new();
        if let Err(fault) = self.looked(inspect, &mut seen, &cancelled).await {
            seen.push(("connection", Level::Error, fault.message, fault.hint));
        }
        let space = "S3 tells nobody how much space is left: it is seen at the first copy";
        seen.push(("space", Level::Later, space.to_owned(), None));
        Inspection {
            findings: findings(&self.config.store, &inspect.shard, seen),
            estimate: Estimate::default(),
        }
    }

    async fn looked(
        &self,
        inspect: &Inspect,
        seen: &mut Vec<Seen>,
        cancelled: &CancellationToken,
    ) -> Result<(), Fault> {
        let bucket = self.bucket(&inspect.shard)?;
        let prefixes = self.prefixes(&inspect.sites);
        let below = self.below(prefixes.as_deref());
        let found = reaches(&bucket, inspect.target_time, below, cancelled).await?;
        for (check, level, message) in found {
            seen.push((check, level, format!("{}: {message}", bucket.end), None));
        }
        if let Some(wrong) = self.open_ended() {
            seen.push(wrong);
        } else if let Some(prefixes) = prefixes.filter(|prefixes| !prefixes.is_empty()) {
            seen.push(used(&bucket, &inspect.sites, &prefixes, cancelled).await?);
        } else if !self.lead().is_empty() && !listing::any(&bucket, self.lead(), cancelled).await? {
            let message = format!(
                "{}: nothing was ever kept below `{}`, with which the prefixes of all sites begin",
                bucket.end,
                self.lead()
            );
            seen.push(("prefix", Level::Warning, message, Some(HINT.to_owned())));
        }
        Ok(())
    }

    /// A template whose prefixes begin other sites' keys, whatever is filled in.
    fn open_ended(&self) -> Option<Seen> {
        let template = self.config.prefix.as_deref()?;
        let ends = ["/", "}}", "%}"].iter().any(|end| template.ends_with(end));
        (!ends).then(|| {
            let message = format!(
                "{}: `{template}` does not end with `/`, so that `site-1` would begin the keys of `site-10` too",
                self.config.store
            );
            let hint = "let `tenant: { prefix: ... }` end with `/`";
            ("prefix", Level::Error, message, Some(hint.to_owned()))
        })
    }
}

/// Which of the sites have never had a key. `sites` are those of `prefixes`.
async fn used(
    bucket: &Bucket,
    sites: &[SiteId],
    prefixes: &[String],
    cancelled: &CancellationToken,
) -> Result<Seen, Fault> {
    let mut unused = Found::default();
    let mut todo = sites.iter().zip(prefixes);
    let mut under_way = FuturesOrdered::new();
    loop {
        while under_way.len() < LOOKS {
            let Some((site, prefix)) = todo.next() else {
                break;
            };
            under_way.push_back(async move {
                let any = listing::any(bucket, prefix, cancelled).await?;
                Ok::<_, Fault>((site, prefix, any))
            });
        }
        match under_way.try_next().await? {
            Some((_, _, true)) => {}
            Some((site, prefix, false)) => unused.add(format!("`{prefix}` of site {site}")),
            None => break,
        }
    }
    let end = &bucket.end;
    Ok(match unused.samples.first() {
        None => {
            let message = format!("{end}: there are keys below the prefixes of all sites");
            ("prefix", Level::Ok, message, None)
        }
        Some(first) => {
            let message = format!(
                "{end}: nothing was ever kept below the prefixes of {} of {} sites, such as {first}",
                unused.count,
                sites.len()
            );
            ("prefix", Level::Warning, message, Some(HINT.to_owned()))
        }
    })
}
