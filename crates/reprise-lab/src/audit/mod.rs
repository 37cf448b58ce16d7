//! The independent oracle: was the restore right, and only that?
//!
//! Every cluster is recovered to T by PostgreSQL alone, and every row of every
//! table in live is held against it. A restored site's rows must be the
//! recovered ones. A neighbour's rows must be the recovered ones too, down to
//! the version (`xmin`), except where the ledger says that a writer changed
//! them since; then they must be that writer's version.

mod compare;
mod recover;

use std::collections::BTreeSet;

use reprise_model::Timestamp;
use serde::Serialize;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use crate::Error;
use crate::cluster::{Host, admin, connect};
use crate::layers::{self, LayerSummary};
use crate::layout::Layout;
use crate::ledger::{self, Verdicts};
use crate::manifest::{ClusterEntry, Manifest};
use crate::tables::{self, Table};
pub use compare::{Difference, Kind, Row};
use compare::{Sides, compare};

/// Of each cluster's differences, this many are shown.
const SAMPLES: usize = 20;

/// The sites as the accident left them, by what has become of them.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Sites {
    pub restored: BTreeSet<i64>,
    /// Deleted and not restored: nothing of them may be there.
    pub gone: BTreeSet<i64>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Summary {
    pub version: u32,
    pub at: Timestamp,
    pub ok: bool,
    pub sites: usize,
    pub restored_rows: u64,
    pub neighbour_rows: u64,
    pub differences: u64,
    pub clusters: Vec<ClusterSummary>,
    /// Of every other kind of store; none where the lab is not a full one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerSummary>,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct ClusterSummary {
    pub store: String,
    pub shard: String,
    pub tables: usize,
    pub restored_rows: u64,
    /// Rows of neighbours, and of tables that all share.
    pub neighbour_rows: u64,
    /// Of those, rows that writers changed after T.
    pub ledger_rows: u64,
    pub differences: u64,
    pub samples: Vec<Difference>,
}

pub async fn audit(layout: &Layout, at: Timestamp, sites: &Sites) -> Result<Summary, Error> {
    let manifest = Manifest::load(layout)?;
    let host = Host::find(layout)?;
    let mut clusters = Vec::new();
    for entry in &manifest.clusters {
        let server = recover::recover(layout, &host, entry, at).await?;
        let mut recovered = connect(&server, &entry.name, entry.store.name()).await?;
        clusters.push(audit_cluster(layout, entry, sites, &mut recovered).await?);
        drop(recovered);
        recover::discard(layout, entry, server)?;
    }
    let layers = layers::audit(layout, &mut layers::of(layout, &manifest)?, sites).await?;
    let sum = |field: fn(&ClusterSummary) -> u64| -> u64 { clusters.iter().map(field).sum() };
    let in_layers: u64 = layers.iter().map(|layer| layer.differences).sum();
    let differences = sum(|cluster| cluster.differences) + in_layers;
    Ok(Summary {
        version: 1,
        at,
        ok: differences == 0,
        sites: sites.restored.len(),
        restored_rows: sum(|cluster| cluster.restored_rows),
        neighbour_rows: sum(|cluster| cluster.neighbour_rows),
        differences,
        clusters,
        layers,
    })
}

async fn audit_cluster(
    layout: &Layout,
    entry: &ClusterEntry,
    sites: &Sites,
    recovered: &mut PgConnection,
) -> Result<ClusterSummary, Error> {
    let mut connection = admin(layout, entry).await?;
    let mut live = connection
        .begin()
        .await
        .map_err(Error::sql("begin", &entry.name))?;
    // One snapshot for all tables, and for what of the ledger is in them.
    sqlx::raw_sql("set transaction isolation level repeatable read, read only")
        .execute(&mut *live)
        .await
        .map_err(Error::sql("taking a snapshot", &entry.name))?;
    let verdicts = verdicts(layout, entry, sites, &mut live).await?;
    let mut summary = ClusterSummary {
        store: entry.store.name().to_owned(),
        shard: entry.name.clone(),
        ..ClusterSummary::default()
    };
    for table in tables::of(entry.store) {
        let sides = Sides {
            recovered: rows(recovered, &entry.name, table).await?,
            live: rows(&mut live, &entry.name, table).await?,
        };
        let found = compare(table.name, sides, sites, &verdicts);
        summary.tables += 1;
        summary.restored_rows += found.restored_rows;
        summary.neighbour_rows += found.neighbour_rows;
        summary.ledger_rows += found.in_ledger.len() as u64;
        summary.differences += found.differences.len() as u64;
        let room = SAMPLES.saturating_sub(summary.samples.len());
        summary
            .samples
            .extend(found.differences.into_iter().take(room));
    }
    Ok(summary)
}

/// Reads the ledger after the snapshot was taken: all that the snapshot sees
/// has been written down by then.
async fn verdicts(
    layout: &Layout,
    entry: &ClusterEntry,
    sites: &Sites,
    live: &mut PgConnection,
) -> Result<Verdicts, Error> {
    sqlx::query("select pg_current_snapshot()::text")
        .execute(&mut *live)
        .await
        .map_err(Error::sql("taking a snapshot", &entry.name))?;
    let entries = ledger::read(layout, &entry.name)?;
    let seen = ledger::visible(entries, live, &entry.name).await?;
    let except = sites.restored.union(&sites.gone).copied().collect();
    Ok(ledger::fold(&seen, &except))
}

async fn rows(
    connection: &mut PgConnection,
    cluster: &str,
    table: &Table,
) -> Result<Vec<Row>, Error> {
    let rows: Vec<(Option<i64>, String, String, String)> =
        sqlx::query_as(AssertSqlSafe(table.rows_sql()))
            .fetch_all(connection)
            .await
            .map_err(Error::sql(&format!("reading {}", table.name), cluster))?;
    Ok(rows
        .into_iter()
        .map(|(site, key, version, digest)| Row {
            site,
            key,
            version,
            digest,
        })
        .collect())
}
