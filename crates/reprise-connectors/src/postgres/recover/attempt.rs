//! One attempt at a recovery: copy, replay, evidence, marker.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use reprise_model::{Fault, Outcome, RecoveryPoint, Timestamp, Volume};
use reprise_ports::Context;
use serde_json::{Map, Value, json};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnection;

use super::build::build;
use super::catalogue;
use super::copy::Watch;
use super::evidence::{Evidence, Live, decide};
use super::fault;
use super::folder::{Folder, Marker, Ready, State};
use super::live;
use super::lsn::Segment;
use super::replay;
use super::scratch::{Host, Meter, Scratch, Started};
use super::source::Source;
use crate::postgres::{PostgresConfig, PostgresShard};

/// How often the progress of a copy is reported.
const TICK: Duration = Duration::from_millis(150);

pub struct Attempt<'a> {
    pub config: &'a PostgresConfig,
    pub shard: &'a PostgresShard,
    pub target: Timestamp,
    pub folder: Arc<Folder>,
    pub context: &'a dyn Context,
}

/// Tells the copying threads to end when the attempt is dropped.
struct StopOnDrop(Arc<Watch>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

impl Attempt<'_> {
    pub async fn run(self, source: Source) -> Result<Scratch, Fault> {
        let source = Arc::new(source);
        let meter = Meter {
            context: self.context,
            base_bytes: source.base_bytes,
            log_bytes: source.log_bytes(),
            start: source.id.start,
        };
        let begin = Instant::now();
        let account = source.account(self.folder.path(), &self.config.temp)?;
        self.build(&source, account.clone(), &meter).await?;
        let copied = begin.elapsed();
        let host = Host {
            installation: source.installation.clone(),
            account,
            temp: self.config.temp.clone(),
        };
        let mut settings = Vec::new();
        let started = host
            .replay(
                &self.folder,
                self.shard,
                &mut settings,
                self.context.cancelled(),
                &|lsn| meter.replayed(lsn),
            )
            .await?;
        let point = self.prove(&source, &started).await?;
        let database = self.database(&started).await?;
        let seconds = [("copy", copied), ("replay", begin.elapsed() - copied)];
        let outcome = outcome(&self.folder, &source, &started, point, &database, &seconds);
        self.seal(&source, started, settings, database, outcome)
    }

    /// Copies on threads of its own, and reports meanwhile.
    async fn build(
        &self,
        source: &Arc<Source>,
        account: reprise_pgserver::Account,
        meter: &Meter<'_>,
    ) -> Result<(), Fault> {
        let watch = Arc::new(Watch::default());
        let _guard = StopOnDrop(Arc::clone(&watch));
        let mut work = {
            let (folder, source, watch) = (
                Arc::clone(&self.folder),
                Arc::clone(source),
                Arc::clone(&watch),
            );
            let target = self.target;
            tokio::task::spawn_blocking(move || build(&folder, &source, &account, target, &watch))
        };
        loop {
            tokio::select! {
                done = &mut work => {
                    return done.map_or_else(
                        |error| Err(Fault::temporary(format!("the copy broke off: {error}"))),
                        |built| built.map(drop),
                    );
                }
                () = tokio::time::sleep(TICK) => {
                    meter.copied(watch.bytes.load(Ordering::Relaxed));
                    if self.context.cancelled().is_cancelled() {
                        watch.stop.store(true, Ordering::Relaxed);
                    }
                }
            }
        }
    }

    /// Which moment was reached, and what shows it.
    async fn prove(&self, source: &Source, started: &Started) -> Result<RecoveryPoint, Fault> {
        let still = &started.standstill;
        if let Some(wanted) = &still.wanted {
            broken_log(source, wanted, still)?;
        }
        let live = match still.first_after {
            Some(_) => Live::Unknown,
            None => {
                let scratch = replay::options(&started.server, &started.superuser, "template1");
                live::compare(self.shard.live.as_ref(), &source.id.system_id, scratch).await
            }
        };
        decide(
            &Evidence {
                target: self.target,
                backup_end: source.stop_time,
                last_before: still.last_before,
                first_after: still.first_after,
                replayed_to: still.replayed_to,
                archived: source.archived,
                live,
            },
            self.config.rpo,
        )
    }

    /// The database that holds the store: the one that the live URL names,
    /// else the first that has the tenants' root table.
    async fn database(&self, started: &Started) -> Result<String, Fault> {
        let all = catalogue::databases(&mut self.connect(started, "template1").await?).await?;
        if let (_, Some(name)) = live::names(self.shard.live.as_ref())
            && all.contains(&name)
        {
            return Ok(name);
        }
        if let Some(tenant) = &self.config.tenant {
            for name in &all {
                let mut connection = self.connect(started, name).await?;
                if catalogue::has_table(&mut connection, &tenant.table).await {
                    return Ok(name.clone());
                }
            }
        }
        all.into_iter()
            .next()
            .ok_or_else(|| Fault::permanent("the recovered server has no database"))
    }

    async fn connect(&self, started: &Started, database: &str) -> Result<PgConnection, Fault> {
        replay::options(&started.server, &started.superuser, database)
            .connect()
            .await
            .map_err(|error| {
                Fault::temporary(format!(
                    "cannot connect to `{database}` in scratch: {error}"
                ))
            })
    }

    /// From here on the folder is used again instead of being built again.
    fn seal(
        &self,
        source: &Source,
        started: Started,
        settings: Vec<(String, String)>,
        database: String,
        outcome: Outcome,
    ) -> Result<Scratch, Fault> {
        if self.context.cancelled().is_cancelled() {
            return Err(fault::cancelled("the recovery"));
        }
        let ready = Ready {
            replayed_to: started.standstill.replayed_to,
            superuser: started.superuser,
            database,
            settings,
            outcome,
        };
        let mut marker = Marker::building(self.target, source.id.clone());
        marker.state = State::Ready(Box::new(ready.clone()));
        self.folder.write_marker(&marker)?;
        Ok(Scratch::new(
            Arc::clone(&self.folder),
            started.server,
            ready,
        ))
    }
}

