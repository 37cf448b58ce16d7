//! Starts a scratch server and follows its replay to the end.
//!
//! A server that accepts connections has not reached its target yet; only
//! what it says about itself counts, together with its log.

use std::time::Duration;

use reprise_model::{Fault, Timestamp};
use reprise_pgserver::{Lifetime, Server, ServerConfig, Stop, Tcp};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection, Row};
use tokio_util::sync::CancellationToken;

use super::fault;
use super::folder::Folder;
use super::log;
use super::lsn::Lsn;

/// How often a replaying server is asked.
const POLL: Duration = Duration::from_millis(60);
/// So many requests for the same file, with nothing replayed in between, are
/// the end of what can be read.
const SAME_REQUESTS: usize = 3;

/// More lines than a server writes between its start and its standstill.
const LOG_LINES: usize = 400;

/// Where a replay stood still.
#[derive(Clone, PartialEq, Debug)]
pub struct Standstill {
    pub replayed_to: Lsn,
    pub last_before: Option<Timestamp>,
    pub first_after: Option<Timestamp>,
    /// Asked for and not to be had, where the end of the log was reached.
    pub wanted: Option<String>,
}

/// What a look at the server showed.
struct Status {
    paused: bool,
    replayed_to: Lsn,
    last_commit: Option<Timestamp>,
}

/// How a server is reached over its socket.
pub fn options(server: &Server, user: &str, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(server.socket_dir())
        .port(server.port())
        .username(user)
        .database(database)
        .ssl_mode(PgSslMode::Disable)
        .application_name("reprise")
        .disable_statement_logging()
}

/// Starts the server of a built scratch folder.
pub fn start(
    folder: &Folder,
    installation: &reprise_pgserver::Installation,
    account: &reprise_pgserver::Account,
    temp: &std::path::Path,
    settings: &[(String, String)],
) -> Result<Server, Fault> {
    // Left by a coordinator that was killed: on its way out, and its socket
    // folder is gone with it.
    if let Some(mut old) = Server::attach(&folder.data(), &folder.log()) {
        old.stop(Stop::Fast).map_err(fault::temporary)?;
    }
    let config = ServerConfig {
        installation: installation.clone(),
        account: account.clone(),
        data: folder.data(),
        temp: temp.to_owned(),
        tcp: Tcp::Off,
        log: folder.log(),
        lifetime: Lifetime::Attached,
        config_file: Some(folder.path().join("postgresql.conf")),
        settings: settings.to_vec(),
    };
    Server::start(&config).map_err(fault::temporary)
}

/// A replay that is being followed.
pub struct Replay<'a> {
    pub server: &'a mut Server,
    pub folder: &'a Folder,
    pub major: u32,
    pub candidates: &'a [String],
    pub cancelled: &'a CancellationToken,
}

/// Why following ended without a standstill.
#[derive(Debug)]
pub enum Stopped {
    Fault(Fault),
    /// The primary had raised these settings on the way; start again with them.
    Limits(Vec<(String, String)>),
}

impl From<Fault> for Stopped {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Replay<'_> {
    /// Returns when nothing more will be replayed, with a connection as superuser.
    pub async fn follow(
        &mut self,
        progress: &(dyn Fn(Lsn) + Sync),
    ) -> Result<(Standstill, String), Stopped> {
        let (mut connection, user) = self.connect().await?;
        let mut quiet: Option<(Lsn, usize)> = None;
        loop {
            self.check()?;
            let status = match status(&mut connection, self.major).await {
                Ok(status) => status,
                // The server is going down; `check` will say why.
                Err(_) if !self.server.is_running() => continue,
                Err(error) => {
                    return Err(Fault::temporary(format!(
                        "the scratch server does not answer: {error}"
                    ))
                    .into());
                }
            };
            progress(status.replayed_to);
            if status.paused {
                self.check()?;
                return Ok((self.standstill(&status, None), user));
            }
            let (wanted, times) = self.last_request();
            quiet = match quiet {
                Some((lsn, since)) if lsn == status.replayed_to && times >= since => {
                    if times >= since + SAME_REQUESTS {
                        pause(&mut connection).await?;
                        return Ok((self.standstill(&status, wanted), user));
                    }
                    Some((lsn, since))
                }
                _ => Some((status.replayed_to, times)),
            };
            self.rest().await?;
        }
    }

