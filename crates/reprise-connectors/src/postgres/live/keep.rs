//! `on_conflict: keep`: live rows win, and what is missing is added.
//!
//! Each table goes through a temporary copy of its columns, so that a row can
//! be left out where its key is there already. Only the site's own live rows
//! may win: where a neighbour's row holds the key, that is a refusal. A table
//! without a key is compared as a bag of whole rows.

use reprise_model::{Fault, Volume};
use reprise_ports::Progress;

use super::load::{Tally, Work, stream, temporary, transfer};
use super::restore::phase;
use super::session::Session;
use super::verify::Ends;
use crate::postgres::slice::{Carried, Key, SQL, SiteRows, Table, quoted, quoted_list};

pub async fn load(
    there: &mut Session<'_>,
    live: &mut Session<'_>,
    work: &Work<'_>,
    tally: &mut Tally,
) -> Result<(), Fault> {
    for (at, carried) in work.known.carried.iter().enumerate() {
        if let Some(table) = work.known.now.table(&carried.table)
            && !carried.columns.is_empty()
        {
            let staged = temporary("keep", at);
            stage(live, carried, &staged).await?;
            let copied = stream(there, live, work, carried, &staged, tally.volume).await?;
            phase(work.context, format!("adding to {}", carried.table));
            let added = add(live, work, carried, table, &staged).await?;
            live.run("dropping a temporary table", format!("drop table {staged}"))
                .await?;
            tally.volume += Volume {
                rows: added,
                bytes: copied.bytes,
            };
            tally.tables.insert(carried.table.to_string(), added);
            if copied.rows > added {
                let kept = copied.rows - added;
                tally.kept.insert(carried.table.to_string(), kept);
            }
        }
    }
    Ok(())
}

/// A temporary table with the carried columns. Nobody else can see it.
pub async fn stage(live: &mut Session<'_>, carried: &Carried, staged: &str) -> Result<(), Fault> {
    let columns = quoted_list("", carried.columns.iter().map(String::as_str));
    let sql = format!(
        "create temporary table {} on commit drop as select {columns} from {} with no data",
        staged.trim_start_matches("pg_temp."),
        SQL.table(&carried.table)
    );
    live.run("making a temporary table", sql).await?;
    Ok(())
}

async fn add(
    live: &mut Session<'_>,
    work: &Work<'_>,
    carried: &Carried,
    table: &Table,
    staged: &str,
) -> Result<u64, Fault> {
    let rows = work.live_rows();
    let columns = quoted_list("", carried.columns.iter().map(String::as_str));
    let into = format!(
        "insert into {} ({columns}) overriding system value",
        SQL.table(&table.name)
    );
    let doing = format!("adding to {}", table.name);
    let keys: Vec<&Key> = usable_keys(carried, table);
    if keys.is_empty() {
        let Some(own) = rows.of(&table.name) else {
            return Ok(0);
        };
        let there = quoted_list("t.", carried.columns.iter().map(String::as_str));
        let sql =
            format!("{into} select {columns} from {staged} except all select {there} from {own}");
        return live.run(&doing, sql).await;
    }
    for key in &keys {
        taken_by_others(live, work, table, key, staged).await?;
    }
    let sql = format!("{into} select {columns} from {staged} on conflict do nothing");
    let added = live.run(&doing, sql).await?;
    explained(live, &rows, table, &keys, staged, added).await?;
    Ok(added)
}

/// Keys over columns that are carried, and that hold for all rows.
pub fn usable_keys<'t>(carried: &Carried, table: &'t Table) -> Vec<&'t Key> {
    let keys = table.keys.iter().filter(|key| key.plain);
    keys.filter(|key| key.columns.iter().all(|c| carried.columns.contains(c)))
        .collect()
}

pub fn same_key(key: &Key, one: &str, other: &str) -> String {
    let pairs: Vec<String> = key
        .columns
        .iter()
        .map(|column| format!("{one}.{0} = {other}.{0}", quoted(column)))
        .collect();
    pairs.join(" and ")
}

