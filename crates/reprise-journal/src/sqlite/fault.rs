//! What SQLite's and the file system's errors mean to an operator.

use std::io;

use reprise_model::RunId;
use reprise_ports::JournalError;

/// SQLite's primary result codes, the low byte of the extended ones.
mod code {
    pub const BUSY: u32 = 5;
    pub const READONLY: u32 = 8;
    pub const IOERR: u32 = 10;
    pub const CORRUPT: u32 = 11;
    pub const FULL: u32 = 13;
    pub const CANTOPEN: u32 = 14;
    pub const NOTADB: u32 = 26;
}

pub(super) fn of_file(place: &str, error: &io::Error) -> JournalError {
    unusable(place, format!("it cannot be opened or created: {error}"))
}

fn primary(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error()?.code()?;
    Some(code.parse::<u32>().ok()? & 0xff)
}

/// Another process or connection holds what was asked for.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    primary(error) == Some(code::BUSY)
}

/// What is stored can no longer be read, and trying again will not help.
pub(super) fn is_damage(error: &sqlx::Error) -> bool {
    matches!(primary(error), Some(code::CORRUPT | code::NOTADB))
}

pub(super) fn of_sqlx(place: &str, error: &sqlx::Error) -> JournalError {
    let meaning = match primary(error) {
        Some(code::FULL) => {
            return JournalError::NoRoom {
                place: place.to_owned(),
                what: error.to_string(),
            };
        }
        Some(code::BUSY) => "another process has been writing to it for too long",
        Some(code::READONLY) => "it, or its folder, is read-only",
        Some(code::IOERR) => "the disk or file system reports an error",
        Some(code::CORRUPT) => "the file is damaged or cut off",
        Some(code::CANTOPEN) => "the file, or its folder, cannot be opened for writing",
        Some(code::NOTADB) => "the file is not an SQLite database",
        _ => return unusable(place, error.to_string()),
    };
    unusable(place, format!("{meaning} ({error})"))
}

/// As [`of_sqlx`], and names a run that is there already.
pub(super) fn of_create(place: &str, run: &RunId, error: &sqlx::Error) -> JournalError {
    if error
        .as_database_error()
        .is_some_and(|e| e.is_unique_violation())
    {
        return unusable(place, format!("run `{run}` is in it already"));
    }
    of_sqlx(place, error)
}

/// What is written to a file without a name is lost with the process.
pub(super) fn of_lost_file(place: &str) -> JournalError {
    let what = "the file was deleted or replaced while it was in use; what was recorded up to then is only in a copy of it";
    unusable(place, what.to_owned())
}

fn unusable(place: &str, what: String) -> JournalError {
    JournalError::Unusable {
        place: place.to_owned(),
        what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::{Connection, Executor, SqliteConnection};

    #[tokio::test]
    async fn a_full_disk_is_called_one() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        // SQLite's own limit stands in for the disk's: the same error code.
        connection.execute("create table t (x)").await.unwrap();
        connection
            .execute("pragma max_page_count = 3")
            .await
            .unwrap();
        let full = connection
            .execute("insert into t values (zeroblob(100000))")
            .await
            .unwrap_err();
        let error = of_sqlx("/var/journal.db", &full);
        assert!(
            matches!(&error, JournalError::NoRoom { place, .. } if place == "/var/journal.db"),
            "{error}"
        );
    }
}
