//! The phases that this program performs itself.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reprise_model::{AttemptId, Digest, Entry, Event, Plan, Seq, Timestamp};
use reprise_ports::{Journal, NewRun, Progress};
use reprise_report::Monitor;
use reprise_runner::{ExecuteOptions, Execution, Observer, execute};

use crate::child::{Measured, Running};
use crate::stage::Stage;
use crate::{Outcome, noop};

/// Of the runbook's one pool: as many tasks can be in flight.
const SLOTS: usize = 64;

/// A resume that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(120);

pub fn perform(phase: &str, stage: &Stage) -> Outcome<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        match phase {
            "verify" => Ok(reprise_plan::verify_plan(&plan(stage)?)?),
            "hash-plan" => {
                std::hint::black_box(Digest::of(&std::fs::read(stage.plan())?));
                Ok(())
            }
            "parse-plan" => {
                let text = std::fs::read_to_string(stage.plan())?;
                let _: serde::de::IgnoredAny = serde_json::from_str(&text)?;
                Ok(())
            }
            "create" => create(stage).await,
            "half" => run(stage, 2).await,
            "finish" => run(stage, u64::MAX).await,
            "hash-pages" => hash_pages(stage).await,
            "parse-pages" => parse_pages(stage).await,
            "twice" => twice(stage).await,
            other => Err(format!("there is no phase {other}").into()),
        }
    })
}

fn plan(stage: &Stage) -> Outcome<Plan> {
    Ok(serde_json::from_str(&std::fs::read_to_string(
        stage.plan(),
    )?)?)
}

async fn open(stage: &Stage) -> Outcome<Arc<dyn Journal>> {
    let path = stage.journal();
    Ok(reprise_journal::open(&path.display().to_string()).await?)
}

async fn create(stage: &Stage) -> Outcome<()> {
    let plan = plan(stage)?;
    let new = NewRun {
        id: stage.run(),
        plan: &plan,
        created: Timestamp::from_micros(0),
        env_file: None,
    };
    Ok(open(stage).await?.create(&new).await?)
}

/// Folds as the screen does; kills this process once enough tasks have ended.
struct Watch {
    monitor: Mutex<Monitor>,
    ended: AtomicU64,
    enough: u64,
}

impl Observer for Watch {
    fn entries(&self, entries: &[Entry]) {
        let ended = entries
            .iter()
            .filter(|entry| matches!(entry.event, Event::Ended { .. }));
        let ended = ended.count() as u64;
        if self.ended.fetch_add(ended, Ordering::Relaxed) + ended >= self.enough {
            std::process::abort();
        }
        let mut monitor = self.monitor.lock().expect("nobody panics with it");
        monitor.entries(entries);
    }

    fn history(&self, entries: Vec<Entry>) {
        let mut monitor = self.monitor.lock().expect("nobody panics with it");
        monitor.recall(&entries);
    }

    fn progress(&self, _: AttemptId, _: &Progress) {}
}

/// Runs with a world that costs nothing, killed after one part of `parts`.
async fn run(stage: &Stage, parts: u64) -> Outcome<()> {
    let journal = open(stage).await?;
    let plan = Arc::new(journal.plan(&stage.run()).await?);
    let watch = Watch {
        monitor: Mutex::new(Monitor::new(plan.clone(), Vec::new())),
        ended: AtomicU64::new(0),
        enough: match plan.tasks.len() as u64 / parts {
            0 => u64::MAX,
            enough => enough,
        },
    };
    execute(Execution {
        run: stage.run(),
        plan,
        world: Arc::new(noop::world(&stage.tally())?),
        journal,
        observer: Arc::new(watch),
        options: ExecuteOptions::default(),
    })
    .await?;
    Ok(())
}

