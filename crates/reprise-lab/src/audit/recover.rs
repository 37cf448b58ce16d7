//! PostgreSQL's own recovery to T, into a folder of the lab's own.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use reprise_model::Timestamp;
use reprise_pgserver::{Lifetime, Server, ServerConfig, Stop, Tcp};

use crate::Error;
use crate::cluster::{Host, connect};
use crate::layout::Layout;
use crate::manifest::ClusterEntry;

const PATIENCE: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(30);

/// A server that stands at T and ends with this process.
pub async fn recover(
    layout: &Layout,
    host: &Host,
    entry: &ClusterEntry,
    at: Timestamp,
) -> Result<Server, Error> {
    let folder = layout.oracle(&entry.name);
    clear(&folder)?;
    fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
    let data = folder.join("data");
    copy(&layout.backup(&entry.name).join("base"), &data, &entry.name)?;
    let conf = settings(&layout.backup(&entry.name).join("wal"), at);
    let path = data.join("postgresql.auto.conf");
    OpenOptions::new()
        .append(true)
        .open(&path)
        .and_then(|mut file| file.write_all(conf.as_bytes()))
        .map_err(Error::io("write", &path))?;
    let signal = data.join("recovery.signal");
    fs::write(&signal, "").map_err(Error::io("write", &signal))?;
    host.account.own(&folder)?;
    let mut server = Server::start(&ServerConfig {
        installation: host.installation.clone(),
        account: host.account.clone(),
        data,
        temp: std::env::temp_dir(),
        tcp: Tcp::Off,
        log: folder.join("log"),
        lifetime: Lifetime::Attached,
        config_file: None,
        settings: Vec::new(),
    })?;
    server.wait_until_accepting(PATIENCE, &|| false)?;
    wait_for_target(&mut server, entry).await?;
    Ok(server)
}

/// Ends the server and removes its data.
pub fn discard(layout: &Layout, entry: &ClusterEntry, mut server: Server) -> Result<(), Error> {
    server.stop(Stop::Immediate)?;
    clear(&layout.oracle(&entry.name))
}

fn clear(folder: &Path) -> Result<(), Error> {
    crate::cluster::stop(folder)?;
    match folder.exists() {
        true => fs::remove_dir_all(folder).map_err(Error::io("remove", folder)),
        false => Ok(()),
    }
}

/// The server accepts connections before it has reached T: only a paused one
/// is there.
async fn wait_for_target(server: &mut Server, entry: &ClusterEntry) -> Result<(), Error> {
    let mut connection = connect(server, &entry.name, entry.store.name()).await?;
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let paused = sqlx::query_scalar("select pg_get_wal_replay_pause_state() = 'paused'")
            .fetch_one(&mut connection)
            .await;
        match (paused, server.ended()) {
            (Ok(true), _) => return Ok(()),
            (Ok(false), None) => tokio::time::sleep(POLL).await,
            (Err(error), None) => {
                return Err(Error::sql("waiting for the recovery", &entry.name)(error));
            }
            (_, Some(status)) => {
                return Err(Error::Tool {
                    program: "postgres",
                    cluster: entry.name.clone(),
                    status,
                    output: server.log_tail(5),
                });
            }
        }
    }
    Err(Error::TooSlow {
        cluster: entry.name.clone(),
        what: "reached the moment".to_owned(),
        seconds: PATIENCE.as_secs(),
    })
}

/// `Z` is not a zone that `recovery_target_time` knows.
fn settings(wal: &Path, at: Timestamp) -> String {
    let at = at.to_string().replace('Z', "+00:00");
    let from = wal
        .display()
        .to_string()
        .replace('%', "%%")
        .replace('\'', r"'\''");
    let restore = format!("cp '{from}'/%f %p").replace('\'', "''");
    format!(
        "archive_mode = off
restore_command = '{restore}'
recovery_target_time = '{at}'
recovery_target_action = pause
recovery_target_timeline = latest
hot_standby = on
"
    )
}

fn copy(from: &Path, to: &Path, cluster: &str) -> Result<(), Error> {
    let output = Command::new("cp")
        .arg("-a")
        .args([from, to])
        .output()
        .map_err(Error::io("copy", from))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(Error::Tool {
            program: "cp",
            cluster: cluster.to_owned(),
            status: output.status.to_string(),
            output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moment_is_written_with_a_numeric_offset() {
        let at = Timestamp::from_micros(1_772_366_400_000_001);
        let text = settings(Path::new("/srv/it's/wal"), at);
        assert!(
            text.contains("recovery_target_time = '2026-03-01T12:00:00.000001+00:00'"),
            "{text}"
        );
        assert!(
            text.contains(r"restore_command = 'cp ''/srv/it''\''''s/wal''/%f %p'"),
            "{text}"
        );
    }
}