    fn standstill(&self, status: &Status, wanted: Option<String>) -> Standstill {
        Standstill {
            replayed_to: status.replayed_to,
            last_before: status.last_commit,
            first_after: match wanted {
                Some(_) => None,
                None => log::first_after(&self.log_text()),
            },
            wanted,
        }
    }

    /// Waits until the server lets us in, and finds a superuser.
    async fn connect(&mut self) -> Result<(PgConnection, String), Stopped> {
        loop {
            self.check()?;
            if self.server.is_accepting() {
                return Ok(superuser(self.server, self.candidates).await?);
            }
            self.rest().await?;
        }
    }

    /// Ends early on cancellation, on a dead server and on raised settings.
    fn check(&mut self) -> Result<(), Stopped> {
        if self.cancelled.is_cancelled() {
            return Err(fault::cancelled("the replay").into());
        }
        let text = self.log_text();
        let limits = log::raised_limits(&text);
        if !limits.is_empty() {
            return Err(Stopped::Limits(limits));
        }
        match self.server.ended() {
            Some(status) => Err(explain(self.folder, &text, &status).into()),
            None => Ok(()),
        }
    }

    async fn rest(&self) -> Result<(), Stopped> {
        tokio::select! {
            () = tokio::time::sleep(POLL) => Ok(()),
            () = self.cancelled.cancelled() => {
                Err(fault::cancelled("the replay").into())
            }
        }
    }

    fn log_text(&self) -> String {
        self.server.log_tail(LOG_LINES)
    }

    /// The file that was asked for last, and how often in a row.
    fn last_request(&self) -> (Option<String>, usize) {
        let text = std::fs::read_to_string(self.folder.requests()).unwrap_or_default();
        let mut segments = text
            .lines()
            .rev()
            .filter(|line| line.len() == 24)
            .peekable();
        let last = segments.peek().map(|line| (*line).to_owned());
        // On a chain of timelines the same number is asked for on each of them.
        let number = last.as_deref().map(|line| line[8..].to_owned());
        let times = segments
            .take_while(|line| Some(&line[8..]) == number.as_deref())
            .count();
        (last, times)
    }
}

/// Why the server ended, from its log.
fn explain(folder: &Folder, text: &str, status: &str) -> Fault {
    let reasons = log::fatals(text);
    let fault = match reasons.last() {
        // The backup ended later in the second that its label names.
        Some(reason) if reason.contains("before consistent recovery point") => {
            Fault::refused("the target time is before the backup's end, within its last second")
                .hint("a moment one second later can be reached; or name an older backup")
        }
        // The children of a server that was killed take a moment to notice.
        Some(reason) if reason.contains("pre-existing shared memory") => {
            Fault::temporary(format!("the scratch server cannot start yet: {reason}"))
        }
        Some(reason) => Fault::permanent(format!("the scratch server gave up: {reason}"))
            .hint(format!("its log is {}", folder.log().display())),
        None => Fault::temporary(format!("the scratch server ended ({status})"))
            .hint(format!("its log is {}", folder.log().display())),
    };
    folder.explain(fault, text)
}

async fn status(connection: &mut PgConnection, major: u32) -> Result<Status, sqlx::Error> {
    const HEAD: &str = "select pg_last_wal_replay_lsn()::text, \
         round(extract(epoch from pg_last_xact_replay_timestamp()) * 1000000)::bigint, ";
    let sql = match major {
        ..=13 => format!("{HEAD} pg_is_wal_replay_paused()"),
        _ => format!("{HEAD} pg_get_wal_replay_pause_state() = 'paused'"),
    };
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .fetch_one(connection)
        .await?;
    let lsn: Option<String> = row.try_get(0)?;
    let micros: Option<i64> = row.try_get(1)?;
    Ok(Status {
        paused: row.try_get(2)?,
        replayed_to: lsn.and_then(|lsn| lsn.parse().ok()).unwrap_or_default(),
        last_commit: micros.map(Timestamp::from_micros),
    })
}

