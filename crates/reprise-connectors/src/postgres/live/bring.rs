//! What others waited for: with a site come the rows of sites already back
//! that could not be in live without it.
//!
//! They are found on scratch, laid into temporary tables, and added where they
//! are missing, in the transaction of the site that they waited for. Such a
//! row cannot have been deleted by its site's users, because it was not there
//! to be deleted; what they did delete is not touched. Where a row's other
//! parent is gone by now, the row stays out, as if it had gone with it.

use std::collections::{BTreeMap, BTreeSet};

use reprise_model::{Fault, Outcome, SiteId, Volume};
use serde_json::json;

use super::fill::fill_in;
use super::integrity;
use super::keep::{stage, usable_keys};
use super::leaning::Leaning;
use super::links::Link;
use super::load::{Work, temporary, transfer};
use super::restore::phase;
use super::session::Session;
use crate::postgres::slice::{Carried, ForeignKey, SQL, SiteRows, Table, quoted_list};

/// Where the rows that were added stand, for the checks before the commit.
const ADDED: &str = "pg_temp.reprise_added";

#[derive(Debug)]
pub struct Brings {
    pub leaning: Leaning,
    pub coming: SiteId,
    /// Linked sites that are in live.
    pub present: BTreeSet<SiteId>,
}

impl Brings {
    /// Rows of present sites that lean on the coming one and on no absent one.
    pub fn rows(&self, then: &SiteRows<'_>, carried: &Carried) -> Option<String> {
        if !self.leaning.may_hold(&carried.table) || carried.columns.is_empty() {
            return None;
        }
        Some(format!(
            "{} select {} from {} t where {} and {} and not {}",
            self.leaning.with(then),
            self.leaning.columns(then, carried),
            then.from(&carried.table),
            then.condition_of(&carried.table, "t", &self.present)?,
            self.leaning.on("t", [&self.coming]),
            self.leaning.on("t", &self.leaning.absent)
        ))
    }

    /// Rows of present sites whose reference to what is coming was left null.
    pub fn references(
        &self,
        then: &SiteRows<'_>,
        link: &Link,
        carried: &Carried,
    ) -> Option<String> {
        Some(format!(
            "{} select {} from {} t where {} and not {} and {} and not {}",
            self.leaning.with(then),
            quoted_list("t.", carried.columns.iter().map(String::as_str)),
            then.from(&carried.table),
            then.condition_of(&carried.table, "t", &self.present)?,
            self.leaning.on("t", &self.leaning.absent),
            self.leaning.refers_to(then, link, [&self.coming]),
            self.leaning.refers_to(then, link, &self.leaning.absent)
        ))
    }
}

/// What came back for others, table by table.
#[derive(Debug, Default)]
pub struct Brought {
    rows: BTreeMap<String, u64>,
    pub references: BTreeMap<String, u64>,
    /// Rows with another parent that is gone by now.
    left_out: BTreeMap<String, u64>,
    volume: Volume,
}

impl Brought {
    pub fn tell(self, outcome: &mut Outcome) {
        for (name, counts) in [
            ("brought_back", self.rows),
            ("references_filled_in", self.references),
            ("left_out", self.left_out),
        ] {
            if !counts.is_empty() {
                outcome.output.insert(name.to_owned(), json!(counts));
            }
        }
        outcome.volume += self.volume;
    }
}

pub async fn back(
    there: &mut Session<'_>,
    live: &mut Session<'_>,
    work: &Work<'_>,
    brings: &Brings,
) -> Result<Brought, Fault> {
    phase(work.context, "bringing back what waited for the site");
    let known = work.known;
    let then = known.at_scratch(work.site.as_str());
    let mut brought = Brought::default();
    for (at, carried) in known.carried.iter().enumerate() {
        let (Some(table), Some(query)) =
            (known.now.table(&carried.table), brings.rows(&then, carried))
        else {
            continue;
        };
        let staged = temporary("brings", at);
        let Some(copied) = lay(there, live, carried, &query, &staged).await? else {
            continue;
        };
        if brought.volume == Volume::default() {
            let sql = "create temporary table reprise_added (tab oid, at tid) on commit drop";
            live.run("making a temporary table", sql.to_owned()).await?;
        }
        let added = add(live, work, brings, carried, table, &staged).await?;
        brought.volume += copied;
        brought.rows.insert(carried.table.to_string(), added);
        if copied.rows > added {
            let left = copied.rows - added;
            brought.left_out.insert(carried.table.to_string(), left);
        }
    }
    if brought.volume != Volume::default() {
        hold_and_prune(live, work, &mut brought).await?;
    }
    fill_in(there, live, work, brings, &mut brought).await?;
    Ok(brought)
}

