//! A coordinator that dies by its own hand once the journal holds so many
//! entries: `reprise-mortal PLAN.json ENV-FILE JOURNAL [ENTRIES]`.
//!
//! The real runner, the real connectors, the real journal with one wrapper:
//! what would go beyond the limit is not written, and in the instant after the
//! last entry is durable the process kills itself as `kill -9` would. Gates
//! are answered as they open.

mod limited;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use reprise_journal::open;
use reprise_model::{Command, Event, Plan, RunEnd, RunId, Seq, TaskIx};
use reprise_ports::{Journal, NewRun};
use reprise_runner::{
    Clock, ExecuteOptions, Execution, Silent, World, WorldOptions, execute, new_run_id,
};
use reprise_spec::{Environment, load_estate, load_text};

use limited::Limited;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [plan, env_file, state, limit @ ..] = arguments.as_slice() else {
        eprintln!("usage: reprise-mortal PLAN.json ENV-FILE JOURNAL [ENTRIES]");
        return ExitCode::from(2);
    };
    let limit = limit
        .first()
        .map(|number| number.parse().expect("a number"));
    let plan: Plan = {
        let text = std::fs::read_to_string(plan).expect("the plan is readable");
        serde_json::from_str(&text).expect("the plan is a plan")
    };
    let plan = Arc::new(plan);
    let world = Arc::new(world(&plan, Path::new(env_file)));
    let journal = open(&format!("sqlite:{state}"))
        .await
        .expect("the journal opens");
    let run = run_of(journal.as_ref(), &plan, env_file).await;
    let journal: Arc<dyn Journal> = Arc::new(Limited::new(journal, limit));
    loop {
        let execution = Execution {
            run: run.clone(),
            plan: plan.clone(),
            world: world.clone(),
            journal: journal.clone(),
            observer: Arc::new(Silent),
            options: ExecuteOptions::default(),
        };
        match execute(execution)
            .await
            .expect("the run goes on to its end")
        {
            RunEnd::AtGates => approve(journal.as_ref(), &run).await,
            RunEnd::Finished => break,
            end @ (RunEnd::Paused | RunEnd::Cancelled | RunEnd::Halted) => {
                panic!("nobody asked for {end:?}")
            }
        }
    }
    world.close().await;
    ExitCode::SUCCESS
}

fn world(plan: &Plan, env_file: &Path) -> World {
    let estate = load_estate(&plan.estate.path).expect("the estate is valid");
    let text = load_text(env_file).expect("the env-file is readable");
    let environment = Environment::new(std::env::vars())
        .with_env_file(&text, env_file)
        .expect("the env-file is valid");
    let folders = |name: &str| {
        std::env::var_os(name).map_or_else(Vec::new, |list| std::env::split_paths(&list).collect())
    };
    let options = WorldOptions {
        scratch_root: env_file.with_file_name("scratch"),
        temp: std::env::temp_dir(),
        deps: folders("REPRISE_DEPS").into_iter().next(),
        pg_bin: folders("REPRISE_PG_BIN"),
        path: std::env::var_os("PATH"),
        drill: false,
        live_connections: 8,
    };
    World::open(&estate, &environment, &options).expect("the world opens")
}

/// The journal's run, or a new one.
async fn run_of(journal: &dyn Journal, plan: &Plan, env_file: &str) -> RunId {
    let runs = journal.runs().await.expect("the journal lists its runs");
    if let Some(row) = runs.first() {
        return row.id.clone();
    }
    let now = Clock::start().now();
    let id = new_run_id(now);
    let new = NewRun {
        id: id.clone(),
        plan,
        created: now,
        env_file: Some(env_file.to_owned()),
    };
    journal.create(&new).await.expect("a run can be created");
    id
}

/// Says yes to every gate that is open.
async fn approve(journal: &dyn Journal, run: &RunId) {
    let entries = journal
        .read_all(run, Seq(0))
        .await
        .expect("the journal is readable");
    let mut open: BTreeSet<TaskIx> = BTreeSet::new();
    for entry in &entries {
        match &entry.event {
            Event::GateOpened { task } => {
                open.insert(*task);
            }
            Event::Commanded {
                command: Command::Answer { task, .. },
                ..
            } => {
                open.remove(task);
            }
            _ => {}
        }
    }
    assert!(!open.is_empty(), "it waits at gates, and none is open");
    for task in open {
        let answer = Command::Answer {
            task,
            approved: true,
            by: "mortal".to_owned(),
            note: None,
        };
        let now = Clock::start().now();
        journal
            .post(run, &answer, now)
            .await
            .expect("a command can be posted");
    }
}
