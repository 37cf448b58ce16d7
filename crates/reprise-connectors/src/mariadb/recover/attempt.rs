//! One attempt at a recovery: copy, prepare, start, replay, prove, seal.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use reprise_model::{Fault, Outcome, RecoveryPoint, Timestamp, Volume};
use reprise_ports::{Context, Progress};
use serde_json::{Map, json};

use super::ask;
use super::backup::{Source, domain, gtids};
use super::cut::{Live, decide};
use super::ready::{Ready, Replayed};
use super::replay::spawn;
use super::server::{Host, Server, log};
use super::zone::Zone;
use super::{Folder, Marker, Scratch, blocking, cancelled};
use crate::mariadb::session::{Session, text};
use crate::mariadb::{MariadbConfig, MariadbShard};
use crate::rows::Dialect;
use crate::shared::copy::{Inventory, Watch};
use crate::shared::folder::State;
use crate::shared::room::check_space;

const SQL: Dialect = Dialect::Mariadb;

pub struct Attempt<'a> {
    pub config: &'a MariadbConfig,
    pub shard: &'a MariadbShard,
    pub target: Timestamp,
    /// The time zone of the server that wrote the log.
    pub zone: &'a Zone,
    pub folder: Arc<Folder>,
    pub context: &'a dyn Context,
}

struct StopOnDrop(Arc<Watch>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

impl Attempt<'_> {
    pub async fn run(self, source: Source) -> Result<Scratch, Fault> {
        let begin = Instant::now();
        let (temp, path) = (&self.config.temp, self.config.path.clone());
        let host = Host::new(&source.backup.folder, self.folder.path(), temp, path)?;
        self.phase("copying the backup");
        let bytes = self.copy(&source).await?;
        let account = host.account.clone();
        let data = self.folder.data();
        blocking(move || {
            let owned = account.own(&data);
            owned.map_err(|error| Fault::refused(error.to_string()))
        })
        .await?;
        self.phase("preparing the backup");
        self.prepare(&host, &source).await?;
        let copied = begin.elapsed();
        let settings = source.backup.settings.clone();
        let (data, log) = (self.folder.data(), self.folder.log());
        let mut server = Server::start(&host, &data, &log, &settings, &self.zone.name)?;
        server.accepting(self.context.cancelled()).await?;
        self.phase("replaying the binary log");
        if !source.cut.groups.is_empty() {
            self.replay(&host, &source, &server).await?;
        }
        reached(&source, &server).await?;
        let point = self.prove(&source).await?;
        let database = self.database(&server).await?;
        let outcome = outcome(
            &source,
            &self.folder,
            point,
            &database,
            bytes,
            copied,
            begin.elapsed(),
        );
        let ready = Ready {
            database,
            settings,
            replayed: Some(Replayed::of(&source, &self.zone.name)),
            outcome,
        };
        let mut marker = Marker::building(self.target, source.backup.id);
        marker.state = State::Ready(Box::new(ready.clone()));
        self.folder.write_marker(&marker)?;
        Ok(Scratch {
            server,
            ready,
            _folder: self.folder,
        })
    }

    fn phase(&self, phase: &str) {
        self.context.progress(Progress {
            phase: Some(phase.to_owned()),
            ..Progress::default()
        });
    }

    /// Copies on threads of its own; the folder is marked as one in the making first.
    async fn copy(&self, source: &Source) -> Result<u64, Fault> {
        let watch = Arc::new(Watch::default());
        let _guard = StopOnDrop(Arc::clone(&watch));
        let (folder, from, watching) = (
            Arc::clone(&self.folder),
            source.backup.folder.clone(),
            Arc::clone(&watch),
        );
        let marker = Marker::building(self.target, source.backup.id.clone());
        let needed = source.scratch_bytes()?;
        let mut work = tokio::task::spawn_blocking(move || {
            folder.wipe()?;
            folder.write_marker(&marker)?;
            let cannot = |error: std::io::Error| {
                Fault::refused(format!("cannot copy {}: {error}", from.display()))
            };
            let inventory = Inventory::all(&from, &folder.data()).map_err(cannot)?;
            check_space(folder.path(), needed)?;
            inventory.copy(&watching).map_err(cannot)?;
            Ok(inventory.bytes)
        });
        tokio::select! {
            done = &mut work => done
                .map_err(|error| Fault::temporary(format!("the copy broke off: {error}")))?,
            () = self.context.cancelled().cancelled() => {
                watch.stop.store(true, Ordering::Relaxed);
                let _ = work.await;
                Err(cancelled())
            }
        }
    }

    async fn prepare(&self, host: &Host, source: &Source) -> Result<(), Fault> {
        let mut command = host.command("mariadb-backup")?;
        command
            .arg("--prepare")
            .arg(format!("--target-dir={}", self.folder.data().display()));
        if let Some((_, size)) = source
            .backup
            .settings
            .iter()
            .find(|(key, _)| key == "innodb_page_size")
        {
            command.arg(format!("--innodb-page-size={size}"));
        }
        let errors = log(&self.folder.log())?;
        command.stdout(Stdio::null()).stderr(errors);
        let child = spawn(command, "mariadb-backup")?;
        self.ended(child, "mariadb-backup --prepare").await
    }

    async fn prove(&self, source: &Source) -> Result<RecoveryPoint, Fault> {
        let live = match source.cut.first_after {
            Some(_) => Live::Unknown,
            None => self.live(source).await,
        };
        let mut point = decide(
            &source.cut,
            self.target,
            live,
            source.written(),
            self.config.rpo,
        )?;
        if self.zone.is_assumed {
            point.basis += "; statements of the server's own time zone were replayed in UTC, which nobody states";
        }
        Ok(point)
    }

    /// Whether live has committed more than the log holds: the newest
    /// transaction of each domain says so, and says too that it is that server.
    async fn live(&self, source: &Source) -> Live {
        let Some(url) = &self.shard.live else {
            return Live::Unknown;
        };
        match ask::value(url, "asking for its log", "select @@gtid_binlog_pos").await {
            Some(theirs) => compare(&gtids(&theirs), &source.newest()),
            None => Live::Unknown,
        }
    }

    /// The database that holds the store: the one that the live URL names,
    /// else the one that has the tenants' root table.
    async fn database(&self, server: &Server) -> Result<String, Fault> {
        let mut session = Session::open("scratch", &server.options()).await?;
        let sql = match &self.shard.database {
            Some(named) => format!(
                "select schema_name from information_schema.schemata where schema_name = {}",
                SQL.literal(named)
            ),
            None => {
                let tenant = self.config.tenant.as_ref();
                let root = tenant.map_or("", |tenant| tenant.table.as_str());
                format!(
                    "select table_schema from information_schema.tables where table_name = {}
                       and table_schema not in ('mysql', 'sys', 'performance_schema', 'information_schema')
                     order by table_schema",
                    SQL.literal(root)
                )
            }
        };
        let found = session.rows("looking for the database", sql).await?;
        session.close().await;
        let found: Vec<String> = found.iter().filter_map(|row| text(row, 0)).collect();
        let shard = &self.shard.id;
        let message = match (found.as_slice(), &self.shard.database) {
            ([one], _) => return Ok(one.clone()),
            ([], Some(named)) => {
                format!(
                    "shard `{shard}` had no database `{named}` at {}",
                    self.target
                )
            }
            ([], None) => format!("no database of shard `{shard}` has the root table"),
            (several, _) => format!(
                "several databases of shard `{shard}` have the root table: {}",
                several.join(", ")
            ),
        };
        Err(Fault::refused(message).hint("the live URL says which database it is"))
    }
}

