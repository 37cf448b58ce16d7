//! The accident: sites are deleted one after another while neighbours write.
//!
//! `accident.json` is written before the first deletion and completed after
//! the last, so that a run that was cut off goes on with the same sites and
//! the same moment.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, SystemTime};

use reprise_model::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use crate::Error;
use crate::cluster::{admin, archive_everything};
use crate::layers::{self, Layer};
use crate::layout::{Layout, replace};
use crate::ledger::{Change, Entry, Row, Writer};
use crate::load::{counted, lost_a_race, note};
use crate::manifest::{ClusterEntry, Manifest, Store};
use crate::sites::victims;

/// Until every writer has read which sites it must leave alone.
const ANNOUNCEMENT: Duration = Duration::from_millis(400);
/// Between the target time and the first deletion.
const MARGIN: Duration = Duration::from_millis(200);
/// A deletion that keeps losing against writers is stuck, not unlucky.
const TRIES: u32 = 20;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Accident {
    pub version: u32,
    pub started: Timestamp,
    /// Absent while sites are being deleted.
    pub finished: Option<Timestamp>,
    /// Shortly before the first deletion: the moment to go back to.
    pub target_time: Timestamp,
    pub sites: Vec<i64>,
    /// Rows by store.
    pub deleted: BTreeMap<String, u64>,
}

#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Options {
    /// How many sites to delete.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub delete: u32,
    /// Wait this long between two sites.
    #[arg(long, default_value_t = 20)]
    pub pause_ms: u64,
    /// Chooses the sites; the lab's own seed by default.
    #[arg(long)]
    pub seed: Option<u32>,
}

impl Accident {
    pub fn find(layout: &Layout) -> Result<Option<Self>, Error> {
        let path = layout.accident();
        match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text)
                .map(Some)
                .map_err(Error::unreadable(&path)),
            Err(_) => Ok(None),
        }
    }

    fn save(&self, layout: &Layout) -> Result<(), Error> {
        let path = layout.accident();
        let text = serde_json::to_string_pretty(self).map_err(Error::unreadable(&path))?;
        replace(&path, &text)
    }
}

/// Deletes the sites; a finished accident is left as it is.
pub async fn accident(layout: &Layout, options: Options) -> Result<Accident, Error> {
    let manifest = Manifest::load(layout)?;
    let mut connections = Vec::new();
    for entry in manifest.clusters.clone() {
        let connection = admin(layout, &entry).await?;
        connections.push((entry, connection));
    }
    let mut layers = layers::of(layout, &manifest)?;
    let mut accident = match Accident::find(layout)? {
        Some(found) if found.finished.is_some() => return Ok(found),
        Some(found) => found,
        None => announce(layout, options, &manifest, &mut connections, &mut layers).await?,
    };
    tokio::time::sleep(MARGIN).await;
    layers::change_once_more(&mut layers, &accident.sites).await?;
    let pause = Duration::from_millis(options.pause_ms);
    accident.deleted = delete_all(
        layout,
        &mut connections,
        &mut layers,
        &accident.sites,
        pause,
    )
    .await?;
    accident.finished = Some(now());
    for (entry, connection) in &mut connections {
        archive_everything(layout, entry, connection).await?;
    }
    layers::hand_over(&mut layers).await?;
    accident.save(layout)?;
    Ok(accident)
}

/// The same sites again, after a restore, and the same moment to go back to:
/// so one accident is enough for many restores. Returns the rows deleted.
pub async fn again(layout: &Layout) -> Result<u64, Error> {
    let manifest = Manifest::load(layout)?;
    let accident = Accident::find(layout)?
        .ok_or_else(|| Error::Refused("there was no accident to repeat".to_owned()))?;
    let mut connections = Vec::new();
    let mut layers = layers::of(layout, &manifest)?;
    for entry in manifest.clusters {
        let connection = admin(layout, &entry).await?;
        connections.push((entry, connection));
    }
    let sites = &accident.sites;
    let deleted = delete_all(layout, &mut connections, &mut layers, sites, Duration::ZERO).await?;
    Ok(deleted.into_values().sum())
}

/// Site by site: product first, then identity, then the catalogue, as the
/// application does. Returns the rows by store.
async fn delete_all(
    layout: &Layout,
    connections: &mut [(ClusterEntry, PgConnection)],
    layers: &mut [Box<dyn Layer>],
    sites: &[i64],
    pause: Duration,
) -> Result<BTreeMap<String, u64>, Error> {
    connections.sort_by_key(|(entry, _)| match entry.store {
        Store::Product => 0,
        Store::Identity => 1,
        Store::Catalogue => 2,
    });
    let ledger = Writer::open(layout)?;
    let mut deleted = BTreeMap::new();
    for site in sites {
        layers::delete(layers, *site).await?;
        for (entry, connection) in connections.iter_mut() {
            let rows = delete_patiently(entry, connection, &ledger, *site).await?;
            *deleted.entry(entry.store.name().to_owned()).or_default() += rows;
        }
        tokio::time::sleep(pause).await;
    }
    Ok(deleted)
}

