//! The one transaction in which a slice appears, and how it begins.

use reprise_model::{Fault, SiteId};

use super::session::Session;
use super::shard::Match;
use crate::postgres::slice::{Catalog, Slice, TableName, Trigger, literal};
use crate::rows::Options;

/// How foreign keys and triggers are kept out of the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// This transaction alone acts as a replica: no user trigger fires, and
    /// foreign keys are checked by ourselves before the commit.
    Replica,
    /// The server does not let us: foreign keys are checked by the server, at
    /// the latest when the transaction ends.
    Deferred,
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replica => "replica",
            Self::Deferred => "deferred",
        }
    }
}

/// Begins the transaction on live. All settings end with it.
pub async fn begin(
    live: &mut Session<'_>,
    known: &Match,
    site: &SiteId,
    options: &Options,
) -> Result<Mode, Fault> {
    let settings = format!(
        "begin isolation level read committed;
         set local lock_timeout = {};
         set local statement_timeout = {};
         set local idle_in_transaction_session_timeout = '10min';
         set local row_security = off;
         set local datestyle = 'ISO, MDY'; set local intervalstyle = 'postgres'; set local timezone = 'UTC';
         {}",
        options.lock_timeout.as_millis(),
        options.statement_timeout.as_millis(),
        // The server notices a coordinator that died in the middle of a long statement.
        if known.now.major >= 14 { "set local client_connection_check_interval = '5s'" } else { "" },
    );
    live.run("beginning the transaction", settings).await?;
    alone(live, site).await?;
    let mode = mode(live).await?;
    let stopping = stopping_triggers(&known.slice, &known.now, mode);
    if !stopping.is_empty() {
        return Err(fires(mode, &stopping));
    }
    if mode == Mode::Deferred {
        deferrable(known)?;
        let sql = "set constraints all deferred".to_owned();
        live.run("deferring constraints", sql).await?;
    }
    Ok(mode)
}

/// At most one restore of a site at a time, even when an older attempt's
/// backend has outlived its coordinator. An advisory lock is felt by nobody
/// who does not ask for it.
async fn alone(live: &mut Session<'_>, site: &SiteId) -> Result<(), Fault> {
    let key = literal(&format!("reprise/{site}"));
    let sql = format!("select pg_try_advisory_xact_lock(hashtextextended({key}, 0))");
    if live.value("taking the site's advisory lock", sql).await? {
        return Ok(());
    }
    let message = format!(
        "{}: another restore of site {site} is under way",
        live.end()
    );
    Err(Fault::temporary(message))
}

/// Tries to become a replica; only trying tells, since managed servers grant
/// it in ways of their own.
pub async fn mode(live: &mut Session<'_>) -> Result<Mode, Fault> {
    let sql = "savepoint mode; set local session_replication_role = replica; release mode";
    match live.try_run(sql.to_owned()).await {
        Ok(_) => Ok(Mode::Replica),
        Err(error) if denied(&error) => {
            let back = "rollback to mode; release mode".to_owned();
            live.run("going on without replica mode", back).await?;
            Ok(Mode::Deferred)
        }
        Err(error) => Err(live.fault("asking for replica mode", &error)),
    }
}

pub fn denied(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code == "42501"),
        _ => false,
    }
}

/// User triggers that would fire for our rows, table by table.
pub fn stopping_triggers(slice: &Slice, live: &Catalog, mode: Mode) -> Vec<(TableName, String)> {
    let fires = |trigger: &&Trigger| match mode {
        Mode::Replica => trigger.fires_in_replica && (trigger.on_insert || trigger.on_delete),
        Mode::Deferred => trigger.fires_normally && trigger.on_insert,
    };
    let tables = live.tables.values().filter(|table| {
        let whole = table.partition_of.as_ref().unwrap_or(&table.name);
        slice.owned(whole).is_some()
    });
    tables
        .flat_map(|table| {
            let stopping = table.triggers.iter().filter(fires);
            stopping.map(|trigger| (table.name.clone(), trigger.name.clone()))
        })
        .collect()
}

fn fires(mode: Mode, triggers: &[(TableName, String)]) -> Fault {
    let named: Vec<String> = triggers
        .iter()
        .map(|(table, trigger)| format!("{trigger} on {table}"))
        .collect();
    let fault = Fault::refused(format!(
        "user triggers would fire for the restored rows: {}",
        named.join(", ")
    ));
    match mode {
        Mode::Replica => fault.hint(
            "they are enabled `always` or `replica`; nothing is disabled behind other sessions' backs",
        ),
        Mode::Deferred => fault.hint(
            "let the role set replica mode: `grant set on parameter session_replication_role to ...`",
        ),
    }
}

/// Without replica mode, a cycle of foreign keys needs one that can wait.
fn deferrable(known: &Match) -> Result<(), Fault> {
    let rigid = known.now.foreign_keys.iter().find(|key| {
        let cyclic = known.slice.cyclic.iter();
        !key.deferrable
            && cyclic
                .clone()
                .any(|c| c.child == key.child && c.name == key.name)
    });
    match rigid {
        None => Ok(()),
        Some(key) => Err(Fault::refused(format!(
            "table {}: constraint {} closes a cycle and is not deferrable, and this role may not set replica mode",
            key.child, key.name
        ))
        .hint("let the role set it: `grant set on parameter session_replication_role to ...`")),
    }
}
