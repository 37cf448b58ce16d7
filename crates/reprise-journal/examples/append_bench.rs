//! Events a second by page size, beside bare inserts of one blob of the same
//! size into SQLite with the same durability. The ratio is what chain, fence
//! and serialisation cost.
//!
//! `cargo run --release -p reprise-journal --example append_bench [FOLDER]`

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use reprise_model::{
    AttemptId, Digest, Entry, Epoch, Event, Objectives, Owner, PLAN_VERSION, Plan, RunId, Seq,
    SourceFile, TaskIx, Timestamp,
};
use reprise_ports::NewRun;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection, Executor, SqliteConnection, query};

/// Each measurement lasts about this long.
const LASTS: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let parent = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    println!("page size   journal events/s   bare events/s   ratio");
    for size in [1, 16, 256, 4096] {
        let folder = tempfile::tempdir_in(&parent)?;
        let ours = journal(folder.path(), size).await?;
        let bare = bare(folder.path(), size).await?;
        let ratio = ours / bare;
        println!("{size:>9}   {ours:>16.0}   {bare:>13.0}   {ratio:>5.2}");
    }
    Ok(())
}

async fn journal(folder: &Path, size: u64) -> Result<f64, Box<dyn Error>> {
    let path = folder.join("journal.db");
    let journal = reprise_journal::open(&path.display().to_string()).await?;
    let id = RunId::from("bench");
    let new = NewRun {
        id: id.clone(),
        plan: &plan(),
        created: Timestamp::from_micros(0),
        env_file: None,
    };
    journal.create(&new).await?;
    let owner = Owner {
        epoch: Epoch(0),
        host: "bench".to_owned(),
        pid: std::process::id(),
        version: String::new(),
    };
    let mut claim = journal.claim(&id, &owner).await?;
    let start = Instant::now();
    while start.elapsed() < LASTS {
        let page = page(claim.next.0, size);
        journal.append(&id, &mut claim, &page).await?;
    }
    Ok(claim.next.0 as f64 / start.elapsed().as_secs_f64())
}

async fn bare(folder: &Path, size: u64) -> Result<f64, Box<dyn Error>> {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("bare.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    connection
        .execute("create table blobs (id integer primary key, body blob)")
        .await?;
    let mut blob = Vec::new();
    for entry in page(0, size) {
        serde_json::to_writer(&mut blob, &entry)?;
        blob.push(b'\n');
    }
    let (start, mut events) = (Instant::now(), 0);
    while start.elapsed() < LASTS {
        query("insert into blobs (body) values (?)")
            .bind(blob.clone())
            .execute(&mut connection)
            .await?;
        events += size;
    }
    Ok(events as f64 / start.elapsed().as_secs_f64())
}

fn page(first: u64, size: u64) -> Vec<Entry> {
    let entry = |seq: u64| Entry {
        seq: Seq(seq),
        at: Timestamp::from_micros(1_700_000_000_000_001),
        event: Event::Started {
            attempt: AttemptId {
                task: TaskIx((seq % 1_000_000) as u32),
                number: 1,
            },
        },
    };
    (first..first + size).map(entry).collect()
}

fn plan() -> Plan {
    let file = || SourceFile {
        name: "bench".to_owned(),
        path: "bench".into(),
        digest: Digest::default(),
    };
    Plan {
        version: PLAN_VERSION,
        hash: Digest::default(),
        target_time: Timestamp::from_micros(0),
        incident_time: None,
        drill: false,
        estate: file(),
        runbook: file(),
        objectives: Objectives::default(),
        halt_above: None,
        halt_on_checks: false,
        slots: None,
        pools: Vec::new(),
        shards: Vec::new(),
        sites: Vec::new(),
        waves: Vec::new(),
        steps: Vec::new(),
        tasks: Vec::new(),
        not_planned: Vec::new(),
        blast_radius: Default::default(),
    }
}
