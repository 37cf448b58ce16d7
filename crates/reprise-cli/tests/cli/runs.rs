//! Whole runs through the binary: gates, failures, retry, signals.

use std::io::{BufRead, BufReader};

use crate::sandbox::{Sandbox, snapshot};

#[test]
fn a_run_stops_at_gates_and_goes_on_once_they_are_answered() {
    let sandbox = Sandbox::new();
    let started = sandbox.with_options("run", "customer=acme", &["--confirm", "2"]);
    assert_eq!(started.code, Some(5), "{started}");
    assert!(started.stderr.contains("reprise resume"), "{started}");

    let status = sandbox.run(&["status"]);
    snapshot("gates-status", &sandbox, &status);
    let run = sandbox.run(&["runs", "--json"]).json()["runs"][0]["run"]
        .as_str()
        .expect("a run")
        .to_owned();

    let unknown = sandbox.run(&["approve", &run, "handover/none"]);
    assert_eq!(unknown.code, Some(2), "{unknown}");
    snapshot("gates-unknown", &sandbox, &unknown);
    let closed = sandbox.run(&["approve", &run, "notify/acme-eu"]);
    assert_eq!(closed.code, Some(8), "{closed}");
    let approved = sandbox.run(&["approve", &run, "handover"]);
    snapshot("gates-approved", &sandbox, &approved);

    let resumed = sandbox.run(&["resume"]);
    assert_eq!(resumed.code, Some(0), "{resumed}");
    let report = sandbox.run(&["report", "--json"]).json();
    assert_eq!(report["version"], 1);
    assert_eq!(report["totals"]["restored"], 2);
    assert_eq!(report["exit_code"], 0);
    assert_eq!(report["journal"]["verified"], true);
    assert_eq!(report["attempts"]["owners"], 2);

    let html = sandbox.run(&["report", "--html", "report.html"]);
    assert_eq!((html.code, html.stdout.as_str()), (Some(0), ""));
    let page = std::fs::read_to_string(sandbox.path().join("report.html")).expect("a page");
    assert!(page.contains("acme-eu"));
    let again = sandbox.run(&["retry", &run]);
    assert_eq!(again.code, Some(4), "{again}");
}

#[test]
fn one_site_fails_and_a_retry_brings_it_back() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "runbook.yaml",
        "version: 1\nname: notify\nsteps:\n  notify: { scope: site, action: exec, \
         with: { command: [sh, notify.sh, \"{{ site.id }}\"] } }\n  \
         handover: { scope: run, action: gate, needs: [notify] }\n",
    );
    sandbox.write("broken-acme-us", "");
    let ended = sandbox.with_options("run", "all", &["--confirm", "3"]);
    assert_eq!(ended.code, Some(7), "{ended}");
    assert!(ended.stdout.contains("no answer for acme-us"), "{ended}");
    assert!(ended.stderr.contains("reprise retry"), "{ended}");
    let report = sandbox.run(&["report", "--json"]).json();
    assert_eq!(report["totals"]["failed"], 1);

    sandbox.remove("broken-acme-us");
    let other = sandbox.run(&["retry", "--site", "acme-eu"]);
    assert_eq!(other.code, Some(4), "{other}");
    let posted = sandbox.run(&["retry", "--site", "acme-us"]);
    assert_eq!(posted.code, Some(0), "{posted}");
    let resumed = sandbox.run(&["resume"]);
    assert_ne!(resumed.code, Some(7), "{resumed}");
    let report = sandbox.run(&["report", "--json"]).json();
    assert_eq!(report["totals"]["failed"], 0);
}

#[test]
fn a_run_is_in_one_hand_and_a_signal_ends_it_in_order() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "runbook.yaml",
        "version: 1\nname: slow\nsteps:\n  slow: { scope: run, action: exec, \
         with: { command: [sh, -c, \"test -e go || exec sleep 60\"] } }\n  \
         after: { scope: site, action: gate, needs: [slow] }\n",
    );
    let mut arguments = vec!["run", "--confirm", "3"];
    arguments.extend(sandbox.options("all"));
    let mut child = sandbox
        .command(&arguments)
        .spawn()
        .expect("the binary starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("standard error"));
    let mut seen = String::new();
    while !seen.contains("slow started") {
        let read = stderr.read_line(&mut seen).expect("lines");
        assert_ne!(read, 0, "the run ended early: {seen}");
    }
    let second = sandbox.run(&["resume"]);
    assert_eq!(second.code, Some(8), "{second}");
    snapshot("second-coordinator", &sandbox, &second);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("a signal is sent");
    std::io::Read::read_to_string(&mut stderr, &mut seen).expect("the rest");
    let status = child.wait().expect("an end");
    assert_eq!(status.code(), Some(130), "{seen}");
    assert!(seen.contains("reprise resume"), "{seen}");

    sandbox.write("go", "");
    let resumed = sandbox.run(&["resume"]);
    assert_eq!(resumed.code, Some(5), "{resumed}");
    assert!(resumed.stderr.contains("approve"), "{resumed}");
}
