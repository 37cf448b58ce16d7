//! Runs taken up again: what would become of each task, and runbooks that were
//! edited meanwhile.

use crate::sandbox::{Sandbox, snapshot};

/// One site failed, two wait at their gates.
fn stopped() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("broken-acme-us", "");
    let ended = sandbox.with_options("run", "all", &["--confirm", "3"]);
    assert_eq!(ended.code, Some(7), "{ended}");
    sandbox
}

#[test]
fn explain_gives_each_task_its_row_and_does_nothing() {
    let sandbox = stopped();
    let before = sandbox.run(&["report", "--json"]).json();
    let explained = sandbox.run(&["resume", "--explain"]);
    snapshot("resume-explain", &sandbox, &explained);
    let explained = sandbox.run(&["resume", "--explain", "--json"]).json();
    assert_eq!(explained["version"], 1);
    let tasks = explained["tasks"].as_array().expect("tasks");
    assert_eq!(tasks.len(), 6);
    let failed = tasks.iter().find(|task| task["task"] == "notify/acme-us");
    let failed = failed.expect("the failed task");
    assert_eq!(
        (&failed["row"], &failed["status"], &failed["decision"]),
        (&13.into(), &"failed".into(), &"keep".into())
    );
    let after = sandbox.run(&["report", "--json"]).json();
    assert_eq!(before, after, "explaining left a trace");
}