/// Keeps a standby at the end of the log from following an archive that grows.
async fn pause(connection: &mut PgConnection) -> Result<(), Fault> {
    sqlx::query("select pg_wal_replay_pause()")
        .execute(connection)
        .await
        .map(drop)
        .map_err(|error| Fault::temporary(format!("cannot pause the replay: {error}")))
}

/// Finds a superuser that may log in: one of the candidates, or whoever one
/// of them can name.
async fn superuser(
    server: &Server,
    candidates: &[String],
) -> Result<(PgConnection, String), Fault> {
    let mut why = String::new();
    for user in candidates {
        for database in ["postgres", "template1"] {
            match options(server, user, database).connect().await {
                Ok(connection) => return promote(server, connection, user, database).await,
                Err(error) => why = error.to_string(),
            }
        }
    }
    Err(Fault::permanent(format!(
        "no role can log in to the scratch server (tried {}): {why}",
        candidates.join(", ")
    )))
}

async fn promote(
    server: &Server,
    mut connection: PgConnection,
    user: &str,
    database: &str,
) -> Result<(PgConnection, String), Fault> {
    let names: Vec<String> = sqlx::query_scalar(
        "select rolname::text from pg_roles where rolsuper and rolcanlogin order by oid",
    )
    .fetch_all(&mut connection)
    .await
    .map_err(|error| Fault::temporary(format!("cannot list the roles in scratch: {error}")))?;
    if names.iter().any(|name| name == user) {
        return Ok((connection, user.to_owned()));
    }
    let name = names
        .first()
        .ok_or_else(|| Fault::permanent("the recovered server has no superuser that may log in"))?;
    let _ = connection.close().await;
    let connection = options(server, name, database)
        .connect()
        .await
        .map_err(|error| Fault::permanent(format!("cannot log in to scratch: {error}")))?;
    Ok((connection, name.clone()))
}

#[cfg(test)]
mod tests {
    use reprise_model::FaultKind;

    use super::*;
    use crate::postgres::recover::folder::{BackupId, Marker};

    #[test]
    fn the_log_tells_why_a_server_ended() {
        let check = |line: &str, kind: FaultKind, words: &str| {
            let root = tempfile::tempdir().unwrap();
            let folder = Folder::take(&root.path().join("s")).unwrap();
            let fault = explain(&folder, &format!("x [1] {line}"), "exit 1");
            assert_eq!(fault.kind, kind, "{line}");
            assert!(fault.message.contains(words), "{fault}");
        };
        check(
            "FATAL:  requested recovery stop point is before consistent recovery point",
            FaultKind::Refused,
            "last second",
        );
        check(
            "FATAL:  pre-existing shared memory block (key 1, ID 2) is still in use",
            FaultKind::Temporary,
            "cannot start yet",
        );
        check("FATAL:  out of luck", FaultKind::Permanent, "out of luck");
        check("LOG:  hello", FaultKind::Temporary, "exit 1");
    }

    #[test]
    fn a_disk_that_fills_up_during_the_replay_is_emptied_again() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::take(&root.path().join("s")).unwrap();
        let backup = BackupId {
            system_id: "7".into(),
            start: Lsn(1),
            major: 15,
        };
        let marker = Marker::building(Timestamp::from_micros(1), backup);
        folder.write_marker(&marker).unwrap();
        std::fs::create_dir(folder.data()).unwrap();
        let log = "x [1] FATAL:  could not write to file \"pg_wal/x\": No space left on device";
        let fault = explain(&folder, log, "exit 1");
        assert_eq!(fault.kind, FaultKind::Refused);
        assert!(fault.message.contains("too little space"), "{fault}");
        assert!(!folder.data().exists());
    }
}
