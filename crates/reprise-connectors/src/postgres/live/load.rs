//! Loading: the slice's rows, table by table, into live or beside it.

use std::collections::BTreeMap;

use reprise_model::{Fault, SiteId, Volume};
use reprise_ports::{Context, Progress};

use super::copy::{Copied, CopyError, copy};
use super::leaning::{Leaning, Portion};
use super::session::Session;
use super::shard::Match;
use super::transaction::Mode;
use super::{conflict, keep, replace};
use crate::postgres::slice::{Carried, SQL, SiteRows, quoted, quoted_list};
use crate::rows::OnConflict;

/// What one restore works with.
pub struct Work<'a> {
    pub known: &'a Match,
    pub site: &'a SiteId,
    pub context: &'a dyn Context,
    pub mode: Mode,
    /// What has to wait for other sites of the batch; none waits without it.
    pub leaning: Option<&'a Leaning>,
}

impl Work<'_> {
    pub fn live_rows(&self) -> SiteRows<'_> {
        self.known.at_live(self.site.as_str())
    }

    pub fn portion(&self) -> Portion<'_> {
        Portion {
            rows: self.known.at_scratch(self.site.as_str()),
            leaning: self.leaning,
        }
    }
}

/// What was done, table by table.
#[derive(Debug, Default)]
pub struct Tally {
    pub tables: BTreeMap<String, u64>,
    /// Rows of the slice that gave way to live ones.
    pub kept: BTreeMap<String, u64>,
    /// Live rows of the site that gave way to the slice.
    pub replaced: BTreeMap<String, u64>,
    pub volume: Volume,
}

/// Brings the slice into live, by the way that the runbook asks for.
pub async fn load(
    there: &mut Session<'_>,
    live: &mut Session<'_>,
    work: &Work<'_>,
    on_conflict: OnConflict,
) -> Result<Tally, Fault> {
    let mut tally = Tally::default();
    match on_conflict {
        OnConflict::Refuse => {
            conflict::refuse(live, work).await?;
            load_all(there, live, work, &mut tally).await?;
        }
        OnConflict::Replace => {
            let references = replace::clear(live, work, &mut tally).await?;
            load_all(there, live, work, &mut tally).await?;
            replace::still_whole(live, &references).await?;
        }
        OnConflict::Keep => keep::load(there, live, work, &mut tally).await?,
    }
    Ok(tally)
}

async fn load_all(
    there: &mut Session<'_>,
    live: &mut Session<'_>,
    work: &Work<'_>,
    tally: &mut Tally,
) -> Result<(), Fault> {
    for carried in &work.known.carried {
        let target = SQL.table(&carried.table);
        let copied = stream(there, live, work, carried, &target, tally.volume).await?;
        tally.volume += Volume {
            rows: copied.rows,
            bytes: copied.bytes,
        };
        tally.tables.insert(carried.table.to_string(), copied.rows);
    }
    Ok(())
}

/// Copies the site's rows of one table into `target`, which has the columns
/// of the table, and tells how far it is.
pub async fn stream(
    there: &mut Session<'_>,
    live: &mut Session<'_>,
    work: &Work<'_>,
    carried: &Carried,
    target: &str,
    before: Volume,
) -> Result<Copied, Fault> {
    let told = |copied: Copied| {
        work.context.progress(Progress {
            volume: Volume {
                rows: before.rows + copied.rows,
                bytes: before.bytes + copied.bytes,
            },
            fraction: None,
            phase: Some(format!("copying {}", carried.table)),
        });
    };
    match work.portion().query(carried) {
        Some(query) => transfer(there, live, &query, carried, target, told).await,
        None => Ok(Copied::default()),
    }
}

/// Copies what `query` finds on scratch, the columns that are carried, into
/// `target`.
pub async fn transfer(
    there: &mut Session<'_>,
    live: &mut Session<'_>,
    query: &str,
    carried: &Carried,
    target: &str,
    told: impl Fn(Copied) + Send,
) -> Result<Copied, Fault> {
    let table = &carried.table;
    if carried.columns.is_empty() {
        return Ok(Copied::default());
    }
    let format = if carried.binary { "binary" } else { "text" };
    let columns = quoted_list("", carried.columns.iter().map(String::as_str));
    let out = format!("copy ({query}) to stdout (format {format})");
    let into = format!("copy {target} ({columns}) from stdin (format {format})");
    let copied = copy(there.connection(), &out, live.connection(), &into, told).await;
    copied.map_err(|error| match error {
        CopyError::Reading(error) => there.fault(&format!("reading {table}"), &error),
        CopyError::Writing(error) => conflict::collision(live, table, &error),
    })
}

/// A name for a temporary table, the same for the same table.
pub fn temporary(prefix: &str, at: usize) -> String {
    format!("pg_temp.{}", quoted(&format!("reprise_{prefix}_{at}")))
}
