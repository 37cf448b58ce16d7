//! Foreign keys out of the slice, checked by ourselves.
//!
//! The server does not check them in our session, since it would want parents
//! before children row by row. So, before the commit, parents that belong to
//! others are locked as the server's own check would lock them, and rows
//! without a parent are counted.

use reprise_model::Fault;

use crate::mariadb::session::Session;
use crate::rows::{Claim, Dialect, ForeignKey, SiteRows};

const SQL: Dialect = Dialect::Mariadb;

/// The constraints of live whose referencing rows may be the site's.
pub fn outgoing<'a>(rows: &SiteRows<'a>) -> Vec<&'a ForeignKey> {
    let keys = rows.catalog.foreign_keys.iter();
    keys.filter(|key| rows.owned(&key.child).is_some())
        .collect()
}

/// Rows of the site whose parent is missing, by constraint.
pub async fn broken<'a>(
    session: &mut Session,
    rows: &SiteRows<'a>,
) -> Result<Vec<(&'a ForeignKey, u64)>, Fault> {
    let keys = outgoing(rows);
    let queries: Vec<(String, String)> = keys
        .iter()
        .filter_map(|key| Some((key.name.clone(), orphans(rows, key)?)))
        .collect();
    let counts = session.counts("checking foreign keys", &queries).await?;
    let broken = keys
        .into_iter()
        .zip(counts)
        .filter(|(_, (_, count))| *count > 0);
    Ok(broken.map(|(key, (_, count))| (key, count)).collect())
}

fn orphans(rows: &SiteRows<'_>, key: &ForeignKey) -> Option<String> {
    let site = rows.condition(&key.child, "t")?;
    Some(format!(
        "{} t where {} and {site} and not exists (select 1 from {} q where {})",
        rows.from(&key.child),
        key.refers(SQL, "t"),
        rows.from(&key.parent),
        key.join(SQL, "q", "t"),
    ))
}

/// What the site's rows refer to by this key and the site does not have itself.
/// Read without a lock.
fn referred(rows: &SiteRows<'_>, key: &ForeignKey) -> Option<String> {
    let site = rows.condition(&key.child, "t")?;
    let own = rows.condition(&key.parent, "q").map(|own| {
        let (from, join) = (rows.from(&key.parent), key.join(SQL, "q", "t"));
        format!(" and not exists (select 1 from {from} q where {join} and {own})")
    });
    Some(format!(
        "select distinct {} from {} t where {} and {site}{}",
        SQL.quoted_list("t.", key.columns.iter().map(String::as_str)),
        rows.from(&key.child),
        key.refers(SQL, "t"),
        own.unwrap_or_default()
    ))
}

/// Locks the parents that belong to others.
pub async fn hold_parents(live: &mut Session, rows: &SiteRows<'_>) -> Result<(), Fault> {
    for key in outgoing(rows) {
        let decides = rows.owned(&key.child).is_some_and(|owned| {
            matches!(owned.claims.as_slice(), [Claim::Parent { key: by, .. }] if by.name == key.name)
        });
        if decides || rows.stays_inside(key) {
            continue;
        }
        let Some(referred) = referred(rows, key) else {
            continue;
        };
        // From the few keys to their rows: a scan of the parents would wait
        // for whatever neighbours are writing, and keep them waiting.
        let sql = format!(
            "select straight_join count(*) from ({referred}) t join {} q on {} lock in share mode",
            rows.from(&key.parent),
            key.join(SQL, "q", "t"),
        );
        let doing = format!("holding the parents of {}", key.name);
        live.value(&doing, sql).await?;
    }
    Ok(())
}
