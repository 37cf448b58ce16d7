//! Proof that a slice is whole: rows and checksums against scratch, foreign
//! keys out of it.

use reprise_model::{Check, Fault, Outcome, SiteId, Verdict, Volume};
use reprise_ports::Context;
use serde_json::{Map, Value, json};

use super::integrity;
use super::restore::{cancelled, options, phase};
use super::shard::{LiveShard, Match, Scratch};
use super::value::{checksum_sql, classes};
use crate::mariadb::session::Session;
use crate::rows::{Carried, SiteRows, conclude};

impl LiveShard {
    /// Compares the site's slice in live with scratch. Changes nothing.
    pub async fn verify(
        &self,
        scratch: &Scratch,
        site: &SiteId,
        with: &Map<String, Value>,
        context: &dyn Context,
    ) -> Result<Outcome, Fault> {
        options(with)?;
        tokio::select! {
            () = context.cancelled().cancelled() => Err(cancelled()),
            looked = self.look(scratch, site, context) => looked,
        }
    }

    async fn look(
        &self,
        scratch: &Scratch,
        site: &SiteId,
        context: &dyn Context,
    ) -> Result<Outcome, Fault> {
        phase(context, "comparing schemas");
        let known = self.matched(scratch).await?;
        known.fits(&self.shard)?;
        let mut there = scratch.reading().await?;
        let (mut live, _slot) = self.session().await?;
        live.snapshot().await?;
        let (rows, volume) = same_rows(&mut there, &mut live, &known, site, context).await?;
        phase(context, "checking foreign keys");
        let keys = foreign_keys(&mut live, &known, site).await?;
        there.close().await;
        live.close().await;
        conclude(site, vec![rows, keys], volume)
    }
}

/// `rows/sum/sum` of the site's rows of one table.
async fn checksum(
    session: &mut Session,
    rows: SiteRows<'_>,
    known: &Match,
    carried: &Carried,
) -> Result<String, Fault> {
    let Some(from) = rows.of(&carried.table) else {
        return Ok(String::new());
    };
    // The classes of T on both ends: equal values are equal text.
    let classes = classes(&known.then, &carried.table, &carried.columns);
    let sql = checksum_sql(&carried.columns, &classes, &from);
    let doing = format!("summing {}", carried.table);
    Ok(session.value(&doing, sql).await?.unwrap_or_default())
}

async fn both(
    there: &mut Session,
    live: &mut Session,
    known: &Match,
    carried: &Carried,
    site: &SiteId,
) -> Result<(String, String), Fault> {
    futures::try_join!(
        checksum(there, known.at_scratch(site.as_str()), known, carried),
        checksum(live, known.at_live(site.as_str()), known, carried)
    )
}

/// The tables that are not the same on both ends.
pub async fn different(
    there: &mut Session,
    live: &mut Session,
    known: &Match,
    site: &SiteId,
) -> Result<Vec<String>, Fault> {
    let mut different = Vec::new();
    for carried in &known.carried {
        let (then, now) = both(there, live, known, carried, site).await?;
        if then != now {
            different.push(carried.table.to_string());
        }
    }
    Ok(different)
}

async fn same_rows(
    there: &mut Session,
    live: &mut Session,
    known: &Match,
    site: &SiteId,
    context: &dyn Context,
) -> Result<(Check, Volume), Fault> {
    let mut tables = Map::new();
    let mut volume = Volume::default();
    let mut different = Vec::new();
    for carried in &known.carried {
        phase(context, &format!("comparing {}", carried.table));
        let (then, now) = both(there, live, known, carried, site).await?;
        volume.rows += split(&now).0;
        let evidence = match then == now {
            true => shown(&then),
            false => {
                different.push(carried.table.to_string());
                json!({ "scratch": shown(&then), "live": shown(&now) })
            }
        };
        tables.insert(carried.table.to_string(), evidence);
    }
    let check = Check {
        name: "slice-rows".to_owned(),
        verdict: verdict(different.is_empty()),
        evidence: json!({ "tables": tables, "different": different }),
    };
    Ok((check, volume))
}

fn split(sums: &str) -> (u64, &str) {
    let (rows, sums) = sums.split_once('/').unwrap_or((sums, ""));
    (rows.parse().unwrap_or_default(), sums)
}

fn shown(sums: &str) -> Value {
    let (rows, checksum) = split(sums);
    json!({ "rows": rows, "checksum": checksum })
}

async fn foreign_keys(live: &mut Session, known: &Match, site: &SiteId) -> Result<Check, Fault> {
    let rows = known.at_live(site.as_str());
    let broken = integrity::broken(live, &rows).await?;
    let named: Vec<Value> = broken
        .iter()
        .map(|(key, rows)| {
            json!({ "constraint": key.name, "table": key.child.to_string(),
                    "refers_to": key.parent.to_string(), "rows": rows })
        })
        .collect();
    Ok(Check {
        name: "foreign-keys".to_owned(),
        verdict: verdict(broken.is_empty()),
        evidence: json!({ "constraints": integrity::outgoing(&rows).len(), "broken": named }),
    })
}

fn verdict(good: bool) -> Verdict {
    if good { Verdict::Pass } else { Verdict::Fail }
}
