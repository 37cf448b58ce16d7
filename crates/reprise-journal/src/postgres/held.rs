//! A claim's connection: the lock that shows that its coordinator is alive,
//! and the only way to write to the run.

use std::time::Duration;

use reprise_model::{Digest, Epoch, Plan, RunId};
use reprise_ports::Claim;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, query, query_scalar};

use super::plans;

use reprise_chain::Page;

/// The server notices a killed coordinator when it reads from its socket, a
/// moment later: a claim waits that out.
const TRIES: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(50);

pub(super) struct Held {
    pub epoch: Epoch,
    pub connection: PgConnection,
}

/// A new connection that holds the run's lock; none when somebody alive does.
pub(super) async fn lock(
    options: &PgConnectOptions,
    run: &RunId,
) -> Result<Option<PgConnection>, sqlx::Error> {
    let mut connection = options.connect().await?;
    for _ in 0..TRIES {
        let locked: bool = query_scalar(include_str!("queries/try_lock.sql"))
            .bind(lock_key(run.as_str()))
            .fetch_one(&mut connection)
            .await?;
        if locked {
            return Ok(Some(connection));
        }
        tokio::time::sleep(BETWEEN).await;
    }
    Ok(None)
}

impl Held {
    /// Moves the run's row and writes the page, in one statement; with a plan
    /// that it puts in force, in one transaction. False when the row was not
    /// where the claim says.
    pub(super) async fn append(
        &mut self,
        run: &RunId,
        claim: &Claim,
        plan: Option<&Plan>,
        page: Page,
    ) -> Result<bool, sqlx::Error> {
        let Some(plan) = plan else {
            return write(&mut self.connection, run, claim, page).await;
        };
        let mut transaction = self.connection.begin().await?;
        let first = page.first;
        let written = write(&mut transaction, run, claim, page).await?;
        if written {
            plans::put_in_force(&mut transaction, run, plan, first).await?;
            transaction.commit().await?;
        } else {
            transaction.rollback().await?;
        }
        Ok(written)
    }

    /// Gives the lock back by a statement, so that it is free when this
    /// returns; closing the connection alone would free it a moment later.
    pub(super) async fn give_up(&mut self, run: &RunId) {
        let unlocked = query(include_str!("queries/unlock.sql"))
            .bind(lock_key(run.as_str()))
            .execute(&mut self.connection)
            .await;
        if let Err(error) = unlocked {
            tracing::debug!(%run, %error, "the connection was lost before the lock was given up");
        }
    }
}

/// Moves the run's row and writes the page, in one statement.
async fn write(
    connection: &mut PgConnection,
    run: &RunId,
    claim: &Claim,
    page: Page,
) -> Result<bool, sqlx::Error> {
    let moved = page.moved(claim);
    let written = query(include_str!("queries/append_page.sql"))
        .bind(run.as_str())
        .bind(claim.epoch.0.cast_signed())
        .bind(claim.next.0.cast_signed())
        .bind(moved.next.0.cast_signed())
        .bind(moved.head.as_bytes().as_slice())
        .bind(page.body)
        .execute(connection)
        .await?;
    Ok(written.rows_affected() == 1)
}

/// The advisory lock that tells that a run's coordinator is alive.
pub(super) fn lock_key(run: &str) -> i64 {
    key("reprise run", run)
}

/// The advisory lock under which commands draw their numbers.
pub(super) fn inbox_key(run: &RunId) -> i64 {
    key("reprise inbox", run.as_str())
}

fn key(kind: &str, run: &str) -> i64 {
    let digest = Digest::of(kind.as_bytes()).chain(run.as_bytes());
    let [a, b, c, d, e, f, g, h, ..] = *digest.as_bytes();
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}