/// Copies what `query` finds into a new temporary table; none for no rows.
pub async fn lay(
    there: &mut Session<'_>,
    live: &mut Session<'_>,
    carried: &Carried,
    query: &str,
    staged: &str,
) -> Result<Option<Volume>, Fault> {
    let doing = format!("looking for rows of {} that waited", carried.table);
    let any = format!("select exists ({query})");
    if !there.value::<bool>(&doing, any).await? {
        return Ok(None);
    }
    stage(live, carried, staged).await?;
    let copied = transfer(there, live, query, carried, staged, |_| ()).await?;
    live.run("counting", format!("analyze {staged}")).await?;
    Ok(Some(Volume {
        rows: copied.rows,
        bytes: copied.bytes,
    }))
}

async fn add(
    live: &mut Session<'_>,
    work: &Work<'_>,
    brings: &Brings,
    carried: &Carried,
    table: &Table,
    staged: &str,
) -> Result<u64, Fault> {
    let rows = work.live_rows();
    let columns = quoted_list("", carried.columns.iter().map(String::as_str));
    let from = match usable_keys(carried, table).is_empty() {
        false => format!("select {columns} from {staged} on conflict do nothing"),
        true => {
            let there = quoted_list("t.", carried.columns.iter().map(String::as_str));
            let others = rows.condition_of(&table.name, "t", &brings.present);
            format!(
                "select {columns} from {staged} except all select {there} from {} t where {}",
                SQL.from(table),
                others.unwrap_or_else(|| "false".to_owned())
            )
        }
    };
    let sql = format!(
        "with added as (insert into {} ({columns}) overriding system value {from} returning tableoid, ctid)
         insert into {ADDED} select * from added",
        SQL.table(&table.name)
    );
    let doing = format!("bringing back rows of {}", table.name);
    live.run(&doing, sql).await
}

/// Locks the parents of the added rows as the server's own check would, and
/// takes back those whose parent is gone, until all that are left have theirs.
async fn hold_and_prune(
    live: &mut Session<'_>,
    work: &Work<'_>,
    brought: &mut Brought,
) -> Result<(), Fault> {
    let rows = work.live_rows();
    live.run("counting", format!("analyze {ADDED}")).await?;
    let whole = |key: &ForeignKey| rows.owned(&key.child).map(|owned| owned.table.to_string());
    let keys: Vec<&ForeignKey> = integrity::outgoing(&rows)
        .into_iter()
        .filter(|key| key.validated)
        .filter(|key| whole(key).is_some_and(|table| brought.rows.contains_key(&table)))
        .collect();
    let added = |key: &ForeignKey| {
        format!(
            "{} t join {ADDED} a on a.tab = t.tableoid and a.at = t.ctid",
            rows.from(&key.child)
        )
    };
    for key in &keys {
        let sql = format!(
            "with held as (select 1 from {} q
               where exists (select 1 from {} where {}) for key share of q) select count(*) from held",
            rows.from(&key.parent),
            added(key),
            key.join(SQL, "q", "t")
        );
        live.run(&format!("holding the parents of {}", key.name), sql)
            .await?;
    }
    let queries: Vec<(String, String)> = keys
        .iter()
        .map(|key| {
            (
                key.name.clone(),
                format!("{} where {}", added(key), orphan(&rows, key, "t")),
            )
        })
        .collect();
    let doing = "checking the rows that were brought back";
    loop {
        let counts = live.counts(doing, &queries).await?;
        let lost = counts.iter().zip(&keys).find(|((_, count), _)| *count > 0);
        let Some((_, key)) = lost else {
            return Ok(());
        };
        let sql = format!(
            "delete from {} t using {ADDED} a where a.tab = t.tableoid and a.at = t.ctid and {}",
            rows.from(&key.child),
            orphan(&rows, key, "t")
        );
        let gone = live.run(doing, sql).await?;
        let table = whole(key).unwrap_or_default();
        *brought.left_out.entry(table.clone()).or_default() += gone;
        *brought.rows.entry(table).or_default() -= gone;
    }
}

/// The row under `child` refers to a parent that is not there.
pub fn orphan(rows: &SiteRows<'_>, key: &ForeignKey, child: &str) -> String {
    format!(
        "({} and not exists (select 1 from {} q where {}))",
        key.refers(SQL, child),
        rows.from(&key.parent),
        key.join(SQL, "q", child)
    )
}
