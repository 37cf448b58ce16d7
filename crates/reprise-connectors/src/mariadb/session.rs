//! One session with one server, whose settings are ours: what text means does
//! not depend on how the server was set up.

use std::time::Duration;

use reprise_model::{Fault, FaultKind};
use sqlx::mysql::{MySqlArguments, MySqlConnectOptions, MySqlDatabaseError, MySqlRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, MySqlConnection, Row, raw_sql};

use crate::shared::nagle;

/// A server that is there answers far sooner; one behind a firewall never does.
const CONNECT_AT_MOST: Duration = Duration::from_secs(15);

/// Statements that a session keeps prepared: inserts into the table that is
/// being loaded.
const PREPARED: usize = 2;

/// Tables that are counted in one statement: a statement each would cost a way
/// to the server and back each, all in one would be a statement of any length.
const COUNTED: usize = 16;

/// Strict, so that nothing is cut short silently; zero dates, the 31st of any
/// month and the id 0 are values like any other.
const SETTINGS: &str = "set session sql_mode = 'STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION', \
     time_zone = '+00:00', autocommit = 1, group_concat_max_len = 1048576";

#[derive(Debug)]
pub struct Session {
    pub connection: MySqlConnection,
    /// Which server, for messages: `issues/s01 live`.
    end: String,
}

impl Session {
    pub async fn open(end: &str, options: &MySqlConnectOptions) -> Result<Self, Fault> {
        let options = options
            .clone()
            .charset("utf8mb4")
            .statement_cache_capacity(PREPARED)
            .disable_statement_logging();
        let connecting = tokio::time::timeout(CONNECT_AT_MOST, options.connect()).await;
        let connection = connecting
            .map_err(|_| {
                let seconds = CONNECT_AT_MOST.as_secs();
                Fault::temporary(format!("{end}: connecting: no answer in {seconds} s"))
            })?
            .map_err(|error| fault(end, "connecting", &error))?;
        nagle::off();
        let mut session = Self {
            connection,
            end: end.to_owned(),
        };
        session.run("setting up the session", SETTINGS).await?;
        Ok(session)
    }

    pub fn end(&self) -> &str {
        &self.end
    }

    pub fn fault(&self, doing: &str, error: &sqlx::Error) -> Fault {
        fault(&self.end, doing, error)
    }

    pub async fn run(&mut self, doing: &str, sql: impl Into<String>) -> Result<u64, Fault> {
        let done = self.try_run(sql).await;
        done.map_err(|error| self.fault(doing, &error))
    }

    /// From here on it sees one state of everything, and changes nothing.
    pub async fn snapshot(&mut self) -> Result<(), Fault> {
        let sql = "start transaction with consistent snapshot, read only";
        self.run("beginning to read", sql).await.map(drop)
    }

    pub async fn try_run(&mut self, sql: impl Into<String>) -> Result<u64, sqlx::Error> {
        let statement = raw_sql(AssertSqlSafe(sql.into()));
        let done = statement.execute(&mut self.connection).await?;
        Ok(done.rows_affected())
    }

    /// Runs a statement whose values are handed over beside it. It is kept
    /// prepared for the next one of its kind.
    pub async fn try_run_with(
        &mut self,
        sql: String,
        arguments: MySqlArguments,
    ) -> Result<u64, sqlx::Error> {
        let statement = sqlx::query_with(AssertSqlSafe(sql), arguments).persistent(true);
        let done = statement.execute(&mut self.connection).await?;
        Ok(done.rows_affected())
    }

    pub async fn rows(
        &mut self,
        doing: &str,
        sql: impl Into<String>,
    ) -> Result<Vec<MySqlRow>, Fault> {
        let query = raw_sql(AssertSqlSafe(sql.into()));
        let rows = query.fetch_all(&mut self.connection).await;
        rows.map_err(|error| self.fault(doing, &error))
    }

    /// The first value of the first row, as text; absent for none and for null.
    pub async fn value(
        &mut self,
        doing: &str,
        sql: impl Into<String>,
    ) -> Result<Option<String>, Fault> {
        let rows = self.rows(doing, sql).await?;
        Ok(rows.first().and_then(|row| text(row, 0)))
    }

    /// The number that a query has for its answer.
    pub async fn number(&mut self, doing: &str, sql: &str) -> Result<u64, Fault> {
        let number = self.value(doing, sql).await?;
        let number = number.and_then(|number| number.parse().ok());
        number.ok_or_else(|| self.no_number(doing))
    }

    fn no_number(&self, doing: &str) -> Fault {
        Fault::permanent(format!("{}: {doing}: the answer is no number", self.end))
    }

