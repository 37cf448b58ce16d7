//! One writer: small transactions on one cluster, each in the ledger.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection, Row as _};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::Error;
use crate::layout::Layout;
use crate::ledger::{self, Entry, Row};
use crate::load::operations::{self, Operation};
use crate::load::{Tally, announced};
use crate::manifest::{ClusterEntry, Store};

pub struct Writer {
    pub entry: ClusterEntry,
    pub connection: PgConnection,
    pub sites: Vec<i64>,
    pub ledger: Arc<ledger::Writer>,
    pub layout: Layout,
    /// Between the starts of two transactions.
    pub period: Duration,
}

impl Writer {
    pub async fn run(
        mut self,
        seed: u64,
        time: Option<Duration>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<Tally, Error> {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut ticks = interval(self.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // A year stands for "until interrupted".
        let end = Instant::now() + time.unwrap_or(Duration::from_secs(365 * 86_400));
        let mut tally = Tally::default();
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = sleep_until(end) => return Ok(tally),
                _ = stop.wait_for(|stop| *stop) => return Ok(tally),
            }
            tally += self.step(&mut rng).await?;
        }
    }

    async fn step(&mut self, rng: &mut StdRng) -> Result<Tally, Error> {
        let none = Tally {
            without_effect: 1,
            ..Tally::default()
        };
        let gone = announced(&self.layout);
        let sites: Vec<i64> = self
            .sites
            .iter()
            .copied()
            .filter(|site| !gone.contains(site))
            .collect();
        if sites.is_empty() {
            return Ok(none);
        }
        let mut any = || sites[rng.random_range(0..sites.len())];
        let (site, other) = (any(), any());
        let operations = operations::of(self.entry.store);
        let operation = &operations[rng.random_range(0..operations.len())];
        let number = rng.random_range(1..1_000_000_000_i64);
        match self.transact(operation, site, other, number).await {
            Ok(true) => Ok(Tally {
                committed: 1,
                ..Tally::default()
            }),
            Ok(false) => Ok(none),
            Err(error) if lost_a_race(&error) => Ok(none),
            Err(error) => Err(error),
        }
    }

    /// Runs one operation; says whether it changed anything.
    async fn transact(
        &mut self,
        operation: &Operation,
        site: i64,
        other: i64,
        number: i64,
    ) -> Result<bool, Error> {
        let name = self.entry.name.clone();
        let failed = |what: &'static str| Error::sql(what, &name);
        let mut transaction = self.connection.begin().await.map_err(failed("begin"))?;
        let changed = sqlx::query(AssertSqlSafe(operation.sql()))
            .bind(site)
            .bind(other)
            .bind(number)
            .fetch_all(&mut *transaction)
            .await
            .map_err(failed("a neighbour's change"))?;
        if changed.is_empty() {
            return transaction
                .rollback()
                .await
                .map(|()| false)
                .map_err(failed("rollback"));
        }
        let mut rows: Vec<Row> = changed
            .iter()
            .map(|row| note(operation.change, operation.table, row))
            .collect();
        if self.entry.store == Store::Product {
            rows.extend(counted(&mut transaction, &name).await?);
        }
        let xid: String = sqlx::query_scalar("select pg_current_xact_id()::text")
            .fetch_one(&mut *transaction)
            .await
            .map_err(failed("asking for the transaction's id"))?;
        self.ledger.append(&Entry {
            cluster: name.clone(),
            xid,
            rows,
        })?;
        transaction
            .commit()
            .await
            .map(|()| true)
            .map_err(failed("commit"))
    }
}

/// Rows that the counter's trigger changed in this transaction.
pub async fn counted(connection: &mut PgConnection, cluster: &str) -> Result<Vec<Row>, Error> {
    let rows = sqlx::query(
        "select site_id::text, site_id from tracker.site_stats
         where xmin = pg_current_xact_id()::xid",
    )
    .fetch_all(connection)
    .await
    .map_err(Error::sql("looking for counted rows", cluster))?;
    Ok(rows
        .iter()
        .map(|row| note(ledger::Change::Written, "tracker.site_stats", row))
        .collect())
}

/// A row of (key, site).
pub fn note(change: ledger::Change, table: &str, row: &PgRow) -> Row {
    Row {
        change,
        table: table.to_owned(),
        key: row.get(0),
        site: row.get(1),
    }
}

/// Deadlocks, unique keys and foreign keys: what happens to any application
/// beside others.
pub fn lost_a_race(error: &Error) -> bool {
    let Error::Sql { source, .. } = error else {
        return false;
    };
    let code = source.as_database_error().and_then(|error| error.code());
    matches!(
        code.as_deref(),
        Some("40P01" | "40001" | "23503" | "23505" | "55P03")
    )
}
