//! The WAL archive: opened when the estate is filled, and waited for.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use crate::Error;
use crate::layout::Layout;
use crate::manifest::ClusterEntry;

/// An archiver that works is through in milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// Sets the archive command and returns when the archiver really uses it:
/// from here on there is no gap.
pub async fn start_archiving(
    connection: &mut PgConnection,
    cluster: &str,
    wal: &Path,
) -> Result<(), Error> {
    let set = format!(
        "alter system set archive_command = {}",
        sql_literal(&archive_command(wal))
    );
    let reload = "select pg_reload_conf()";
    for statement in [set.as_str(), reload] {
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut *connection)
            .await
            .map_err(Error::sql("opening the archive", cluster))?;
    }
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let segment = switch(connection, cluster).await?;
        // The archiver reads the new command at its own pace: a segment that
        // the old one took is not in the folder, and another one is tried.
        wait_for(connection, cluster, &segment).await?;
        if wal.join(&segment).exists() {
            return Ok(());
        }
    }
    Err(too_slow(cluster, "opened its archive"))
}

/// A copy that appears whole or not at all, and never replaces another.
fn archive_command(wal: &Path) -> String {
    let target = |suffix: &str| shell_word(&format!("{}/%f{suffix}", wal.display()));
    let (done, draft) = (target(""), target(".tmp"));
    format!("test ! -f {done} && cp %p {draft} && mv {draft} {done}")
}

/// Writes a last transaction, closes the segment that holds it, and returns
/// when the archive has it.
pub async fn archive_everything(
    layout: &Layout,
    entry: &ClusterEntry,
    connection: &mut PgConnection,
) -> Result<(), Error> {
    // Recovery to a moment stops at a later commit: without one it would fail.
    sqlx::query("select pg_current_xact_id()")
        .execute(&mut *connection)
        .await
        .map_err(Error::sql("a last transaction", &entry.name))?;
    let segment = switch(connection, &entry.name).await?;
    wait_for(connection, &entry.name, &segment).await?;
    let file = layout.backup(&entry.name).join("wal").join(&segment);
    fs::metadata(&file)
        .map(|_| ())
        .map_err(Error::io("find the archived", &file))
}

/// Ends the current segment and names it.
async fn switch(connection: &mut PgConnection, cluster: &str) -> Result<String, Error> {
    // A switch right after another one would do nothing.
    sqlx::query("select pg_current_xact_id()")
        .execute(&mut *connection)
        .await
        .map_err(Error::sql("a transaction", cluster))?;
    sqlx::query_scalar("select pg_walfile_name(pg_switch_wal())")
        .fetch_one(connection)
        .await
        .map_err(Error::sql("ending a WAL segment", cluster))
}

async fn wait_for(
    connection: &mut PgConnection,
    cluster: &str,
    segment: &str,
) -> Result<(), Error> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let last: Option<String> =
            sqlx::query_scalar("select last_archived_wal from pg_stat_archiver")
                .fetch_one(&mut *connection)
                .await
                .map_err(Error::sql("looking at the archiver", cluster))?;
        if last.is_some_and(|last| last.as_str() >= segment) {
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
    Err(too_slow(cluster, "archived its WAL"))
}

fn too_slow(cluster: &str, what: &str) -> Error {
    Error::TooSlow {
        cluster: cluster.to_owned(),
        what: what.to_owned(),
        seconds: PATIENCE.as_secs(),
    }
}

/// A `%` in a folder's name would otherwise be read as a placeholder, but for
/// `%f`, which is ours.
fn shell_word(path: &str) -> String {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let folder = folder.replace('%', "%%").replace('\'', r"'\''");
    format!("'{folder}/{file}'")
}

pub fn sql_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_with_odd_names_are_quoted() {
        assert_eq!(
            archive_command(Path::new("/srv/it's 100%/wal")),
            r"test ! -f '/srv/it'\''s 100%%/wal/%f' && cp %p '/srv/it'\''s 100%%/wal/%f.tmp' && mv '/srv/it'\''s 100%%/wal/%f.tmp' '/srv/it'\''s 100%%/wal/%f'"
        );
    }
}
