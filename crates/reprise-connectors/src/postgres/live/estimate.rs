//! What an average site holds, so that a plan can say how much it will move.

use reprise_model::{Fault, Volume};
use reprise_ports::Estimate;

use super::session::Session;
use crate::postgres::slice::{Catalog, Claim, SQL, Slice, quoted};
use crate::rows::Options;

/// From the planner's statistics, divided by the sites that are there.
pub async fn estimate(
    live: &mut Session<'_>,
    slice: &Slice,
    now: &Catalog,
) -> Result<Estimate, Fault> {
    let claim = slice
        .owned(&slice.root)
        .and_then(|root| root.claims.first());
    let (Some(Claim::Key { column, .. }), Some(root)) = (claim, now.table(&slice.root)) else {
        return Ok(Estimate::default());
    };
    let timeout = Options::default().lock_timeout.as_millis();
    let sql = format!(
        "begin read only; set local lock_timeout = {timeout}; set local statement_timeout = '30s'"
    );
    live.run("counting sites", sql).await?;
    let count = format!(
        "select count(distinct {}) from {}",
        quoted(column),
        SQL.from(root)
    );
    let sites: i64 = live.value("counting sites", count).await?;
    live.run("counting sites", "commit".to_owned()).await?;
    let tables = || {
        slice
            .tables
            .iter()
            .filter_map(|owned| now.table(&owned.table))
    };
    let rows: f64 = tables().map(|table| table.rows).sum();
    let bytes: i64 = tables().map(|table| table.bytes).sum();
    let per_site = |total: u64| total.checked_div(u64::try_from(sites).unwrap_or_default());
    let volume = per_site(rows as u64).zip(per_site(u64::try_from(bytes).unwrap_or_default()));
    Ok(Estimate {
        per_site: volume.map(|(rows, bytes)| Volume { rows, bytes }),
        scratch_bytes: None,
        live_sites: u64::try_from(sites).ok(),
    })
}