    /// A number of rows for each name.
    pub async fn counts(
        &mut self,
        doing: &str,
        queries: &[(String, String)],
    ) -> Result<Vec<(String, u64)>, Fault> {
        let mut counts = Vec::with_capacity(queries.len());
        for queries in queries.chunks(COUNTED) {
            let each: Vec<String> = queries
                .iter()
                .map(|(_, from)| format!("(select count(*) from {from})"))
                .collect();
            let rows = self
                .rows(doing, format!("select {}", each.join(", ")))
                .await?;
            for (at, (name, _)) in queries.iter().enumerate() {
                let count = rows.first().and_then(|row| text(row, at)?.parse().ok());
                let count = count.ok_or_else(|| self.no_number(doing))?;
                counts.push((name.clone(), count));
            }
        }
        Ok(counts)
    }

    pub async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::debug!(end = self.end, %error, "a connection was gone already");
        }
    }
}

/// A value of the text protocol, in whatever type the server declares it.
pub fn text(row: &MySqlRow, at: usize) -> Option<String> {
    let bytes: Option<Vec<u8>> = row.try_get_unchecked(at).ok()?;
    String::from_utf8(bytes?).ok()
}

/// Errors of a server as faults. The server's message is quoted only where it
/// cannot hold customers' data; neither URL nor password is ever in it.
pub fn fault(end: &str, doing: &str, error: &sqlx::Error) -> Fault {
    match error {
        sqlx::Error::Database(error) => {
            let error = error.downcast_ref::<MySqlDatabaseError>();
            refusal(end, doing, error.number(), error.message())
        }
        sqlx::Error::Io(error) => {
            Fault::temporary(format!("{end}: {doing}: connection lost: {error}"))
        }
        sqlx::Error::Protocol(_) => Fault::temporary(format!("{end}: {doing}: connection broken")),
        sqlx::Error::Tls(error) => Fault::permanent(format!("{end}: {doing}: TLS: {error}")),
        // The rest by name only: some of them quote input.
        sqlx::Error::Configuration(_) => Fault::permanent(format!(
            "{end}: {doing}: the connection's options are not valid"
        )),
        _ => Fault::permanent(format!("{end}: {doing}: the driver failed")),
    }
}

fn refusal(end: &str, doing: &str, number: u16, message: &str) -> Fault {
    let kind = kind(number);
    // What the server says of a row's values quotes them.
    let message = match quotes_values(number) {
        true => format!("{end}: {doing}: the server did not take a row (error {number})"),
        false => format!("{end}: {doing}: {message} ({number})"),
    };
    let fault = Fault::new(kind, message);
    match number {
        1205 => fault.hint("a live session holds a lock for longer than `with: lock_timeout`"),
        1021 | 1114 => fault.hint("make room on the server, then `reprise retry`"),
        1044 | 1045 | 1142 | 1143 => fault.hint("look at the user's password and grants"),
        _ => fault,
    }
}

fn quotes_values(number: u16) -> bool {
    matches!(
        number,
        1062 | 1264 | 1265 | 1292 | 1366 | 1406 | 1526 | 1586 | 1690 | 4025
    )
}

fn kind(number: u16) -> FaultKind {
    match number {
        // Too many connections, out of memory or resources, shutting down.
        1040 | 1041 | 1037 | 1038 | 1053 | 1203 | 1226 => FaultKind::Temporary,
        // The server lost us, or did not hear from us in time.
        1158..=1161 => FaultKind::Temporary,
        // Lock time-out, deadlock, a row changed under an old snapshot, the
        // statement was killed or ran too long.
        1020 | 1205 | 1213 | 1317 | 1927 | 1969 => FaultKind::Temporary,
        // A slice's row that live does not take.
        1048 | 1062 | 1264 | 1265 | 1292 | 1366 | 1406 | 1451 | 1452 | 1526 | 4025 => {
            FaultKind::Refused
        }
        _ => FaultKind::Permanent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_told_from_what_does_not() {
        for number in [1040, 1053, 1159, 1205, 1213] {
            assert_eq!(kind(number), FaultKind::Temporary, "{number}");
        }
        // A full disk does not pass by itself.
        for number in [1021, 1044, 1045, 1114, 1142, 1146] {
            assert_eq!(kind(number), FaultKind::Permanent, "{number}");
        }
        assert_eq!(kind(1062), FaultKind::Refused);
    }

    #[test]
    fn a_customers_value_is_not_in_a_message() {
        let fault = refusal(
            "s live",
            "loading",
            1062,
            "Duplicate entry 'bob@x' for key 'mail'",
        );
        assert!(!fault.message.contains("bob"), "{}", fault.message);
    }
}