/// The bodies of all pages, as any reader of the journal has to get them.
async fn bodies(stage: &Stage, mut take: impl FnMut(String)) -> Outcome<()> {
    use futures::TryStreamExt as _;
    use sqlx::Connection as _;
    let path = format!("sqlite://{}", stage.journal().display());
    let mut connection = sqlx::SqliteConnection::connect(&path).await?;
    let mut rows = sqlx::query_scalar::<_, String>("select body from pages order by first_seq")
        .fetch(&mut connection);
    while let Some(body) = rows.try_next().await? {
        take(body);
    }
    Ok(())
}

async fn hash_pages(stage: &Stage) -> Outcome<()> {
    let mut head = Digest::default();
    bodies(stage, |body| head = head.chain(body.as_bytes())).await?;
    std::hint::black_box(head);
    Ok(())
}

async fn parse_pages(stage: &Stage) -> Outcome<()> {
    bodies(stage, |body| {
        for line in body.lines() {
            let parsed = serde_json::from_str::<serde::de::IgnoredAny>(line);
            std::hint::black_box(parsed.is_ok());
        }
    })
    .await
}

/// Fails when a task was started again that was not under way, as its journal
/// tells, when an owner died. Performed twice are those that were in a slot, and
/// those that had ended and whose end was in the page that the kill cut off:
/// as many as end while a page is being committed.
async fn twice(stage: &Stage) -> Outcome<()> {
    let mut under_way = BTreeSet::new();
    let mut open_at_a_death = BTreeSet::new();
    let mut started = BTreeSet::new();
    let mut wrongly = 0;
    let mut sink = |entries: Vec<Entry>| {
        for entry in entries {
            match entry.event {
                Event::Owned(_) => open_at_a_death.append(&mut under_way),
                Event::Started { attempt } => {
                    let again = !started.insert(attempt.task);
                    wrongly += u32::from(again && !open_at_a_death.contains(&attempt.task));
                    under_way.insert(attempt.task);
                }
                Event::Ended { attempt, .. } => {
                    under_way.remove(&attempt.task);
                }
                _ => {}
            }
        }
        ControlFlow::Continue(())
    };
    let journal = open(stage).await?;
    journal.read(&stage.run(), Seq(0), &mut sink).await?;
    if wrongly > 0 {
        return Err(format!("{wrongly} tasks were run again without need").into());
    }
    let performed = std::fs::read(stage.tally())?;
    let twice = performed.iter().filter(|times| **times > 1).count();
    let recorded = open_at_a_death.len();
    if twice > recorded {
        return Err(
            format!("{twice} tasks were performed twice, {recorded} were under way").into(),
        );
    }
    eprintln!(
        "{twice} tasks were performed twice, with {SLOTS} slots; {recorded} were recorded as started at the kill"
    );
    Ok(())
}

/// Waits until the journal of a resumed run holds the start of a task that
/// had never been started. Looks at new pages alone, so as not to disturb.
pub fn first_new_start(stage: &Stage, running: &mut Running) -> Outcome<Measured> {
    use sqlx::Connection as _;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let path = format!("sqlite://{}", stage.journal().display());
        let mut connection = sqlx::SqliteConnection::connect(&path).await?;
        let before: i64 = sqlx::query_scalar("select next_seq from runs")
            .fetch_one(&mut connection)
            .await?;
        loop {
            let pages: Vec<String> =
                sqlx::query_scalar("select body from pages where run = ?1 and first_seq >= ?2")
                    .bind(stage.run().to_string())
                    .bind(before)
                    .fetch_all(&mut connection)
                    .await?;
            let measured = running.so_far()?;
            if pages.iter().any(|body| starts_a_new_task(body)) {
                return Ok(measured);
            }
            if measured.seconds > PATIENCE.as_secs_f64() {
                return Err("no new task was started".into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
}

fn starts_a_new_task(body: &str) -> bool {
    let entries = body.lines().map(serde_json::from_str::<Entry>);
    entries
        .filter_map(Result::ok)
        .any(|entry| matches!(entry.event, Event::Started { attempt } if attempt.number == 1))
}
