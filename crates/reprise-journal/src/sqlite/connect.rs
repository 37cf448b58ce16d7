//! Creating, opening and migrating the file.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use reprise_ports::JournalError;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection, SqlitePool, query_as, query_scalar};
use tokio::time::sleep;

use super::fault;
use crate::schema::{self, Applied, Standing};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// How long a statement waits for another process that is writing. A commit
/// takes milliseconds; after this long the other one hangs.
const BUSY: Duration = Duration::from_secs(10);
/// Between two tries to open a file that another is opening.
const BETWEEN_TRIES: Duration = Duration::from_millis(20);
/// Readers beside the one writer: status, report and the inbox.
const READERS: u32 = 4;
/// 4096-byte pages in the WAL before it is moved into the file (16 MiB):
/// larger than SQLite's 1000, because each move costs two more syncs.
const CHECKPOINT_PAGES: &str = "4096";

/// Creates the file and its folder where missing, for this user alone, and
/// returns the one path that all coordinators will agree on: lock files stand
/// beside it, so a detour over a link must lead to the same ones.
pub(super) fn prepare(path: &Path) -> io::Result<PathBuf> {
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    path.canonicalize()
}

/// Which file it is, whatever stands at its path later.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }
}

/// Waits for others that open the file: the switch to the WAL and the check
/// of it ask for the whole file and, unlike a statement, do not wait for it
/// themselves.
pub(super) async fn writer(path: &Path, place: &str) -> Result<SqliteConnection, JournalError> {
    let options = options(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES);
    let patience = Instant::now() + BUSY;
    let mut connection = loop {
        match SqliteConnection::connect_with(&options).await {
            Err(error) if fault::is_busy(&error) && Instant::now() < patience => {
                sleep(BETWEEN_TRIES).await;
            }
            tried => break tried.map_err(|error| fault::of_sqlx(place, &error))?,
        }
    };
    migrate(&mut connection, place).await?;
    Ok(connection)
}

/// Connects at first use.
pub(super) fn readers(path: &Path) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .connect_lazy_with(options(path).pragma("query_only", "on"))
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .foreign_keys(true)
        .busy_timeout(BUSY)
}

async fn migrate(connection: &mut SqliteConnection, place: &str) -> Result<(), JournalError> {
    let fault = |error| fault::of_sqlx(place, &error);
    let known = schema::known(&MIGRATIONS);
    if standing(connection, place, known).await? == Standing::Current {
        return Ok(());
    }
    // sqlx does not lock SQLite while it migrates; this transaction does, and
    // what two processes saw before it is looked at again inside.
    let mut exclusive = connection
        .begin_with("begin immediate")
        .await
        .map_err(fault)?;
    if standing(&mut exclusive, place, known).await? == Standing::Behind {
        MIGRATIONS
            .run_direct(None, &mut *exclusive, false)
            .await
            .map_err(|error| of_migrate(place, error))?;
    }
    exclusive.commit().await.map_err(fault)
}

async fn standing(
    connection: &mut SqliteConnection,
    place: &str,
    known: i64,
) -> Result<Standing, JournalError> {
    let fault = |error| fault::of_sqlx(place, &error);
    let exists: bool = query_scalar(include_str!("queries/has_migrations.sql"))
        .fetch_one(&mut *connection)
        .await
        .map_err(fault)?;
    if !exists {
        return Ok(Standing::Behind);
    }
    let applied: Vec<Applied> = query_as(include_str!("queries/select_migrations.sql"))
        .fetch_all(connection)
        .await
        .map_err(fault)?;
    schema::judge(&applied, known)
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
