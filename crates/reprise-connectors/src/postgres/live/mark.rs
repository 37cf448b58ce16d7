//! What became of a transaction whose coordinator died.
//!
//! Right before the commit the transaction's id and the outcome it would have
//! go into the journal. A later probe asks the server about that id: the
//! server knows, whatever happened to the answer of the commit.

use std::time::Duration;

use reprise_model::{Fault, Outcome};
use reprise_ports::Probe;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::connections::Connections;
use super::session::Session;
use crate::postgres::slice::literal;

const VERSION: u32 = 1;
/// How often and how long a transaction is waited for that is still running.
const PAUSE: Duration = Duration::from_millis(250);
const LOOKS: u32 = 60;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Mark {
    version: u32,
    /// `pg_current_xact_id()`: unique over the life of the cluster.
    xid: String,
    database: String,
    outcome: Outcome,
}

impl Mark {
    /// Takes the running transaction's id.
    pub async fn take(live: &mut Session<'_>, outcome: Outcome) -> Result<Self, Fault> {
        let doing = "reading the transaction's id";
        let sql = "select pg_current_xact_id()::text, current_database()::text";
        let row = live.row(doing, sql.to_owned()).await?;
        Ok(Self {
            version: VERSION,
            xid: live.get(doing, &row, 0)?,
            database: live.get(doing, &row, 1)?,
            outcome,
        })
    }

    pub fn into_outcome(self) -> Outcome {
        self.outcome
    }

    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    pub fn read(value: &Value) -> Option<Self> {
        let mark: Self = serde_json::from_value(value.clone()).ok()?;
        (mark.version == VERSION).then_some(mark)
    }
}

/// Whether the marked transaction is in.
pub async fn probe(live: &Connections, mark: &Mark) -> Result<Probe, Fault> {
    for look in 0..LOOKS {
        if look > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        match status(live, mark).await? {
            Status::Committed => return Ok(Probe::AsItShouldBe(mark.outcome.clone())),
            Status::Aborted => return Ok(Probe::NotYet),
            Status::InProgress => {}
            Status::Unknown(why) => return Ok(Probe::Unknown { why }),
        }
    }
    let why = format!(
        "{}: transaction {} of an earlier attempt is still running",
        live.end(),
        mark.xid
    );
    Ok(Probe::Unknown { why })
}

enum Status {
    Committed,
    Aborted,
    InProgress,
    Unknown(String),
}

async fn status(live: &Connections, mark: &Mark) -> Result<Status, Fault> {
    let mut session = live.session().await?;
    let xid = literal(&mark.xid);
    let doing = "asking what became of a transaction";
    let sql = format!("select pg_xact_status({xid}::xid8), current_database()::text");
    let row = match session.try_row(sql).await {
        Ok(row) => row,
        Err(error) if from_the_future(&error) => {
            let why = format!(
                "{}: transaction {} is one that this server has not reached: is it another server?",
                live.end(),
                mark.xid
            );
            return Ok(Status::Unknown(why));
        }
        Err(error) => return Err(session.fault(doing, &error)),
    };
    let status: Option<String> = session.get(doing, &row, 0)?;
    let database: String = session.get(doing, &row, 1)?;
    session.give_back();
    if database != mark.database {
        let why = format!("{}: the mark is of database {}", live.end(), mark.database);
        return Ok(Status::Unknown(why));
    }
    Ok(match status.as_deref() {
        Some("committed") => Status::Committed,
        Some("aborted") => Status::Aborted,
        Some("in progress") => Status::InProgress,
        Some(_) | None => Status::Unknown(format!(
            "{}: the server no longer knows transaction {}",
            live.end(),
            mark.xid
        )),
    })
}

fn from_the_future(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code == "22023"),
        _ => false,
    }
}
