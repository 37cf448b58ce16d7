//! What an inspection looks at on the live server, one function for each check.

use reprise_ports::{Inspect, Level};

use super::inspect::Findings;
use super::rights::{Right, missing, needed};
use super::session::Session;
use super::transaction::{Mode, mode, stopping_triggers};
use crate::postgres::slice::{Catalog, Claim, SQL, Slice, TableName, literal, quoted};

/// The major versions that are known to work.
const KNOWN: std::ops::RangeInclusive<u32> = 13..=18;

pub async fn connection(live: &mut Session<'_>, wants_tls: bool, findings: &mut Findings<'_>) {
    let doing = "looking at the connection";
    let sql = "select coalesce((select ssl from pg_catalog.pg_stat_ssl where pid = pg_backend_pid()), false),
                      inet_client_addr() is null or inet_client_addr() <<= '127.0.0.0/8' or inet_client_addr() = '::1',
                      current_user::text, pg_is_in_recovery()";
    let row = match live.row(doing, sql.to_owned()).await {
        Ok(row) => row,
        Err(fault) => return findings.unknown("connection", fault),
    };
    let flag = |at| live.get::<bool>(doing, &row, at).unwrap_or_default();
    let (encrypted, near, standby) = (flag(0), flag(1), flag(3));
    let user: String = live.get(doing, &row, 2).unwrap_or_default();
    match standby {
        true => findings.add(
            "connection",
            Level::Error,
            format!("{} is a standby, and takes no rows", live.end()),
            Some("give the URL of the primary".to_owned()),
        ),
        false => findings.ok("connection", format!("connected as {user}")),
    }
    match (encrypted, near) {
        (true, _) => findings.ok("tls", "the connection is encrypted"),
        (false, true) => findings.ok("tls", "not encrypted; the server is on this machine"),
        (false, false) => findings.add(
            "tls",
            Level::Warning,
            "the connection to a server elsewhere is not encrypted",
            Some("add `?sslmode=verify-full` to the URL".to_owned()),
        ),
    }
    if encrypted && !wants_tls {
        findings.add(
            "tls",
            Level::Warning,
            "the URL would also take a connection that is not encrypted",
            Some("add `?sslmode=verify-full` to the URL".to_owned()),
        );
    }
}

pub fn version(major: u32, findings: &mut Findings<'_>) {
    match KNOWN.contains(&major) {
        true => findings.ok("version", format!("PostgreSQL {major}")),
        false => findings.add(
            "version",
            Level::Error,
            format!(
                "PostgreSQL {major} is not one of {} to {}",
                KNOWN.start(),
                KNOWN.end()
            ),
            None,
        ),
    }
}

pub async fn permission(
    live: &mut Session<'_>,
    slice: &Slice,
    now: &Catalog,
    findings: &mut Findings<'_>,
) {
    let needed = needed(slice, now);
    let doing = "asking who we are";
    let sql = "select current_user::text, current_database()::text".to_owned();
    let found = async {
        let row = live.row(doing, sql).await?;
        let role: String = live.get(doing, &row, 0)?;
        let database: String = live.get(doing, &row, 1)?;
        Ok((role, database, missing(live, &needed).await?))
    };
    match found.await {
        Err(fault) => findings.unknown("rights", fault),
        Ok((role, _, missing)) if missing.is_empty() => {
            findings.ok("rights", format!("{role} has all {} rights", needed.len()));
        }
        Ok((role, database, missing)) => {
            let (extra, hard): (Vec<&Right>, Vec<&Right>) =
                missing.iter().partition(|right| right.only_sometimes());
            for (rights, level, what) in [
                (hard, Level::Error, "lacks"),
                (
                    extra,
                    Level::Warning,
                    "lacks, for `on_conflict: keep` or `replace` or sites that refer to each other,",
                ),
            ] {
                for right in rights {
                    let grant = right.grant(&role, &database);
                    let message = format!("{role} {what} a right: {grant}");
                    findings.add("rights", level, message, Some(format!("`{grant}`")));
                }
            }
        }
    }
}

