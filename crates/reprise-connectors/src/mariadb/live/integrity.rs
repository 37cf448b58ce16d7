//! Foreign keys out of the slice, checked by ourselves.
//!
//! The server does not check them in our session, since it would want parents
//! before children row by row. So, before the commit, parents that belong to
//! others are locked as the server's own check would lock them, and rows
//! without a parent are counted.
//!
//! Those locks are asked for and not waited for: the rows that we have loaded
//! are in a neighbour's way until we commit, and where the neighbour holds the
//! parent, the server would end the lighter transaction, which is not ours.

use std::time::{Duration, Instant};

use reprise_model::Fault;

use crate::mariadb::session::Session;
use crate::rows::{Claim, Dialect, ForeignKey, SiteRows};

const SQL: Dialect = Dialect::Mariadb;
/// A lock that somebody else has is asked for again after this.
const AGAIN: Duration = Duration::from_millis(20);

/// The constraints of live whose referencing rows may be the site's.
pub fn outgoing<'a>(rows: &SiteRows<'a>) -> Vec<&'a ForeignKey> {
    let keys = rows.catalog.foreign_keys.iter();
    keys.filter(|key| rows.owned(&key.child).is_some())
        .collect()
}

/// Its parents may be others', and must be held.
fn held(rows: &SiteRows<'_>, key: &ForeignKey) -> bool {
    let decides = rows.owned(&key.child).is_some_and(|owned| {
        matches!(owned.claims.as_slice(), [Claim::Parent { key: by, .. }] if by.name == key.name)
    });
    !decides && !rows.stays_inside(key)
}

/// Rows of the site whose parent is missing, by constraint, in what the
/// session sees.
pub async fn broken<'a>(
    session: &mut Session,
    rows: &SiteRows<'a>,
) -> Result<Vec<(&'a ForeignKey, u64)>, Fault> {
    count(session, rows, outgoing(rows)).await
}

async fn count<'a>(
    session: &mut Session,
    rows: &SiteRows<'a>,
    keys: Vec<&'a ForeignKey>,
) -> Result<Vec<(&'a ForeignKey, u64)>, Fault> {
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

/// The same as of now, whatever the session has seen before. The parents that
/// belong to others are locked then, and stay.
pub async fn held_or_broken<'a>(
    live: &mut Session,
    rows: &SiteRows<'a>,
    patience: Duration,
) -> Result<Vec<(&'a ForeignKey, u64)>, Fault> {
    let (others, own) = outgoing(rows).into_iter().partition(|key| held(rows, key));
    let others: Vec<&ForeignKey> = others;
    let mut broken = count(live, rows, own).await?;
    for key in others {
        let missing = hold(live, rows, key, patience).await?;
        if missing > 0 {
            broken.push((key, missing));
        }
    }
    Ok(broken)
}

/// Locks what the key leads to; returns how many rows' parents are not there.
async fn hold(
    live: &mut Session,
    rows: &SiteRows<'_>,
    key: &ForeignKey,
    patience: Duration,
) -> Result<u64, Fault> {
    let Some([locking, looking]) = without_parent(rows, key) else {
        return Ok(0);
    };
    let doing = format!("holding the parents of {}", key.name);
    let begin = Instant::now();
    loop {
        // Absent, or held by somebody else.
        let not_held = live.number(&doing, &locking).await?;
        if not_held == 0 || not_held <= live.number(&doing, &looking).await? {
            return Ok(not_held);
        }
        if begin.elapsed() > patience {
            return Err(Fault::temporary(format!(
                "{}: {doing}: a live session is changing rows of {} that the slice refers to",
                live.end(),
                key.parent
            ))
            .hint("it holds a lock for longer than `with: lock_timeout`"));
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// How many of the site's rows refer by the key to what the site does not have
/// itself, and find no such row: none that can be locked at once, none at all.
fn without_parent(rows: &SiteRows<'_>, key: &ForeignKey) -> Option<[String; 2]> {
    let site = rows.condition(&key.child, "t")?;
    let (parent, join) = (rows.from(&key.parent), key.join(SQL, "q", "t"));
    let own = rows
        .condition(&key.parent, "q")
        .map(|own| format!(" and not exists (select 1 from {parent} q where {join} and {own})"));
    let columns = SQL.quoted_list("t.", key.columns.iter().map(String::as_str));
    // From the few keys to their rows: a scan of the parents would lock
    // whatever neighbours refer to. What is inside is read without a lock.
    let sql = format!(
        "select straight_join coalesce(sum(t.`reprise rows`), 0)
         from (select {columns}, count(*) as `reprise rows` from {} t where {} and {site}{} group by {columns}) t
           left join {parent} q on {join} where q.{} is null",
        rows.from(&key.child),
        key.refers(SQL, "t"),
        own.unwrap_or_default(),
        SQL.quoted(key.parent_columns.first()?),
    );
    Some([format!("{sql} lock in share mode skip locked"), sql])
}
