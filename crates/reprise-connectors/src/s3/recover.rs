//! `recover` and `inspect`: whether the bucket's own versions reach back to T.
//!
//! Nothing is copied aside: the past is in the bucket. `recover` lists what the
//! sites of the batch have there, after T has passed by the server's clock: a
//! bucket that keeps versions lists every change until now, so that the listing
//! proves the recovery point. What each site's keys were at T is decided when
//! the site is restored (see `manifest.rs`), with the step's own options.

use std::time::Duration;

use futures::TryStreamExt;
use futures::stream::FuturesUnordered;
use reprise_model::{Fault, FaultKind, Outcome, Timestamp};
use reprise_ports::{Estimate, Finding, Inspect, Inspection, Level};
use tokio_util::sync::CancellationToken;

use super::client::{Bucket, Request};
use super::connector::S3Connector;
use super::history::Ties;
use super::listing::{self, Listed};
use super::point::Tally;

const DAY: Duration = Duration::from_secs(86_400);
/// How many sites' listings a recovery reads at a time.
const LISTINGS: usize = 8;

/// What was found out about the bucket: each a check with its words.
pub async fn reaches(
    bucket: &Bucket,
    target: Option<Timestamp>,
    cancelled: &CancellationToken,
) -> Result<Vec<(&'static str, Level, String)>, Fault> {
    let end = &bucket.end;
    let state = listing::versioning(bucket, cancelled).await?;
    let mut found = vec![match state.as_str() {
        "Enabled" => (
            "versioning",
            Level::Ok,
            format!(
                "{end}: keeps versions; since when is not known, keys that say so are refused one by one"
            ),
        ),
        other => (
            "versioning",
            Level::Error,
            format!("{end}: does not keep versions ({other})"),
        ),
    }];
    let Some(target) = target else {
        return Ok(found);
    };
    let clock = clock(bucket, cancelled).await?;
    if target.as_micros().div_euclid(1_000_000) >= clock.as_micros().div_euclid(1_000_000) {
        let message =
            format!("{end}: {target} has not passed yet, the server's clock is at {clock}");
        found.push(("backup-reaches", Level::Error, message));
        return Ok(found);
    }
    found.push(match listing::dropped_after(bucket, cancelled).await {
        Ok(Some(days)) => {
            let kept = u32::try_from(days).map_or(Duration::MAX, |days| DAY.saturating_mul(days));
            let since = clock.saturating_sub(kept);
            let level = if target < since {
                Level::Error
            } else {
                Level::Ok
            };
            let message =
                format!("{end}: drops versions after {days} days, so it reaches back to {since}");
            ("backup-reaches", level, message)
        }
        Ok(None) => (
            "backup-reaches",
            Level::Ok,
            format!("{end}: no rule drops versions"),
        ),
        Err(fault) if fault.kind.may_pass() || fault.kind == FaultKind::Cancelled => {
            return Err(fault);
        }
        Err(fault) => (
            "backup-reaches",
            Level::Unknown,
            format!(
                "{end}: whether a rule drops versions could not be read: {}",
                fault.message
            ),
        ),
    });
    Ok(found)
}

/// The server's clock, by which versions have their times.
async fn clock(bucket: &Bucket, cancelled: &CancellationToken) -> Result<Timestamp, Fault> {
    let request = Request {
        query: vec![("versioning", "")],
        ..Request::default()
    };
    let answer = bucket.expect(&request, cancelled).await?;
    let date = answer.header("date");
    date.and_then(|text| jiff::fmt::rfc2822::parse(text).ok())
        .map(|date| Timestamp::from_micros(date.timestamp().as_microsecond()))
        .ok_or_else(|| {
            Fault::permanent(format!("{}: the server does not tell its time", bucket.end))
        })
}

/// A refusal where the bucket's past does not reach T.
pub async fn must_reach(
    bucket: &Bucket,
    target: Timestamp,
    cancelled: &CancellationToken,
) -> Result<(), Fault> {
    let found = reaches(bucket, Some(target), cancelled).await?;
    let error = found
        .into_iter()
        .find(|(_, level, _)| *level == Level::Error);
    match error {
        Some((_, _, message)) => Err(Fault::refused(message)),
        None => Ok(()),
    }
}

/// `prefixes` are those of the batch's sites; absent where more than a site's
/// id is needed to tell them, and then each restore measures its own point.
pub async fn recover(
    bucket: &Bucket,
    target: Timestamp,
    prefixes: Option<&[String]>,
    cancelled: &CancellationToken,
) -> Result<Outcome, Fault> {
    must_reach(bucket, target, cancelled).await?;
    let Some(prefixes) = prefixes.filter(|prefixes| !prefixes.is_empty()) else {
        return Ok(Outcome::default());
    };
    let mut tally = Tally::new(target, Ties::Refuse);
    let mut todo = prefixes.iter();
    let mut under_way = FuturesUnordered::new();
    loop {
        while under_way.len() < LISTINGS {
            let Some(prefix) = todo.next() else { break };
            under_way.push(counted(bucket, prefix, target, cancelled));
        }
        match under_way.try_next().await? {
            Some(one) => tally.join(one),
            None => break,
        }
    }
    drop(under_way);
    Ok(Outcome {
        recovery_point: Some(tally.point()),
        ..Outcome::default()
    })
}

async fn counted(
    bucket: &Bucket,
    prefix: &str,
    target: Timestamp,
    cancelled: &CancellationToken,
) -> Result<Tally, Fault> {
    let mut tally = Tally::new(target, Ties::Refuse);
    let take = |listed: Listed| {
        tally.add(&listed.key, &listed.version);
        Ok(())
    };
    listing::each(bucket, prefix, cancelled, take).await?;
    Ok(tally)
}

impl S3Connector {
    pub(super) async fn look(&self, inspect: &Inspect) -> Inspection {
        let finding = |check: &str, level, message, hint| Finding {
            check: check.to_owned(),
            level,
            store: self.config.store.clone(),
            shard: inspect.shard.clone(),
            message,
            hint,
        };
        let cancelled = CancellationToken::new();
        let looked = async {
            let bucket = self.bucket(&inspect.shard)?;
            reaches(&bucket, inspect.target_time, &cancelled).await
        };
        let mut findings = match looked.await {
            Ok(found) => {
                let found = found.into_iter();
                found
                    .map(|(check, level, message)| finding(check, level, message, None))
                    .collect()
            }
            Err(fault) => vec![finding(
                "connection",
                Level::Error,
                fault.message,
                fault.hint,
            )],
        };
        let space = "S3 tells nobody how much space is left: it is seen at the first copy";
        findings.push(finding("space", Level::Later, space.to_owned(), None));
        Inspection {
            findings,
            estimate: Estimate::default(),
        }
    }
}
