//! One shard's two ends, and what is known about how they go together.

use std::collections::BTreeMap;
use std::sync::Arc;

use reprise_model::{Fault, ShardId, StoreId, Tenant};
use sqlx::mysql::MySqlConnectOptions;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

use super::catalog::{Structure, read};
use crate::mariadb::session::Session;
use crate::rows::{Carried, Catalog, Drift, SiteRows, Slice, TableName, compare, discover};

/// The live end of one shard, for the life of a connector.
#[derive(Debug)]
pub struct LiveShard {
    pub(super) store: StoreId,
    pub(super) shard: ShardId,
    pub(super) tenant: Tenant,
    options: MySqlConnectOptions,
    slots: Semaphore,
}

/// A shard recovered to T. Only ever read.
#[derive(Debug)]
pub struct Scratch {
    end: String,
    options: MySqlConnectOptions,
    known: Mutex<Option<Arc<Match>>>,
}

/// How the slice of one scratch goes into live.
#[derive(Debug)]
pub struct Match {
    pub slice: Slice,
    pub then: Catalog,
    pub now: Catalog,
    pub carried: Vec<Carried>,
    /// What stands in the way, in words.
    pub obstacles: Vec<String>,
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
        match self.obstacles.as_slice() {
            [] => Ok(()),
            all => Err(Fault::refused(format!(
                "the slice cannot be carried into {shard}: {}",
                all.join("; ")
            ))
            .hint("change live so that the rows fit, or declare the table `ignored`")),
        }
    }
}

impl LiveShard {
    /// `most` bounds the connections to the live server.
    pub fn new(
        store: StoreId,
        shard: ShardId,
        tenant: Tenant,
        options: MySqlConnectOptions,
        most: usize,
    ) -> Self {
        Self {
            store,
            shard,
            tenant,
            options,
            slots: Semaphore::new(most.max(1)),
        }
    }

    pub fn scratch(&self, options: MySqlConnectOptions) -> Scratch {
        Scratch {
            end: format!("{}/{} scratch", self.store, self.shard),
            options,
            known: Mutex::new(None),
        }
    }

    /// A session, with the right to have one.
    pub(super) async fn session(&self) -> Result<(Session, SemaphorePermit<'_>), Fault> {
        let end = format!("{}/{} live", self.store, self.shard);
        let slot = self.slots.acquire().await;
        let slot = slot.map_err(|_| Fault::temporary(format!("{end}: closed")))?;
        Ok((Session::open(&end, &self.options).await?, slot))
    }

    pub(super) async fn structure(&self) -> Result<Structure, Fault> {
        let (mut live, _slot) = self.session().await?;
        let structure = read(&mut live).await?;
        live.close().await;
        Ok(structure)
    }

    pub(super) fn slice(&self, catalog: &Catalog) -> Result<Slice, Fault> {
        discover(catalog, &self.tenant).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            let message = format!("{}/{}: {}", self.store, self.shard, problems.join("; "));
            Fault::refused(message)
                .hint("say in the estate, under `tenant: tables:`, who owns each table: a key, shared or ignored")
        })
    }

    /// How scratch and live go together; read once, kept where they fit.
    pub(super) async fn matched(&self, scratch: &Scratch) -> Result<Arc<Match>, Fault> {
        let mut known = scratch.known.lock().await;
        if let Some(known) = &*known {
            return Ok(Arc::clone(known));
        }
        let mut there = scratch.session().await?;
        let then = read(&mut there).await?;
        let slice = self.slice(&then.catalog)?;
        let now = self.structure().await?;
        let (plan, drifts) = compare(&then.catalog, &now.catalog, &slice);
        let mut obstacles: Vec<String> = Vec::new();
        for drift in drifts {
            if !held_nothing(&mut there, &then.catalog, &drift).await? {
                obstacles.push(drift.to_string());
            }
        }
        there.close().await;
        obstacles.extend(unfit(&slice, &then.unfit));
        obstacles.extend(unfit(&slice, &now.unfit));
        obstacles.extend(triggers(&slice, &now.catalog));
        obstacles.dedup();
        let found = Arc::new(Match {
            slice,
            then: then.catalog,
            now: now.catalog,
            carried: plan.tables,
            obstacles,
        });
        // A schema that is mended in the meantime is seen by the next attempt.
        if found.obstacles.is_empty() {
            *known = Some(Arc::clone(&found));
        }
        Ok(found)
    }

    pub fn close(&self) {
        self.slots.close();
    }
}

impl Scratch {
    pub(super) async fn session(&self) -> Result<Session, Fault> {
        Session::open(&self.end, &self.options).await
    }

    /// A session that sees one state of everything, and changes nothing.
    pub(super) async fn reading(&self) -> Result<Session, Fault> {
        let mut session = self.session().await?;
        session.snapshot().await?;
        Ok(session)
    }

    /// Forgets what was read, so that the next attempt looks again.
    pub(super) async fn forget(&self) {
        *self.known.lock().await = None;
    }
}

/// A table or column that is gone is no loss where nothing was in it.
async fn held_nothing(there: &mut Session, then: &Catalog, drift: &Drift) -> Result<bool, Fault> {
    let (table, test) = match drift {
        Drift::ColumnGone { table, column, .. } => (
            table,
            format!(" where {} is not null", then.dialect.quoted(column)),
        ),
        Drift::TableGone { table, .. } => (table, String::new()),
        Drift::ColumnWanted { .. }
        | Drift::NowGenerated { .. }
        | Drift::TypeChanged { .. }
        | Drift::LabelsGone { .. } => return Ok(false),
    };
    let sql = format!(
        "select not exists (select 1 from {}{test})",
        then.from(table)
    );
    let empty = there
        .value("looking into what is gone from live", sql)
        .await?;
    Ok(empty.as_deref() == Some("1"))
}

pub fn unfit<'a>(
    slice: &'a Slice,
    tables: &'a BTreeMap<TableName, String>,
) -> impl Iterator<Item = String> + 'a {
    let owned = tables
        .iter()
        .filter(|(table, _)| slice.owned(table).is_some());
    owned.map(|(table, why)| format!("table {table}: {why}"))
}

/// Triggers fire in every session, and nothing is switched off for others.
pub fn triggers<'a>(slice: &'a Slice, live: &'a Catalog) -> impl Iterator<Item = String> + 'a {
    let tables = slice
        .tables
        .iter()
        .filter_map(|owned| live.table(&owned.table));
    tables.flat_map(|table| {
        let firing = table.triggers.iter().filter(|trigger| trigger.on_insert);
        firing.map(|trigger| {
            format!(
                "trigger {} on {} would fire for the restored rows",
                trigger.name, table.name
            )
        })
    })
}
