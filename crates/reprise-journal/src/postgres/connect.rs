//! Connecting and migrating. Everything lives in the schema `reprise`, so
//! that a database shared with others stays orderly.

use std::time::Duration;

use reprise_ports::JournalError;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, PgConnection, PgPool, query_as, query_scalar};

use super::fault;
use crate::schema::{self, Applied, Standing};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// Connections beside those of the claims: status, report and the inbox.
const POOL: u32 = 4;
/// How long to wait for one of them.
const ACQUIRE: Duration = Duration::from_secs(10);

/// The connection settings that the promises rest on.
pub(super) fn ours(options: PgConnectOptions) -> PgConnectOptions {
    options.application_name("reprise journal").options([
        ("search_path", "reprise"),
        // A database may be set to answer before its commits are durable.
        ("synchronous_commit", "on"),
        // A coordinator's machine that vanished is noticed after a minute,
        // and its locks are dropped, instead of after two hours.
        ("tcp_keepalives_idle", "30"),
        ("tcp_keepalives_interval", "10"),
        ("tcp_keepalives_count", "3"),
    ])
}

pub(super) fn pool(options: &PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(POOL)
        .acquire_timeout(ACQUIRE)
        .connect_lazy_with(options.clone())
}

pub(super) async fn migrate(options: &PgConnectOptions, place: &str) -> Result<(), JournalError> {
    let fault = |error| fault::of_sqlx(place, &error);
    let mut connection = options.connect().await.map_err(fault)?;
    let applied = standing(&mut connection).await.map_err(fault)?;
    if let Some(applied) = applied
        && schema::judge(&applied, schema::known(&MIGRATIONS))? == Standing::Current
    {
        return Ok(());
    }
    // sqlx locks the database while it migrates, and looks again inside.
    let mut migrations = Migrator {
        create_schemas: vec!["reprise".into()].into(),
        ..Migrator::with_migrations(MIGRATIONS.iter().cloned().collect())
    };
    migrations
        .set_ignore_missing(true)
        .run_direct(None, &mut connection, false)
        .await
        .map_err(|error| of_migrate(place, error))
}

/// What was applied to the database; none when it holds no journal.
async fn standing(connection: &mut PgConnection) -> Result<Option<Vec<Applied>>, sqlx::Error> {
    let exists: bool = query_scalar(include_str!("queries/has_migrations.sql"))
        .fetch_one(&mut *connection)
        .await?;
    if !exists {
        return Ok(None);
    }
    query_as(include_str!("queries/select_migrations.sql"))
        .fetch_all(connection)
        .await
        .map(Some)
}

fn of_migrate(place: &str, error: MigrateError) -> JournalError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            fault::of_sqlx(place, &error)
        }
        other => JournalError::Unusable {
            place: place.to_owned(),
            what: format!("its schema cannot be brought up to date: {other}"),
        },
    }
}
