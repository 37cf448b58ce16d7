use std::collections::BTreeMap;

use reprise_journal::MemoryJournal;
use reprise_model::{
    Action, AttemptEnd, AttemptId, BlastRadius, Digest, Elapsed, Epoch, Event, Objectives, Outcome,
    Owner, PLAN_VERSION, PlannedSite, PlannedStep, PlannedTask, Retry, Scope, SourceFile, TaskIx,
    Timestamp,
};
use reprise_ports::NewRun;
use serde_json::Map;

use super::*;

fn plan(runbook: &str, drill: bool) -> Plan {
    let file = |name: &str| SourceFile {
        name: name.to_owned(),
        path: name.into(),
        digest: Digest::of(name.as_bytes()),
    };
    let step = PlannedStep {
        name: "product".into(),
        scope: Scope::Site,
        action: Action::Exec,
        store: None,
        needs: Vec::new(),
        pool: None,
        timeout: None,
        retry: Retry::default(),
        expected: Elapsed::from_secs(30),
        with: Map::new(),
    };
    let plan = Plan {
        version: PLAN_VERSION,
        hash: Digest::default(),
        target_time: Timestamp::EPOCH,
        incident_time: None,
        drill,
        estate: file("acme"),
        runbook: file(runbook),
        objectives: Objectives::default(),
        halt_above: None,
        halt_on_checks: false,
        slots: None,
        pools: Vec::new(),
        shards: Vec::new(),
        sites: vec![PlannedSite {
            id: "a".into(),
            wave: 0,
            attributes: BTreeMap::new(),
            shards: Vec::new(),
        }],
        waves: vec![1],
        steps: vec![step],
        tasks: vec![PlannedTask {
            step: 0,
            site: Some(0),
            shard: None,
            needs: Vec::new(),
            expected: None,
        }],
        not_planned: Vec::new(),
        blast_radius: BlastRadius::default(),
    };
    plan.sealed()
}

/// A run whose one task took so many seconds, created at that second, too.
async fn add(journal: &MemoryJournal, plan: &Plan, seconds: i64, keep: bool) {
    let id = RunId::new(format!("run-{seconds}"));
    let moment = |seconds| Timestamp::from_micros(seconds * 1_000_000);
    let new = NewRun {
        id: id.clone(),
        plan,
        created: moment(seconds),
        env_file: None,
    };
    journal.create(&new).await.unwrap();
    let owner = Owner {
        epoch: Epoch(0),
        host: "here".to_owned(),
        pid: std::process::id(),
        version: String::new(),
    };
    let mut claim = journal.claim(&id, &owner).await.unwrap();
    let attempt = AttemptId {
        task: TaskIx(0),
        number: 1,
    };
    let end = AttemptEnd::Done(Outcome::default());
    let ended = Event::Ended {
        attempt,
        end,
        again: None,
    };
    let events = [(0, Event::Started { attempt }), (seconds, ended)];
    let entries = (0..).zip(events).map(|(seq, (at, event))| Entry {
        seq: Seq(seq),
        at: moment(at),
        event,
    });
    let entries: Vec<_> = entries.collect();
    journal.append(&id, &mut claim, &entries).await.unwrap();
    if !keep {
        journal.release(&id, &claim).await;
    }
}

async fn learned(journal: &MemoryJournal, drill: bool) -> (u32, Option<f64>) {
    let wanted = Wanted {
        estate: "acme",
        runbook: "restore",
        drill,
    };
    let lessons = from_journal(journal, &wanted).await.unwrap();
    let found = lessons.of(&plan("restore", drill), TaskIx(0));
    (lessons.runs(), found.map(|found| found.seconds))
}

#[tokio::test]
async fn the_newest_runs_of_the_same_kind_teach() {
    let journal = MemoryJournal::default();
    assert_eq!(learned(&journal, false).await, (0, None));
    add(&journal, &plan("other", false), 10, false).await;
    assert_eq!(learned(&journal, false).await, (0, None));
    add(&journal, &plan("restore", true), 20, false).await;
    assert_eq!(learned(&journal, false).await, (1, Some(20.0)));
    for seconds in [30, 31, 32, 33] {
        add(&journal, &plan("restore", false), seconds, false).await;
    }
    add(&journal, &plan("restore", true), 40, false).await;
    assert_eq!(learned(&journal, false).await, (3, Some(33.0)));
    assert_eq!(learned(&journal, true).await, (2, Some(40.0)));
    // A run that is under way is somebody else's.
    add(&journal, &plan("restore", false), 50, true).await;
    assert_eq!(learned(&journal, false).await, (3, Some(33.0)));
}

#[tokio::test]
async fn a_journal_that_cannot_be_read_teaches_nothing_and_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let global = <crate::args::Cli as clap::Parser>::parse_from(["reprise", "runs"]).global;
    let printer = Printer::new(&global);
    let wanted = Wanted {
        estate: "acme",
        runbook: "restore",
        drill: false,
    };
    let state = path.to_str().unwrap();
    assert!(learn(state, &wanted, &printer).await.is_empty());
    assert!(!path.exists(), "looking creates nothing");
    std::fs::write(&path, "this is no journal").unwrap();
    assert!(learn(state, &wanted, &printer).await.is_empty());
}

#[test]
fn one_line_says_where_expectations_come_from() {
    let check = |runs, learned, written, guessed, expect: Option<&str>| {
        let sources = Sources {
            runs,
            learned,
            written,
            guessed,
        };
        assert_eq!(told(&sources).as_deref(), expect);
    };
    check(0, 0, 2, 7, None);
    let line = "expected durations: 1 step learned from 1 earlier run";
    check(1, 1, 0, 0, Some(line));
    let line =
        "expected durations: 12 steps learned from 3 earlier runs, 2 from the runbook, 1 guessed";
    check(3, 12, 2, 1, Some(line));
}
