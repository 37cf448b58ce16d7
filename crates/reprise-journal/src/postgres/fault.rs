//! What PostgreSQL's errors mean to an operator.

use reprise_model::RunId;
use reprise_ports::JournalError;

pub(super) fn of_sqlx(place: &str, error: &sqlx::Error) -> JournalError {
    let what = match error {
        sqlx::Error::Database(database) => match database.code() {
            Some(code) => format!("{} (SQLSTATE {code})", database.message()),
            None => database.message().to_owned(),
        },
        sqlx::Error::Io(io) => format!("the connection failed: {io}"),
        sqlx::Error::PoolTimedOut => "no connection became free in time".to_owned(),
        other => other.to_string(),
    };
    let code = error.as_database_error().and_then(|error| error.code());
    match code.as_deref() {
        Some("53100") => JournalError::NoRoom {
            place: place.to_owned(),
            what,
        },
        _ => unusable(place, what),
    }
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

fn unusable(place: &str, what: String) -> JournalError {
    JournalError::Unusable {
        place: place.to_owned(),
        what,
    }
}
