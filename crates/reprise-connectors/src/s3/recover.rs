//! `recover`: whether the bucket's own versions reach back to T.
//!
//! Nothing is copied aside: the past is in the bucket. `recover` lists what the
//! sites of the batch have there, after T has passed by the server's clock: a
//! bucket that keeps versions lists every change until now, so that the listing
//! proves the recovery point. What each site's keys were at T is decided when
//! the site is restored (see `manifest.rs`), with the step's own options.

use futures::TryStreamExt;
use futures::stream::FuturesOrdered;
use reprise_model::{Fault, Outcome, Timestamp};
use reprise_ports::Level;
use tokio_util::sync::CancellationToken;

use super::client::{Bucket, Request};
use super::history::Ties;
use super::lifecycle::{self, Below};
use super::listing::{self, Listed};
use super::point::Tally;
use crate::shared::found::Found;

/// How many sites' listings a recovery reads at a time.
const LISTINGS: usize = 8;

/// What was found out about the bucket: each a check with its words, the last
/// of them about its rules.
pub async fn reaches(
    bucket: &Bucket,
    target: Option<Timestamp>,
    below: Below<'_>,
    cancelled: &CancellationToken,
) -> Result<Vec<(&'static str, Level, String)>, Fault> {
    let state = listing::versioning(bucket, cancelled).await?;
    let mut found = vec![match state.as_str() {
        "Enabled" => (
            "versioning",
            Level::Ok,
            "keeps versions; since when is not known, keys that say so are refused one by one"
                .to_owned(),
        ),
        other => (
            "versioning",
            Level::Error,
            format!("does not keep versions ({other})"),
        ),
    }];
    let Some(target) = target else {
        return Ok(found);
    };
    let clock = clock(bucket, cancelled).await?;
    if target.as_micros().div_euclid(1_000_000) >= clock.as_micros().div_euclid(1_000_000) {
        let message = format!("{target} has not passed yet, the server's clock is at {clock}");
        found.push(("backup-reaches", Level::Error, message));
        return Ok(found);
    }
    let kept = lifecycle::look(bucket, target, clock, below, cancelled).await?;
    found.push(("backup-reaches", kept.level, kept.words));
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

/// A refusal where the bucket's past does not reach T; else what is known about
/// its rules, in words for evidence.
pub async fn must_reach(
    bucket: &Bucket,
    target: Timestamp,
    below: Below<'_>,
    cancelled: &CancellationToken,
) -> Result<String, Fault> {
    let mut kept = String::new();
    for (_, level, message) in reaches(bucket, Some(target), below, cancelled).await? {
        if level == Level::Error {
            return Err(Fault::refused(format!("{}: {message}", bucket.end)));
        }
        kept = message;
    }
    Ok(kept)
}

/// `below` are the prefixes of the batch's sites; where more than a site's id
/// is needed to tell them, each restore measures its own point.
pub async fn recover(
    bucket: &Bucket,
    target: Timestamp,
    below: Below<'_>,
    cancelled: &CancellationToken,
) -> Result<Outcome, Fault> {
    let kept = must_reach(bucket, target, below, cancelled).await?;
    let prefixes = match below {
        Below::Sites(prefixes) if !prefixes.is_empty() => prefixes,
        Below::Sites(_) | Below::All(_) => return Ok(Outcome::default()),
    };
    let mut tally = Tally::new(target, Ties::Refuse);
    let mut unused = Found::default();
    let mut todo = prefixes.iter();
    let mut under_way = FuturesOrdered::new();
    loop {
        while under_way.len() < LISTINGS {
            let Some(prefix) = todo.next() else { break };
            under_way.push_back(counted(bucket, prefix, target, cancelled));
        }
        let Some((prefix, one)) = under_way.try_next().await? else {
            break;
        };
        if one.is_empty() {
            unused.add(prefix.to_owned());
        }
        tally.join(one);
    }
    drop(under_way);
    let mut point = tally.point();
    point.basis += &format!("; {kept}");
    if let Some(first) = unused.samples.first() {
        point.basis += &format!(
            "; nothing was ever kept below the prefixes of {} of {} sites, such as `{first}`",
            unused.count,
            prefixes.len()
        );
    }
    Ok(Outcome {
        recovery_point: Some(point),
        ..Outcome::default()
    })
}

async fn counted<'a>(
    bucket: &Bucket,
    prefix: &'a str,
    target: Timestamp,
    cancelled: &CancellationToken,
) -> Result<(&'a str, Tally), Fault> {
    let mut tally = Tally::new(target, Ties::Refuse);
    let take = |listed: Listed| {
        tally.add(&listed.key, &listed.version);
        Ok(())
    };
    listing::each(bucket, prefix, cancelled, take).await?;
    Ok((prefix, tally))
}