/// The server waits for a segment. Beyond the known end that is the end of
/// the log; before it, a piece is missing or cannot be read.
fn broken_log(source: &Source, wanted: &str, still: &replay::Standstill) -> Result<(), Fault> {
    let size = source.segment_size;
    let (Some(end), Some(segment)) = (source.end, Segment::parse(wanted, size)) else {
        return Ok(());
    };
    if segment.start(size) >= end || still.replayed_to >= end {
        return Ok(());
    }
    // The backup's own last segment is filled up with zeros.
    let own_end = matches!(&source.origin, super::source::Origin::Folder { archive, .. }
        if !archive.segments.contains_key(&segment));
    if own_end && segment.end(size) >= end {
        return Ok(());
    }
    Err(Fault::refused(format!(
        "the log cannot be read beyond {}: WAL segment {wanted} is missing or damaged, while the archive goes on to {end}",
        still.replayed_to
    ))
    .hint("bring the segment back from another copy of the archive"))
}

fn outcome(
    folder: &Folder,
    source: &Source,
    started: &Started,
    point: RecoveryPoint,
    database: &str,
    seconds: &[(&str, Duration)],
) -> Outcome {
    let size = source.segment_size;
    let replayed = started.standstill.replayed_to;
    let segments = (replayed.0.div_ceil(size)).saturating_sub(source.id.start.0 / size);
    let name = folder.path().file_name().unwrap_or_default();
    let mut output = Map::new();
    output.insert("scratch".into(), json!(name.to_string_lossy()));
    output.insert("backup".into(), json!(source.label));
    output.insert("backup_end".into(), json!(source.stop_time));
    output.insert("timeline".into(), json!(source.timeline));
    output.insert("wal_segments".into(), json!(segments));
    output.insert("replayed_to".into(), json!(replayed));
    output.insert("database".into(), json!(database));
    let phases: Map<String, Value> = seconds
        .iter()
        .map(|(name, time)| ((*name).to_owned(), json!(milliseconds(*time))))
        .collect();
    output.insert("seconds".into(), Value::Object(phases));
    Outcome {
        output,
        volume: Volume {
            rows: 0,
            bytes: source.base_bytes + replayed.0.saturating_sub(source.id.start.0),
        },
        recovery_point: Some(point),
        checks: Vec::new(),
    }
}

/// In seconds, no finer than a millisecond: exact when it is read back.
fn milliseconds(time: Duration) -> f64 {
    time.as_millis() as f64 / 1000.0
}
