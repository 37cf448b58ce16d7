//! The checks of a verification, each with its evidence.

use reprise_model::{Check, Fault, Verdict, Volume};
use serde_json::{Map, Value, json};

use super::checksum::{Checksum, checksum};
use super::references::{from_others, incoming};
use super::restore::phase;
use super::verify::Ends;
use super::{integrity, keep, sequences};

fn verdict(good: bool) -> Verdict {
    if good { Verdict::Pass } else { Verdict::Fail }
}

/// Every row of scratch is in live, and no other of the site's.
pub async fn same_rows(ends: &mut Ends<'_, '_>) -> Result<(Check, Volume), Fault> {
    let known = ends.known;
    let mut tables = Map::new();
    let mut volume = Volume::default();
    let mut different = Vec::new();
    for carried in &known.carried {
        phase(ends.context, format!("comparing {}", carried.table));
        let (then, now) = ends.portions();
        let (then, now) = futures::try_join!(
            checksum(ends.there, then, carried),
            checksum(ends.live, now, carried)
        )?;
        if then != now {
            different.push(carried.table.to_string());
        }
        volume.rows += now.rows;
        tables.insert(carried.table.to_string(), both(&then, &now));
    }
    let check = Check {
        name: "slice-rows".to_owned(),
        verdict: verdict(different.is_empty()),
        evidence: json!({ "tables": tables, "different": different }),
    };
    Ok((check, volume))
}

/// One number where both agree keeps the evidence small.
fn both(then: &Checksum, now: &Checksum) -> Value {
    match then == now {
        true => json!({ "rows": then.rows, "checksum": then.checksum }),
        false => json!({ "scratch": then, "live": now }),
    }
}

/// Every row of scratch has a counterpart in live by its key; where live's is
/// different, that was the choice.
pub async fn rows_kept(ends: &mut Ends<'_, '_>) -> Result<(Check, Volume), Fault> {
    let known = ends.known;
    let mut tables = Map::new();
    let mut volume = Volume::default();
    let mut missing = Vec::new();
    for (at, carried) in known.carried.iter().enumerate() {
        phase(ends.context, format!("comparing {}", carried.table));
        let (then, now) = ends.portions();
        let (then, now) = futures::try_join!(
            checksum(ends.there, then, carried),
            checksum(ends.live, now, carried)
        )?;
        let mut evidence = both(&then, &now);
        if then != now {
            let found = keep::compare(ends, at, carried).await?;
            if found.missing > 0 {
                missing.push(carried.table.to_string());
            }
            evidence["missing"] = json!(found.missing);
            evidence["live_differs_by_choice"] = json!(found.different);
        }
        volume.rows += now.rows;
        tables.insert(carried.table.to_string(), evidence);
    }
    let check = Check {
        name: "slice-rows".to_owned(),
        verdict: verdict(missing.is_empty()),
        evidence: json!({ "tables": tables, "missing": missing, "on_conflict": "keep" }),
    };
    Ok((check, volume))
}

/// Every row of the site has the rows that it refers to.
pub async fn foreign_keys(ends: &mut Ends<'_, '_>) -> Result<Check, Fault> {
    phase(ends.context, "checking foreign keys");
    let rows = ends.known.at_live(ends.site.as_str());
    let (validated, not): (Vec<_>, Vec<_>) = integrity::outgoing(&rows)
        .into_iter()
        .partition(|key| key.validated);
    let broken = integrity::broken(ends.live, &rows).await?;
    let named: Vec<Value> = broken
        .iter()
        .map(|b| {
            json!({ "constraint": b.key.name, "table": b.key.child.to_string(),
                    "refers_to": b.key.parent.to_string(), "rows": b.rows })
        })
        .collect();
    let not: Vec<&str> = not.into_iter().map(|key| key.name.as_str()).collect();
    Ok(Check {
        name: "foreign-keys".to_owned(),
        verdict: verdict(broken.is_empty()),
        evidence: json!({ "constraints": validated.len(), "broken": named, "not_validated": not }),
    })
}

/// Rows of others that referred to the site's at T, and that do so now. What
/// neighbours did with their own rows since is theirs: reported, no failure.
pub async fn references_in(ends: &mut Ends<'_, '_>) -> Result<Check, Fault> {
    let site = ends.site.as_str();
    let then = ends.known.at_scratch(site);
    let now = ends.known.at_live(site);
    let queries = |rows: &crate::postgres::slice::SiteRows<'_>| -> Vec<(String, String)> {
        incoming(rows)
            .into_iter()
            .filter_map(|key| {
                let name = format!("{}.{}", key.child, key.name);
                Some((name, from_others(rows, key)?))
            })
            .collect()
    };
    let doing = "counting references from other sites";
    let (then, now) = (queries(&then), queries(&now));
    let (then, now) = futures::try_join!(
        ends.there.counts(doing, &then),
        ends.live.counts(doing, &now)
    )?;
    let mut references = Map::new();
    for (name, count) in &then {
        let today = now.iter().find(|(other, _)| other == name);
        let today = today.map_or(0, |(_, count)| *count);
        if *count > 0 || today > 0 {
            references.insert(name.clone(), json!({ "then": count, "now": today }));
        }
    }
    Ok(Check {
        name: "references-in".to_owned(),
        verdict: Verdict::Pass,
        evidence: json!({ "constraints": then.len(), "from_other_sites": references }),
    })
}

/// No sequence will give out a value that the slice holds.
pub async fn sequences(ends: &mut Ends<'_, '_>) -> Result<Check, Fault> {
    let rows = ends.known.at_live(ends.site.as_str());
    let standings = sequences::standings(ends.live, ends.known, &rows).await?;
    let behind: Vec<Value> = standings
        .iter()
        .filter(|standing| standing.behind())
        .map(|s| {
            json!({ "sequence": s.sequence.name.to_string(), "column": format!("{}.{}", s.table, s.column),
                    "last": s.last, "slice": s.furthest })
        })
        .collect();
    Ok(Check {
        name: "sequences".to_owned(),
        verdict: verdict(behind.is_empty()),
        evidence: json!({ "sequences": standings.len(), "behind": behind }),
    })
}
