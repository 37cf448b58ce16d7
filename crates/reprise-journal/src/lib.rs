//! The journal over sqlx: SQLite by default, PostgreSQL by URL, and a twin in
//! memory.
//!
//! What is stored, what is promised and what happens when something fails is
//! in `docs/design/journal.md`. In short: the unit of storage is the *page*,
//! one row for each group commit, its entries as JSON lines, its hash chained
//! to the page before. A page is written only by the coordinator that holds
//! the run's epoch and presents the seq that comes next. Whether a coordinator
//! is alive is told by a lock that dies with it, never by a clock.

mod address;
mod memory;
mod postgres;
mod rows;
mod schema;
mod sqlite;

use std::sync::Arc;

use reprise_model::{Plan, RunId};
use reprise_ports::{Journal, JournalError, NewRun, OwnerState, RunRow};

pub use memory::MemoryJournal;

use address::Address;

/// Opens a journal and brings its schema up to date. `address` is a path,
/// `sqlite:PATH`, or a PostgreSQL URL; an SQLite file that does not exist is
/// created together with its folder, for this user alone.
pub async fn open(address: &str) -> Result<Arc<dyn Journal>, JournalError> {
    match Address::parse(address)? {
        Address::Sqlite(path) => Ok(Arc::new(sqlite::SqliteJournal::open(&path).await?)),
        Address::Postgres { options, shown } => Ok(Arc::new(
            postgres::PostgresJournal::open(*options, shown).await?,
        )),
    }
}

/// A run's row as it is created.
fn row_of(run: &NewRun<'_>) -> RunRow {
    let (sites, tasks) = size_of(run.plan);
    RunRow {
        id: run.id.clone(),
        plan_hash: run.plan.hash,
        target_time: run.plan.target_time,
        created: run.created,
        env_file: run.env_file.clone(),
        sites,
        tasks,
        owner: OwnerState::Free,
    }
}

/// Sites and tasks of a plan, for its run's row.
fn size_of(plan: &Plan) -> (u32, u32) {
    let clamped = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    (clamped(plan.sites.len()), clamped(plan.tasks.len()))
}

/// The journal would accept the entry, but the lock that shows this
/// coordinator to be alive is gone: another may start at any moment.
fn not_held(run: &RunId, place: &str) -> JournalError {
    JournalError::Unusable {
        place: place.to_owned(),
        what: format!("this coordinator no longer holds the lock of run `{run}`"),
    }
}
