//! Errors of a server as faults: what may pass, and what a person must see to.
//! The server's message is quoted, its detail is not, since that may hold
//! customers' data; neither URL nor password is ever in either.

use reprise_model::{Fault, FaultKind};
use sqlx::postgres::PgDatabaseError;

/// `end` says which server, such as `issues/s01 live`; `doing` what was asked.
pub fn fault(end: &str, doing: &str, error: &sqlx::Error) -> Fault {
    match error {
        sqlx::Error::Database(error) => {
            let error = error.downcast_ref::<PgDatabaseError>();
            refusal(end, doing, error)
        }
        sqlx::Error::Io(error) => {
            Fault::temporary(format!("{end}: {doing}: connection lost: {error}"))
        }
        sqlx::Error::Protocol(what) => {
            Fault::temporary(format!("{end}: {doing}: connection broken: {what}"))
        }
        sqlx::Error::Tls(error) => Fault::permanent(format!("{end}: {doing}: TLS: {error}")),
        other => Fault::permanent(format!("{end}: {doing}: {}", kind_of(other))),
    }
}

/// The rest of the driver's errors by name only: some of them quote input.
fn kind_of(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::Configuration(_) => "the connection's options are not valid",
        sqlx::Error::RowNotFound => "the server sent no row",
        sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_) => "the server's answer could not be read",
        _ => "the driver failed",
    }
}

fn refusal(end: &str, doing: &str, error: &PgDatabaseError) -> Fault {
    let code = error.code();
    let message = format!("{end}: {doing}: {} ({code})", error.message());
    let fault = Fault::new(kind(code), message);
    match code {
        "42501" if error.message().contains("row-level security") => fault.hint(
            "row-level security would hide rows: let the role bypass it (`alter role ... bypassrls`)",
        ),
        "42501" => fault.hint("`reprise check` names each missing right with its grant"),
        "53100" => fault.hint("make room on the server, then `reprise retry`"),
        "28P01" | "28000" => fault.hint("look at the user's password and at `pg_hba.conf`"),
        "55P03" => fault.hint("a live session holds a lock for longer than `with: lock_timeout`"),
        _ => fault,
    }
}

fn kind(code: &str) -> FaultKind {
    match code {
        // Deadlock, serialization failure, lock or statement time-out.
        "40001" | "40P01" | "55P03" | "57014" => FaultKind::Temporary,
        // Idle time-outs of the transaction or the session.
        "25P03" | "25P04" | "57P05" => FaultKind::Temporary,
        // Shutting down, crashed, starting up.
        "57P01" | "57P02" | "57P03" => FaultKind::Temporary,
        // A full disk does not pass by itself.
        "53100" => FaultKind::Permanent,
        // A slice's row that live does not take.
        "23502" | "23503" | "23505" | "23514" | "23P01" => FaultKind::Refused,
        _ => match code.get(..2) {
            // Connection exceptions, lack of resources, errors of the system.
            Some("08" | "53" | "58") => FaultKind::Temporary,
            Some(_) | None => FaultKind::Permanent,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_told_from_what_does_not() {
        for code in [
            "08006", "53300", "57P01", "57P03", "40P01", "40001", "55P03",
        ] {
            assert_eq!(kind(code), FaultKind::Temporary, "{code}");
        }
        for code in ["42501", "42P01", "22P02", "28P01", "3D000", "53100"] {
            assert_eq!(kind(code), FaultKind::Permanent, "{code}");
        }
        assert_eq!(kind("23505"), FaultKind::Refused);
    }

    #[test]
    fn the_options_of_a_connection_are_not_shown() {
        let error = sqlx::Error::Configuration("postgres://u:secret@h".into());
        let fault = fault("s live", "connecting", &error);
        assert_eq!(fault.kind, FaultKind::Permanent);
        assert!(!fault.message.contains("secret"), "{}", fault.message);
    }
}