pub async fn row_security(
    live: &mut Session<'_>,
    slice: &Slice,
    now: &Catalog,
    findings: &mut Findings<'_>,
) {
    let protected: Vec<&TableName> = slice
        .tables
        .iter()
        .filter_map(|owned| now.table(&owned.table))
        .filter(|table| table.row_security.enabled)
        .map(|table| &table.name)
        .collect();
    let mut filtered = Vec::new();
    for table in &protected {
        let sql = format!(
            "select row_security_active({}::regclass)",
            literal(&SQL.table(table))
        );
        match live
            .value::<bool>("looking at row-level security", sql)
            .await
        {
            Ok(true) => filtered.push(table.to_string()),
            Ok(false) => {}
            Err(fault) => return findings.unknown("rls", fault),
        }
    }
    match filtered.is_empty() {
        true => findings.ok(
            "rls",
            format!("{} tables have row-level security, none hides rows from this role", protected.len()),
        ),
        false => findings.add(
            "rls",
            Level::Error,
            format!("row-level security would hide rows of {}", filtered.join(", ")),
            Some("`alter role ... bypassrls`, or connect as the tables' owner where it is not forced".to_owned()),
        ),
    }
}

pub async fn replica(
    live: &mut Session<'_>,
    slice: &Slice,
    now: &Catalog,
    findings: &mut Findings<'_>,
) {
    let tried = async {
        live.run("beginning a transaction", "begin".to_owned())
            .await?;
        let mode = mode(live).await?;
        live.run("ending a transaction", "rollback".to_owned())
            .await?;
        Ok(mode)
    };
    let mode = match tried.await {
        Ok(mode) => mode,
        Err(fault) => return findings.unknown("replication-role", fault),
    };
    let grant = "`grant set on parameter session_replication_role to ...` (from PostgreSQL 15), or a superuser";
    let rigid: Vec<&str> = slice
        .cyclic
        .iter()
        .filter(|key| !key.deferrable)
        .map(|key| key.name.as_str())
        .collect();
    match mode {
        Mode::Replica => findings.ok("replication-role", "a restore can act as a replica"),
        Mode::Deferred if rigid.is_empty() => findings.add(
            "replication-role",
            Level::Warning,
            "this role may not act as a replica: foreign keys are checked by the server row by row, user triggers must not exist, and `on_conflict: replace` is refused",
            Some(grant.to_owned()),
        ),
        Mode::Deferred => findings.add(
            "replication-role",
            Level::Error,
            format!(
                "this role may not act as a replica, and {} close cycles without being deferrable",
                rigid.join(", ")
            ),
            Some(grant.to_owned()),
        ),
    }
    let stopping = stopping_triggers(slice, now, mode);
    match stopping.is_empty() {
        true => findings.ok("triggers", "no user trigger fires for restored rows"),
        false => {
            let named: Vec<String> = stopping
                .iter()
                .map(|(table, trigger)| format!("{trigger} on {table}"))
                .collect();
            let message = format!(
                "user triggers would fire for restored rows: {}",
                named.join(", ")
            );
            findings.add("triggers", Level::Error, message, Some(grant.to_owned()));
        }
    }
}

/// Where every way of ownership ends there is a column with the site's id: a
/// site that is in none of these has no rows at all.
pub async fn in_the_way(
    live: &mut Session<'_>,
    inspect: &Inspect,
    slice: &Slice,
    now: &Catalog,
    findings: &mut Findings<'_>,
) {
    if inspect.sites.is_empty() {
        return;
    }
    let ids: Vec<String> = inspect
        .sites
        .iter()
        .map(|site| literal(site.as_str()))
        .collect();
    let mut queries = Vec::new();
    for owned in &slice.tables {
        for claim in &owned.claims {
            if let Claim::Key { column, base, .. } = claim
                && let Some(table) = now.table(&owned.table)
            {
                let column = quoted(column);
                let all = ids.join(", ");
                let from = format!(
                    "{} where {column} = any (array[{all}]::{base}[])",
                    SQL.from(table)
                );
                queries.push((owned.table.to_string(), from));
            }
        }
    }
    match live.counts("looking for rows in the way", &queries).await {
        Err(fault) => findings.unknown("rows-in-the-way", fault),
        Ok(counts) => match super::conflict::named(&counts) {
            None => findings.ok("rows-in-the-way", "live has no rows of these sites"),
            Some(named) => findings.add(
                "rows-in-the-way",
                Level::Warning,
                format!("live has rows of the sites to be restored: {named}"),
                Some("their restore is refused, unless the step says `on_conflict: keep` or `replace`".to_owned()),
            ),
        },
    }
}
