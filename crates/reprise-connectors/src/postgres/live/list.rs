//! The items of a site's slice, by a query of the runbook, read only.

use std::ops::ControlFlow;

use futures::TryStreamExt;
use reprise_model::Fault;
use reprise_ports::{Item, Listing, Take};
use sqlx::{AssertSqlSafe, Executor, Row, raw_sql};

use super::connections::Connections;
use super::session::Session;
use super::shard::{LiveShard, Scratch};
use crate::postgres::slice::literal;
use crate::rows::{Dialect, listing};

const DOING: &str = "listing";

impl LiveShard {
    /// From live, on one of its few connections.
    pub async fn list(&self, listing: &Listing, take: Take<'_>) -> Result<(), Fault> {
        list(&self.live, listing, take).await
    }
}

impl Scratch {
    pub async fn list(&self, listing: &Listing, take: Take<'_>) -> Result<(), Fault> {
        list(&self.connections, listing, take).await
    }
}

async fn list(end: &Connections, listing: &Listing, take: Take<'_>) -> Result<(), Fault> {
    let query = listing::query(&listing.side)?;
    let select = listing::select(Dialect::Postgres, &listing.side, query);
    let mut session = end.session().await?;
    begin(&mut session).await?;
    // The server infers from the query what type the id has. One statement
    // and no more: a query cannot end the transaction that keeps it harmless.
    let prepare = sqlx::query(AssertSqlSafe(format!(
        "prepare reprise_listing as {select}"
    )));
    let prepared = session
        .connection()
        .execute(prepare.persistent(false))
        .await;
    prepared.map_err(|error| session.fault(DOING, &error))?;
    let site = literal(listing.site.id.as_str());
    let rows = raw_sql(AssertSqlSafe(format!("execute reprise_listing({site})")));
    let read = read(&mut session, rows, 1 + listing.side.compare.len(), take).await?;
    if read.is_continue() {
        let sql = "rollback; deallocate reprise_listing".to_owned();
        session.run(DOING, sql).await?;
        session.give_back();
    }
    Ok(())
}

/// Nothing is written, nothing is hidden by a policy, and it ends.
async fn begin(session: &mut Session<'_>) -> Result<(), Fault> {
    let seconds = listing::AT_MOST_SECONDS;
    let settings = format!(
        "begin isolation level read committed read only;
         set local lock_timeout = '5s'; set local statement_timeout = '{seconds}s';
         set local row_security = off; set local timezone = 'UTC';
         set local datestyle = 'ISO, MDY'; set local bytea_output = 'hex'"
    );
    session.run(DOING, settings).await.map(drop)
}

async fn read(
    session: &mut Session<'_>,
    rows: sqlx::RawSql,
    columns: usize,
    take: Take<'_>,
) -> Result<ControlFlow<()>, Fault> {
    let end = session.end();
    let fault = |error| super::fault::fault(end, DOING, &error);
    let mut rows = rows.fetch(session.connection());
    while let Some(row) = rows.try_next().await.map_err(fault)? {
        let text = |at| row.try_get::<Option<String>, _>(at);
        let key = text(0).map_err(fault)?;
        let fields = (1..columns).map(text).collect::<Result<_, _>>();
        let fields = fields.map_err(fault)?;
        if take(Item { key, fields }).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}
