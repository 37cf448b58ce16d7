//! A coordinator that is killed. It runs in a child process: this test
//! binary again, asked for the one test that plays the coordinator.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reprise_model::{Epoch, RunId, Seq};
use reprise_ports::JournalError;

use crate::sample::{create, entries, owner};

/// The journal that the child works on.
const JOURNAL: &str = "REPRISE_TEST_CHILD_JOURNAL";
/// Entries in a page.
const PAGE: u64 = 7;
/// Pages that must be durable before the child is killed.
const ENOUGH: usize = 25;

fn coordinator(path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::the_coordinator", "--nocapture"])
        .env(JOURNAL, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Only ever at work as a child of the test below, until it is killed.
#[tokio::test]
async fn the_coordinator() {
    let Ok(path) = std::env::var(JOURNAL) else {
        return;
    };
    let journal = reprise_journal::open(&path).await.unwrap();
    let run = RunId::from("crash");
    let mut claim = journal
        .claim(&run, &owner(std::process::id()))
        .await
        .unwrap();
    loop {
        let next = claim.next.0;
        let page = entries(next..next + PAGE);
        journal.append(&run, &mut claim, &page).await.unwrap();
        println!("\ndurable {}", claim.next.0);
        std::io::stdout().flush().unwrap();
    }
}

#[tokio::test]
async fn what_was_durable_survives_the_kill_and_the_run_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let journal = reprise_journal::open(path.to_str().unwrap()).await.unwrap();
    let run = create(&*journal, "crash", 1).await.unwrap();
    let mut said = 0;
    for round in 1..=3 {
        let mut child = coordinator(&path);
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let durable = |line: &str| line.strip_prefix("durable ").map(|n| n.parse().unwrap());
        let mut seen = 0;
        while seen < ENOUGH {
            let mut line = String::new();
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "the child goes on");
            if let Some(next) = durable(line.trim_end()) {
                said = next;
                seen += 1;
            }
        }
        let refused = journal.claim(&run, &owner(1)).await;
        assert!(
            matches!(&refused, Err(JournalError::Alive { owner, .. }) if owner.pid == child.id()),
            "{refused:?}"
        );
        child.kill().unwrap();
        child.wait().unwrap();
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        // The last line may be cut off; only whole ones count.
        let whole = rest.rsplit_once('\n').map_or("", |(whole, _)| whole);
        said = whole
            .lines()
            .filter_map(durable)
            .next_back()
            .unwrap_or(said);

        let read = journal.read_all(&run, Seq(0)).await.unwrap();
        let length = read.len() as u64;
        assert!(length >= said, "round {round}: {length} of {said} entries");
        assert_eq!(length % PAGE, 0, "no page is there by half");
        assert_eq!(read, entries(0..length));
        let claim = journal.claim(&run, &owner(1)).await.unwrap();
        assert_eq!((claim.epoch, claim.next), (Epoch(2 * round), Seq(length)));
        journal.release(&run, &claim).await;
    }
}