/// Refuses where a row that is not the site's has a key of the slice.
async fn taken_by_others(
    live: &mut Session<'_>,
    work: &Work<'_>,
    table: &Table,
    key: &Key,
    staged: &str,
) -> Result<(), Fault> {
    let Some(own) = work.live_rows().condition(&table.name, "t") else {
        return Ok(());
    };
    let sql = format!(
        "select count(*) from {staged} s join {} t on {} where ({own}) is not true",
        SQL.from(table),
        same_key(key, "s", "t")
    );
    let taken: i64 = live.value("looking for keys in use", sql).await?;
    if taken == 0 {
        return Ok(());
    }
    Err(Fault::refused(format!(
        "table {}: {taken} row(s) of other sites have taken values of the slice since (unique constraint {})",
        table.name, key.name
    )))
}

/// Every row that was left out has a counterpart among the site's live rows.
/// One that has none was stopped by a partial unique index or the like.
async fn explained(
    live: &mut Session<'_>,
    rows: &SiteRows<'_>,
    table: &Table,
    keys: &[&Key],
    staged: &str,
    added: u64,
) -> Result<(), Fault> {
    let Some(own) = rows.condition(&table.name, "t") else {
        return Ok(());
    };
    let from = SQL.from(table);
    let present: Vec<String> = keys
        .iter()
        .map(|key| {
            let same = same_key(key, "s", "t");
            format!("exists (select 1 from {from} t where {same} and {own})")
        })
        .collect();
    let sql = format!(
        "select count(*) from {staged} s where not ({})",
        present.join(" or ")
    );
    let lost: i64 = live.value("accounting for rows left out", sql).await?;
    if lost == 0 {
        return Ok(());
    }
    Err(Fault::refused(format!(
        "table {}: {lost} row(s) of the slice collide with rows of other sites by a partial or expression index ({added} could be added)",
        table.name
    )))
}

/// How the rows of scratch stand against live ones that were kept.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// Rows of scratch without a counterpart in live.
    pub missing: i64,
    /// Counterparts that are not the same row.
    pub different: i64,
}

/// Lays the rows of scratch beside live's in a temporary table.
pub async fn compare(ends: &mut Ends<'_, '_>, at: usize, carried: &Carried) -> Result<Kept, Fault> {
    let now = ends.known.at_live(ends.site.as_str());
    let then = ends.portions().0.query(carried).unwrap_or_default();
    let staged = temporary("verify", at);
    stage(ends.live, carried, &staged).await?;
    let context = ends.context;
    transfer(ends.there, ends.live, &then, carried, &staged, |copied| {
        context.progress(Progress {
            volume: Volume {
                rows: copied.rows,
                bytes: copied.bytes,
            },
            ..Progress::default()
        });
    })
    .await?;
    let (Some(table), Some(own)) = (
        ends.known.now.table(&carried.table),
        now.condition(&carried.table, "t"),
    ) else {
        return Ok(Kept {
            missing: 0,
            different: 0,
        });
    };
    let columns = |prefix| quoted_list(prefix, carried.columns.iter().map(String::as_str));
    let (from, theirs, ours) = (SQL.from(table), columns("s."), columns("t."));
    let sql = match usable_keys(carried, table).first() {
        Some(key) => format!(
            "select count(*) filter (where t.present is null),
                    count(*) filter (where t.present and t.line is distinct from row({theirs})::text)
             from {staged} s left join lateral (
               select true as present, row({ours})::text as line from {from} t where {} and {own}) t on true",
            same_key(key, "s", "t")
        ),
        None => format!(
            "select count(*), 0::int8 from (select {theirs} from {staged} s except all select {ours} from {from} t where {own}) lost"
        ),
    };
    let doing = format!("comparing {}", carried.table);
    let row = ends.live.row(&doing, sql).await?;
    Ok(Kept {
        missing: ends.live.get(&doing, &row, 0)?,
        different: ends.live.get(&doing, &row, 1)?,
    })
}
