//! One shard's two ends, and what is known about how they go together.
//!
//! The catalogs of both ends, the slice and the drift are read once and kept:
//! many sites share them. They are forgotten when an attempt fails, so that a
//! schema that was mended in the meantime is seen by the next.

use std::sync::Arc;

use reprise_model::{Fault, ShardId, StoreId, Tenant};
use sqlx::postgres::PgConnectOptions;
use tokio::sync::Mutex;

use super::connections::Connections;
use super::links::Links;
use super::session::Session;
use crate::postgres::slice::{
    Carried, Catalog, Drift, SiteRows, Slice, compare, discover, quoted, read_catalog,
};

/// The live end of one shard, for the life of a connector.
#[derive(Debug)]
pub struct LiveShard {
    pub(super) store: StoreId,
    pub(super) shard: ShardId,
    pub(super) tenant: Tenant,
    pub(super) live: Connections,
}

/// A shard recovered to T. Only ever read.
#[derive(Debug)]
pub struct Scratch {
    pub(super) connections: Connections,
    known: Mutex<Option<Arc<Match>>>,
    pub(super) links: Mutex<Option<Arc<Links>>>,
}

/// How the slice of one scratch goes into live.
#[derive(Debug)]
pub struct Match {
    pub slice: Slice,
    pub then: Catalog,
    pub now: Catalog,
    pub carried: Vec<Carried>,
    pub drifts: Vec<Drift>,
}

impl Match {
    pub fn at_scratch<'a>(&'a self, site: &'a str) -> SiteRows<'a> {
        SiteRows {
            slice: &self.slice,
            catalog: &self.then,
            site,
        }
    }

    pub fn at_live<'a>(&'a self, site: &'a str) -> SiteRows<'a> {
        SiteRows {
            slice: &self.slice,
            catalog: &self.now,
            site,
        }
    }

    /// Refuses, naming everything that does not fit.
    pub fn fits(&self, shard: &ShardId) -> Result<(), Fault> {
        if self.drifts.is_empty() {
            return Ok(());
        }
        let drifts: Vec<String> = self.drifts.iter().map(ToString::to_string).collect();
        let message = format!(
            "the live schema of {shard} has changed since the target time: {}",
            drifts.join("; ")
        );
        Err(Fault::refused(message)
            .hint("bring live's schema to where the rows fit, or declare the table `ignored`"))
    }
}

impl LiveShard {
    /// `most` bounds the connections to the live server.
    pub fn new(
        store: StoreId,
        shard: ShardId,
        tenant: Tenant,
        live: PgConnectOptions,
        most: usize,
    ) -> Self {
        let end = format!("{store}/{shard} live");
        Self {
            live: Connections::new(end, live, most),
            store,
            shard,
            tenant,
        }
    }

    /// A recovered scratch of this shard.
    pub fn scratch(&self, options: PgConnectOptions, most: usize) -> Scratch {
        let end = format!("{}/{} scratch", self.store, self.shard);
        Scratch {
            connections: Connections::new(end, options, most),
            known: Mutex::new(None),
            links: Mutex::new(None),
        }
    }

    /// Ends every connection to live.
    pub async fn close(&self) {
        self.live.close().await;
    }

    /// How scratch and live go together; read once.
    pub(super) async fn matched(&self, scratch: &Scratch) -> Result<Arc<Match>, Fault> {
        let mut known = scratch.known.lock().await;
        if let Some(known) = &*known {
            return Ok(Arc::clone(known));
        }
        let mut there = scratch.connections.session().await?;
        let then = catalog(&mut there).await?;
        let slice = self.slice(&then)?;
        let now = self.live_catalog().await?;
        let (plan, drifts) = compare(&then, &now, &slice);
        let drifts = with_data(&mut there, &then, drifts).await?;
        there.give_back();
        let found = Arc::new(Match {
            slice,
            then,
            now,
            carried: plan.tables,
            drifts,
        });
        *known = Some(Arc::clone(&found));
        Ok(found)
    }

    pub(super) async fn live_catalog(&self) -> Result<Catalog, Fault> {
        let mut live = self.live.session().await?;
        let now = catalog(&mut live).await?;
        live.give_back();
        Ok(now)
    }

    pub(super) fn slice(&self, catalog: &Catalog) -> Result<Slice, Fault> {
        discover(catalog, &self.tenant).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            let message = format!("{}/{}: {}", self.store, self.shard, problems.join("; "));
            Fault::refused(message)
                .hint("say in the estate, under `tenant: tables:`, who owns each table: a key, shared or ignored")
        })
    }
}

impl Scratch {
    /// Forgets what was read, so that the next attempt looks again.
    pub(super) async fn forget(&self) {
        *self.known.lock().await = None;
    }

    /// Ends every connection to the scratch server.
    pub async fn close(&self) {
        self.connections.close().await;
    }
}

async fn catalog(session: &mut Session<'_>) -> Result<Catalog, Fault> {
    let catalog = read_catalog(session.connection()).await;
    catalog.map_err(|error| session.fault("reading the catalog", &error))
}

/// Leaves out columns that are gone and held nothing.
async fn with_data(
    scratch: &mut Session<'_>,
    then: &Catalog,
    drifts: Vec<Drift>,
) -> Result<Vec<Drift>, Fault> {
    let mut stay = Vec::with_capacity(drifts.len());
    for drift in drifts {
        let empty = match &drift {
            Drift::ColumnGone { table, column, .. } => {
                let from = then.from(table);
                let column = quoted(column);
                let sql =
                    format!("select not exists (select 1 from {from} where {column} is not null)");
                scratch.value("looking into a dropped column", sql).await?
            }
            Drift::TableGone { table, .. } => {
                let from = then.from(table);
                let sql = format!("select not exists (select 1 from {from})");
                scratch.value("looking into a dropped table", sql).await?
            }
            Drift::ColumnWanted { .. }
            | Drift::NowGenerated { .. }
            | Drift::TypeChanged { .. }
            | Drift::LabelsGone { .. } => false,
        };
        if !empty {
            stay.push(drift);
        }
    }
    Ok(stay)
}