/// Chooses the sites, tells the writers, and takes the time.
async fn announce(
    layout: &Layout,
    options: Options,
    manifest: &Manifest,
    connections: &mut [(ClusterEntry, PgConnection)],
    layers: &mut [Box<dyn Layer>],
) -> Result<Accident, Error> {
    let mut ids: Vec<i64> = Vec::new();
    for (entry, connection) in connections {
        if entry.store == Store::Catalogue {
            ids = sqlx::query_scalar("select id from sites")
                .fetch_all(connection)
                .await
                .map_err(Error::sql("listing sites", &entry.name))?;
        }
    }
    let count = options.delete as usize;
    if count > ids.len() {
        return Err(Error::Refused(format!(
            "{count} sites were to be deleted, there are {}",
            ids.len()
        )));
    }
    let sites = victims(ids, count, options.seed.unwrap_or(manifest.build.seed));
    let mut list = format!("# {count} sites, in the order of their deletion\n");
    list.extend(sites.iter().map(|site| format!("{site}\n")));
    replace(&layout.deleted(), &list)?;
    tokio::time::sleep(ANNOUNCEMENT).await;
    layers::remember(layout, layers, &sites).await?;
    let target_time = match layers.is_empty() {
        true => now(),
        false => next_second().await,
    };
    let accident = Accident {
        version: 1,
        started: now().saturating_add(MARGIN),
        finished: None,
        target_time,
        sites,
        deleted: BTreeMap::new(),
    };
    accident.save(layout)?;
    Ok(accident)
}

async fn delete_patiently(
    entry: &ClusterEntry,
    connection: &mut PgConnection,
    ledger: &Writer,
    site: i64,
) -> Result<u64, Error> {
    let mut tries = 1;
    loop {
        match delete(entry, connection, ledger, site).await {
            Err(error) if lost_a_race(&error) && tries < TRIES => tries += 1,
            other => return other,
        }
    }
}

/// Deletes one site from one cluster; returns the number of rows.
async fn delete(
    entry: &ClusterEntry,
    connection: &mut PgConnection,
    ledger: &Writer,
    site: i64,
) -> Result<u64, Error> {
    let failed = || Error::sql("deleting a site", &entry.name);
    let mut transaction = connection.begin().await.map_err(failed())?;
    let before = rows_deleted(&mut transaction).await.map_err(failed())?;
    let mut rows = Vec::new();
    if entry.store == Store::Product {
        rows.extend(
            taken_along(&mut transaction, site)
                .await
                .map_err(failed())?,
        );
    }
    for statement in statements(entry.store) {
        sqlx::query(AssertSqlSafe(*statement))
            .bind(site)
            .execute(&mut *transaction)
            .await
            .map_err(failed())?;
    }
    if entry.store == Store::Product {
        rows.extend(unlinked(&mut transaction).await.map_err(failed())?);
        rows.extend(counted(&mut transaction, &entry.name).await?);
    }
    let deleted = rows_deleted(&mut transaction).await.map_err(failed())? - before;
    let xid: String = sqlx::query_scalar("select pg_current_xact_id()::text")
        .fetch_one(&mut *transaction)
        .await
        .map_err(failed())?;
    let entry = Entry {
        cluster: entry.name.clone(),
        xid,
        rows,
    };
    ledger.append(&entry)?;
    transaction.commit().await.map_err(failed())?;
    Ok(u64::try_from(deleted).unwrap_or_default())
}

/// Rows that this session has deleted, cascades included: the server's own
/// count, which may still hold those of earlier transactions.
async fn rows_deleted(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select coalesce(sum(n_tup_del), 0)::bigint from pg_stat_xact_user_tables")
        .fetch_one(connection)
        .await
}

/// The application's own order: what others refer to goes last.
fn statements(store: Store) -> &'static [&'static str] {
    match store {
        Store::Catalogue => &["delete from sites where id = $1"],
        Store::Identity => &["delete from organisations where site_id = $1"],
        Store::Product => &[
            "delete from wiki.spaces where site_id = $1",
            "delete from tracker.issues i using tracker.projects p
             where p.id = i.project_id and p.site_id = $1",
            "delete from tracker.projects where site_id = $1",
            "delete from tracker.audit_log where tenant_id = $1",
            "delete from tracker.site where id = $1",
        ],
    }
}

/// Neighbours' links to the site's issues, which go with them. The issues are
/// locked first, so that no link is drawn in between.
async fn taken_along(connection: &mut PgConnection, site: i64) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query(
        "select i.id from tracker.issues i join tracker.projects p on p.id = i.project_id
         where p.site_id = $1 order by i.id for update of i",
    )
    .bind(site)
    .execute(&mut *connection)
    .await?;
    let rows = sqlx::query(
        "delete from tracker.issue_links t
         using tracker.issues i join tracker.projects p on p.id = i.project_id
         where i.id = t.target_id and p.site_id = $1 and t.site_id <> $1
         returning t.id::text, t.site_id",
    )
    .bind(site)
    .fetch_all(connection)
    .await?;
    Ok(rows
        .iter()
        .map(|row| note(Change::Deleted, "tracker.issue_links", row))
        .collect())
}

/// Neighbours' issues that duplicated one of the site's, and do no longer.
async fn unlinked(connection: &mut PgConnection) -> Result<Vec<Row>, sqlx::Error> {
    let rows = sqlx::query(
        "select t.id::text, p.site_id
         from tracker.issues t join tracker.projects p on p.id = t.project_id
         where t.xmin = pg_current_xact_id()::xid",
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .iter()
        .map(|row| note(Change::Written, "tracker.issues", row))
        .collect())
}

/// The start of a second: some stores tell no less, so that nothing can be
/// of the same second and of before it.
async fn next_second() -> Timestamp {
    const SECOND: i64 = 1_000_000;
    let second = Timestamp::from_micros((now().as_micros() / SECOND + 1) * SECOND);
    while now() < second {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    second
}

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
