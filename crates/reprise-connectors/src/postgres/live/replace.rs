//! `on_conflict: replace`: the site's live rows go, the slice comes.
//!
//! Children are deleted before parents, each by the site's predicate. In
//! replica mode nothing cascades, so what neighbours' rows refer to is noted
//! before, and must be there again after.

use reprise_model::Fault;

use super::load::{Tally, Work, temporary};
use super::references::{from_others, incoming};
use super::restore::phase;
use super::session::Session;
use super::transaction::Mode;
use crate::postgres::slice::{ForeignKey, SQL, SiteRows, quoted, quoted_list};

/// Keys that rows of others refer to, noted in a temporary table.
pub struct Noted {
    key: ForeignKey,
    /// `only "s"."t"` of the referenced table.
    parent: String,
    table: String,
}

/// Deletes the site's live rows. Returns what others refer to among them.
pub async fn clear(
    live: &mut Session<'_>,
    work: &Work<'_>,
    tally: &mut Tally,
) -> Result<Vec<Noted>, Fault> {
    match work.mode {
        Mode::Replica => {}
        Mode::Deferred => {
            return Err(Fault::refused(
                "live rows of the site can be replaced in replica mode only, because a deletion could cascade to neighbours",
            )
            .hint("`grant set on parameter session_replication_role to ...`, or `on_conflict: keep`"));
        }
    }
    let rows = work.live_rows();
    let noted = note(live, &rows).await?;
    for owned in work.known.slice.tables.iter().rev() {
        let table = &owned.table;
        phase(work.context, format!("clearing {table}"));
        if let Some(from) = rows.of(table) {
            let doing = format!("deleting the site's rows of {table}");
            let deleted = live.run(&doing, format!("delete from {from}")).await?;
            if deleted > 0 {
                tally.replaced.insert(table.to_string(), deleted);
            }
        }
    }
    Ok(noted)
}

async fn note(live: &mut Session<'_>, rows: &SiteRows<'_>) -> Result<Vec<Noted>, Fault> {
    let mut noted = Vec::new();
    for (at, key) in incoming(rows).into_iter().enumerate() {
        let Some(from) = from_others(rows, key) else {
            continue;
        };
        let table = temporary("refers", at);
        let columns = quoted_list("t.", key.columns.iter().map(String::as_str));
        let sql = format!(
            "create temporary table {} on commit drop as select distinct {columns} from {from}",
            table.trim_start_matches("pg_temp.")
        );
        live.run("noting what others refer to", sql).await?;
        noted.push(Noted {
            key: key.clone(),
            parent: rows.from(&key.parent),
            table,
        });
    }
    Ok(noted)
}

/// Refuses where a row that others refer to did not come back.
pub async fn still_whole(live: &mut Session<'_>, noted: &[Noted]) -> Result<(), Fault> {
    for noted in noted {
        let key = &noted.key;
        let sql = format!(
            "select count(*) from {} t where not exists (select 1 from {} q where {})",
            noted.table,
            noted.parent,
            key.join(SQL, "q", "t")
        );
        let lost: i64 = live.value("checking what others refer to", sql).await?;
        if lost > 0 {
            let columns: Vec<String> = key.columns.iter().map(|c| quoted(c)).collect();
            return Err(Fault::refused(format!(
                "{lost} row(s) of {} that other sites' rows in {} refer to ({}, by {}) are not in the slice of the target time",
                key.parent, key.child, columns.join(", "), key.name
            ))
            .hint("`on_conflict: keep` leaves them"));
        }
    }
    Ok(())
}