/// Equal in every domain: quiet. Another newest transaction of a domain that
/// both know, with a higher number: ahead.
fn compare(theirs: &[String], ours: &[String]) -> Live {
    let sequence = |gtid: &str| gtid.rsplit('-').next().and_then(|n| n.parse::<u64>().ok());
    let mut live = Live::Quiet;
    for gtid in theirs {
        match ours.iter().find(|known| domain(known) == domain(gtid)) {
            Some(known) if known == gtid => {}
            Some(known) if sequence(gtid) > sequence(known) => live = Live::Ahead,
            Some(_) | None => return Live::Unknown,
        }
    }
    match ours.len() == theirs.len() {
        true => live,
        false => Live::Unknown,
    }
}

/// The server itself says which transactions it has replayed.
async fn reached(source: &Source, server: &Server) -> Result<(), Fault> {
    let mut newest: Vec<String> = Vec::new();
    for group in &source.cut.groups {
        let gtid = group.gtid.to_string();
        newest.retain(|known| domain(known) != domain(&gtid));
        newest.push(gtid);
    }
    let mut session = Session::open("scratch", &server.options()).await?;
    let found = session
        .value("asking what it reached", "select @@gtid_binlog_pos")
        .await?;
    session.close().await;
    let found = gtids(&found.unwrap_or_default());
    match newest.iter().all(|gtid| found.contains(gtid)) {
        true => Ok(()),
        false => Err(Fault::permanent(format!(
            "the replay should have reached {} and stands at {}",
            newest.join(","),
            found.join(",")
        ))),
    }
}

fn outcome(
    source: &Source,
    folder: &Folder,
    point: RecoveryPoint,
    database: &str,
    bytes: u64,
    copied: Duration,
    all: Duration,
) -> Outcome {
    let cut = &source.cut;
    let shown = |group: &Option<super::binlog::Group>| group.map(|group| group.gtid.to_string());
    let mut output = Map::new();
    output.insert("scratch".to_owned(), json!(folder.path()));
    output.insert("backup".to_owned(), json!(source.backup.folder));
    output.insert("database".to_owned(), json!(database));
    output.insert("transactions_replayed".to_owned(), json!(cut.groups.len()));
    output.insert("last_gtid".to_owned(), json!(shown(&cut.last_before)));
    output.insert(
        "first_gtid_after".to_owned(),
        json!(shown(&cut.first_after)),
    );
    output.insert(
        "seconds".to_owned(),
        json!({ "copy": copied.as_secs_f64(), "replay": (all - copied).as_secs_f64() }),
    );
    Outcome {
        output,
        volume: Volume { rows: 0, bytes },
        recovery_point: Some(point),
        ..Outcome::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_is_quiet_only_where_every_domain_agrees() {
        let check = |theirs: &str, ours: &str, expect: Live| {
            assert_eq!(
                compare(&gtids(theirs), &gtids(ours)),
                expect,
                "{theirs} {ours}"
            );
        };
        check("0-1-9", "0-1-9", Live::Quiet);
        check("0-1-9,1-1-4", "1-1-4,0-1-9", Live::Quiet);
        check("0-1-10", "0-1-9", Live::Ahead);
        check("0-1-8", "0-1-9", Live::Unknown);
        check("0-2-9", "0-1-9", Live::Unknown);
        check("0-1-10,5-1-1", "0-1-9", Live::Unknown);
        check("", "0-1-9", Live::Unknown);
    }
}
