//! The items of a site's slice, by a query of the runbook, read only.

use futures::TryStreamExt;
use reprise_model::Fault;
use reprise_ports::{Item, Listing, Take};
use sqlx::AssertSqlSafe;

use super::shard::{LiveShard, Scratch};
use crate::mariadb::session::{Session, text};
use crate::rows::{Dialect, listing};

const DOING: &str = "listing";

impl LiveShard {
    /// From live, on one of its few connections.
    pub async fn list(&self, listing: &Listing, take: Take<'_>) -> Result<(), Fault> {
        let (session, _slot) = self.session().await?;
        list(session, listing, take).await
    }
}

impl Scratch {
    pub async fn list(&self, listing: &Listing, take: Take<'_>) -> Result<(), Fault> {
        list(self.session().await?, listing, take).await
    }
}

async fn list(mut session: Session, listing: &Listing, take: Take<'_>) -> Result<(), Fault> {
    let query = listing::query(&listing.side)?;
    let query = listing::with_site(Dialect::Mariadb, query, listing.site.id.as_str());
    let select = listing::select(Dialect::Mariadb, &listing.side, &query);
    let seconds = listing::AT_MOST_SECONDS;
    let settings = format!("set session max_statement_time = {seconds}, lock_wait_timeout = 5");
    session.run(DOING, settings).await?;
    session.run(DOING, "start transaction read only").await?;
    let end = session.end().to_owned();
    let fault = |error| crate::mariadb::session::fault(&end, DOING, &error);
    // Prepared, so that it is one statement and no more.
    let statement = sqlx::query(AssertSqlSafe(select)).persistent(false);
    let mut rows = statement.fetch(&mut session.connection);
    while let Some(row) = rows.try_next().await.map_err(fault)? {
        let item = Item {
            key: text(&row, 0),
            fields: (1..=listing.side.compare.len())
                .map(|at| text(&row, at))
                .collect(),
        };
        if take(item).is_break() {
            return Ok(());
        }
    }
    drop(rows);
    session.close().await;
    Ok(())
}
