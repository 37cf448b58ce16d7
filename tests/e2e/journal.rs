//! What the journal itself says, read without the binary.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use reprise_model::{AttemptEnd, Entry, Event, RunId, Seq};
use reprise_ports::Journal;

pub fn has_runs(state: &Path) -> bool {
    state.exists()
        && block_on(async {
            open(state)
                .await
                .runs()
                .await
                .is_ok_and(|runs| !runs.is_empty())
        })
}

/// All entries of the newest run; reading verifies the hash chain.
pub fn entries(state: &Path) -> Vec<Entry> {
    block_on(async {
        let journal = open(state).await;
        let runs = journal.runs().await.expect("the journal lists its runs");
        let newest = &runs.first().expect("there is a run").id;
        journal
            .read_all(newest, Seq(0))
            .await
            .expect("the journal is readable and its chain holds")
    })
}

pub fn newest_run(state: &Path) -> RunId {
    block_on(async {
        let runs = open(state).await.runs().await;
        let runs = runs.expect("the journal lists its runs");
        runs.first().expect("there is a run").id.clone()
    })
}

/// Once a task is done or found done, nothing of it is started any more.
pub fn assert_no_finished_task_ran_again(entries: &[Entry], context: &str) {
    let mut finished = BTreeSet::new();
    for entry in entries {
        match &entry.event {
            Event::Started { attempt } => assert!(
                !finished.contains(&attempt.task),
                "{context}: task {} was started again at entry {}",
                attempt.task.0,
                entry.seq.0
            ),
            Event::Ended {
                attempt,
                end: AttemptEnd::Done(_) | AttemptEnd::Satisfied(_),
                ..
            } => {
                finished.insert(attempt.task);
            }
            _ => {}
        }
    }
    assert!(!finished.is_empty(), "{context}: no task was finished");
}

async fn open(state: &Path) -> Arc<dyn Journal> {
    reprise_journal::open(&format!("sqlite:{}", state.display()))
        .await
        .expect("the journal opens")
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts")
        .block_on(future)
}
