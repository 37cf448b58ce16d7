//! Foreign keys out of the slice, checked by ourselves.
//!
//! Replica mode leaves the server's own checks out. So, before the commit, each
//! constraint of the live schema is looked at for the site's rows: parents
//! outside of the slice are locked `for key share`, exactly as the server's
//! check would, so that they cannot vanish before the commit; then rows
//! without a parent are counted.

use reprise_model::Fault;

use super::links::identity;
use super::session::Session;
use crate::postgres::slice::{Claim, ForeignKey, SQL, SiteRows, quoted};

/// Rows that break one constraint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken {
    pub key: ForeignKey,
    pub rows: u64,
    /// Which rows: `id 90, 91`; empty for a table without a primary key.
    pub examples: String,
}

/// Rows that a refusal names.
const NAMED: usize = 3;

/// The constraints of live whose referencing rows may be the site's.
pub fn outgoing<'a>(rows: &SiteRows<'a>) -> Vec<&'a ForeignKey> {
    let keys = rows.catalog.foreign_keys.iter();
    keys.filter(|key| rows.owned(&key.child).is_some())
        .collect()
}

/// Those of them whose parents may be others', and must be held.
pub fn held<'a>(rows: &'a SiteRows<'a>) -> impl Iterator<Item = &'a ForeignKey> {
    let keys = outgoing(rows).into_iter();
    keys.filter(|key| !rows.stays_inside(key) && !ties_ownership(rows, key))
}

/// Locks the parents that belong to others, as the server's own check would.
pub async fn hold_parents(live: &mut Session<'_>, rows: &SiteRows<'_>) -> Result<(), Fault> {
    for key in held(rows) {
        if let Some(sql) = hold(rows, key) {
            live.run(&format!("holding the parents of {}", key.name), sql)
                .await?;
        }
    }
    Ok(())
}

/// The key by which the child's owner is decided: its parents are the site's.
pub fn ties_ownership(rows: &SiteRows<'_>, key: &ForeignKey) -> bool {
    let claims = rows.owned(&key.child).map(|owned| owned.claims.as_slice());
    match claims {
        Some([Claim::Parent { key: by, .. }]) => by.name == key.name && by.child == key.child,
        Some(_) | None => false,
    }
}

fn hold(rows: &SiteRows<'_>, key: &ForeignKey) -> Option<String> {
    let child = format!("{} t", rows.from(&key.child));
    let site = rows.condition(&key.child, "t")?;
    let parent = rows.from(&key.parent);
    let join = key.join(SQL, "q", "t");
    let of_others = match rows.condition(&key.parent, "q") {
        Some(own) => format!("({own}) is not true and "),
        None => String::new(),
    };
    Some(format!(
        "with held as (select 1 from {parent} q
           where {of_others}exists (select 1 from {child} where {join} and {site}) for key share of q)
         select count(*) from held"
    ))
}

/// Counts the site's rows whose parent is missing.
pub async fn broken(live: &mut Session<'_>, rows: &SiteRows<'_>) -> Result<Vec<Broken>, Fault> {
    let keys: Vec<&ForeignKey> = outgoing(rows)
        .into_iter()
        .filter(|key| key.validated)
        .collect();
    let queries: Vec<(String, String)> = keys
        .iter()
        .enumerate()
        .filter_map(|(at, key)| Some((at.to_string(), orphans(rows, key)?)))
        .collect();
    let counts = live.counts("checking foreign keys", &queries).await?;
    let mut broken = Vec::new();
    for (at, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        if let Some(key) = at.parse::<usize>().ok().and_then(|at| keys.get(at)) {
            broken.push(Broken {
                key: (*key).clone(),
                rows: count,
                examples: examples(live, rows, key).await?,
            });
        }
    }
    Ok(broken)
}

/// The primary keys of a few rows that break the constraint.
async fn examples(
    live: &mut Session<'_>,
    rows: &SiteRows<'_>,
    key: &ForeignKey,
) -> Result<String, Fault> {
    let table = rows.catalog.table(&key.child);
    let (Some(primary), Some(from)) = (table.and_then(identity), orphans(rows, key)) else {
        return Ok(String::new());
    };
    let columns: Vec<String> = primary
        .columns
        .iter()
        .map(|column| format!("t.{}", quoted(column)))
        .collect();
    let sql = format!(
        "select coalesce(string_agg(found.key, ', '), '') from (
           select concat_ws('/', {}) as key from {from} order by {} limit {NAMED}) found",
        columns.join(", "),
        columns.join(", ")
    );
    let found: String = live.value("looking for examples", sql).await?;
    Ok(format!("{} {found}", primary.columns.join("/")))
}

/// The site's rows that break the constraint, as what follows `from`.
fn orphans(rows: &SiteRows<'_>, key: &ForeignKey) -> Option<String> {
    let child = rows.from(&key.child);
    let site = rows.condition(&key.child, "t")?;
    let parent = rows.from(&key.parent);
    let lost = format!(
        "{} and not exists (select 1 from {parent} q where {})",
        key.refers(SQL, "t"),
        key.join(SQL, "q", "t")
    );
    // `match full` knows no half-filled reference.
    let mixed = match key.full && key.columns.len() > 1 {
        true => format!(
            " or not ({}) and ({})",
            key.refers(SQL, "t"),
            key.refers(SQL, "t").replace(" and ", " or ")
        ),
        false => String::new(),
    };
    Some(format!("{child} t where {site} and ({lost}{mixed})"))
}

/// Refuses, naming each constraint and how many rows break it.
pub fn whole(broken: &[Broken]) -> Result<(), Fault> {
    if broken.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = broken
        .iter()
        .map(|b| {
            format!(
                "{} of {} refers to {} that live no longer has: {} row(s){}",
                b.key.name,
                b.key.child,
                b.key.parent,
                b.rows,
                if b.examples.is_empty() {
                    String::new()
                } else {
                    format!(", such as {}", b.examples)
                }
            )
        })
        .collect();
    Err(Fault::refused(named.join("; "))
        .hint("restore what the rows refer to first: where it is another site's, name that site in the same run, and each waits for the other"))
}
