//! Plans that are no longer what was planned, and runs in other hands.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::stage::{Ended, Stage};

#[test]
fn a_plan_that_changed_or_whose_estate_changed_is_not_run() {
    let stage = Stage::build();
    let file = stage.estate.path("plan.json");
    let mut plan = stage.plan_of(&stage.deleted());
    let ended = Ended::of(&plan.arg("-o").arg(&file).output().expect("reprise runs"));
    assert_eq!(ended.code, Some(0), "{ended}");
    let run = || {
        let mut run = stage.estate.reprise("run");
        run.arg(&file).args(["--confirm", "1"]);
        run
    };

    let text = fs::read_to_string(&file).expect("a plan");
    let other = text.replace(&stage.deleted(), &stage.neighbour());
    fs::write(&file, other).expect("a plan can be written");
    stage.refused("plan-tampered-with", run(), 8);
    fs::write(&file, text).expect("a plan can be written");

    let estate = stage.lab("estate.yaml");
    let text = fs::read_to_string(&estate).expect("an estate");
    fs::write(
        &estate,
        text.replace(
            "tracker.issue_types: shared",
            "tracker.issue_types: ignored",
        ),
    )
    .expect("an estate can be written");
    stage.refused("estate-changed-since", run(), 8);
}

#[test]
fn a_run_has_one_coordinator() {
    let stage = Stage::build();
    let mut run = stage.estate.reprise("run");
    run.arg("-e").arg(stage.lab("estate.yaml"));
    run.args(["-r", "runbooks/restore-with-approval.yaml"]);
    run.args(["--at", &stage.target_time(), "--sites", &stage.deleted()]);
    run.args(["--confirm", "1", "--wait"]);
    let mut first = Alive::start(run);
    first.read_until("handover/");

    stage.refused(
        "second-coordinator-on-servers",
        stage.estate.reprise("resume"),
        8,
    );

    let mut approve = stage.estate.reprise("approve");
    let run = stage.newest_run();
    let approved = Ended::of(
        &approve
            .args([&run, "handover"])
            .output()
            .expect("reprise runs"),
    );
    assert_eq!(approved.code, Some(0), "{approved}");
    assert_eq!(
        first.end(),
        Some(0),
        "the first coordinator goes on to its end"
    );
}

/// A coordinator that works; killed when a test fails.
struct Alive {
    process: Child,
    talk: BufReader<std::process::ChildStderr>,
}

impl Alive {
    fn start(mut command: Command) -> Self {
        let mut process = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("reprise starts");
        let talk = BufReader::new(process.stderr.take().expect("standard error"));
        Self { process, talk }
    }

    fn read_until(&mut self, word: &str) {
        let mut seen = String::new();
        while !seen.contains(word) {
            let read = self.talk.read_line(&mut seen).expect("lines of text");
            assert_ne!(read, 0, "the run ended early: {seen}");
        }
    }

    fn end(&mut self) -> Option<i32> {
        let rest = std::io::copy(&mut self.talk, &mut std::io::sink());
        rest.expect("standard error ends");
        self.process
            .wait()
            .expect("a child can be waited for")
            .code()
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        // Dead already, or dead now.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
