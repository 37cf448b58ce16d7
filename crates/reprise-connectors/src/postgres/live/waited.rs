//! Whether all is in live that waited for a site, for its verification.

use std::collections::BTreeMap;

use reprise_model::Fault;
use serde::Serialize;

use super::bring::{Brings, lay, orphan};
use super::keep::{same_key, usable_keys};
use super::load::temporary;
use super::verify::Ends;
use crate::postgres::slice::{Carried, SQL, SiteRows, Table, TableName, quoted_list};

/// Rows of others that waited for the site, against live.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Found {
    pub rows: u64,
    pub missing: i64,
    /// Missing together with another parent of theirs, which is gone.
    pub left_out: i64,
}

/// Lays the rows that leaned on the site beside live's.
pub async fn compare(
    ends: &mut Ends<'_, '_>,
    brings: &Brings,
) -> Result<BTreeMap<String, Found>, Fault> {
    let known = ends.known;
    let then = known.at_scratch(ends.site.as_str());
    let now = known.at_live(ends.site.as_str());
    let mut found = BTreeMap::new();
    for (at, carried) in known.carried.iter().enumerate() {
        let (Some(table), Some(query)) =
            (known.now.table(&carried.table), brings.rows(&then, carried))
        else {
            continue;
        };
        let staged = temporary("waited", at);
        let Some(laid) = lay(ends.there, ends.live, carried, &query, &staged).await? else {
            continue;
        };
        let missing = missing(&now, brings, carried, table, &staged);
        let gone = parents_gone(&now, &carried.table);
        let sql = format!(
            "select count(*) filter (where not ({gone})), count(*) filter (where {gone}) from ({missing}) s"
        );
        let doing = format!(
            "comparing rows of {} that waited for the site",
            carried.table
        );
        let row = ends.live.row(&doing, sql).await?;
        let entry = Found {
            rows: laid.rows,
            missing: ends.live.get(&doing, &row, 0)?,
            left_out: ends.live.get(&doing, &row, 1)?,
        };
        found.insert(carried.table.to_string(), entry);
    }
    Ok(found)
}

fn missing(
    now: &SiteRows<'_>,
    brings: &Brings,
    carried: &Carried,
    table: &Table,
    staged: &str,
) -> String {
    let columns = |prefix| quoted_list(prefix, carried.columns.iter().map(String::as_str));
    let (ours, theirs, from) = (columns("s."), columns("t."), SQL.from(table));
    match usable_keys(carried, table).first() {
        Some(key) => format!(
            "select {ours} from {staged} s where not exists (select 1 from {from} t where {})",
            same_key(key, "s", "t")
        ),
        None => {
            let others = now.condition_of(&table.name, "t", &brings.present);
            format!(
                "select {ours} from {staged} s except all select {theirs} from {from} t where {}",
                others.unwrap_or_else(|| "false".to_owned())
            )
        }
    }
}

/// Some parent of the row under `s` is not in live.
fn parents_gone(now: &SiteRows<'_>, table: &TableName) -> String {
    let keys = now.catalog.keys_of(table).filter(|key| key.validated);
    let gone: Vec<String> = keys.map(|key| orphan(now, key, "s")).collect();
    match gone.is_empty() {
        true => "false".to_owned(),
        false => gone.join(" or "),
    }
}
