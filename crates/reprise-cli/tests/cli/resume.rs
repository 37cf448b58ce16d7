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

/// Each program leaves a line, so that a repetition shows.
const STEPS: &str = "\
version: 1
name: notify
pools: { mail: 2 }
steps:
  first:  { scope: site, action: exec, with: { command: [sh, step.sh, first, \"{{ site.id }}\"] } }
  notify: { scope: site, action: exec, needs: [first], pool: mail, with: { command: [sh, notify.sh, \"{{ site.id }}\"] }, retry: { attempts: 1 } }
  old:    { scope: site, action: exec, needs: [first], with: { command: [sh, step.sh, old, \"{{ site.id }}\"] } }
  last:   { scope: run, action: exec, needs: [notify], with: { command: [sh, step.sh, last, all] } }
";

/// `notify` is mended, `old` is gone, `after` is new.
const EDITED: &str = "\
version: 1
name: notify
pools: { mail: 4 }
steps:
  first:  { scope: site, action: exec, with: { command: [sh, step.sh, first, \"{{ site.id }}\"] } }
  notify: { scope: site, action: exec, needs: [first], pool: mail, with: { command: [sh, step.sh, notify, \"{{ site.id }}\"] }, retry: { attempts: 1 } }
  after:  { scope: site, action: exec, needs: [notify], with: { command: [sh, step.sh, after, \"{{ site.id }}\"] } }
  last:   { scope: run, action: exec, needs: [notify, after], with: { command: [sh, step.sh, last, all] } }
";

/// A run of which one site's `notify` failed, with its edited runbook beside.
fn failed() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("runbook.yaml", STEPS);
    sandbox.write("step.sh", "echo \"$1/$2\" >> done.txt\n");
    sandbox.write("broken-acme-us", "");
    let ended = sandbox.with_options("run", "all", &["--confirm", "3"]);
    assert_eq!(ended.code, Some(7), "{ended}");
    sandbox.write("edited.yaml", EDITED);
    sandbox
}

/// How often each program ran.
fn times(sandbox: &Sandbox) -> std::collections::BTreeMap<String, u32> {
    let text = std::fs::read_to_string(sandbox.path().join("done.txt")).expect("programs ran");
    let mut times = std::collections::BTreeMap::new();
    for line in text.lines() {
        *times.entry(line.to_owned()).or_default() += 1;
    }
    times
}

#[test]
fn an_edited_runbook_is_shown_confirmed_and_gone_on_with() {
    let sandbox = failed();
    let before = times(&sandbox);
    let explained = sandbox.run(&["resume", "--runbook", "edited.yaml", "--explain"]);
    snapshot("resume-runbook-explain", &sandbox, &explained);
    let asked = sandbox.run(&["resume", "--runbook", "edited.yaml"]);
    assert_eq!(asked.code, Some(8), "{asked}");
    snapshot("resume-runbook-asks", &sandbox, &asked);
    let wrong = sandbox.run(&["resume", "--runbook", "edited.yaml", "--confirm", "3"]);
    assert_eq!(wrong.code, Some(8), "{wrong}");
    assert_eq!(times(&sandbox), before, "refused, and yet something ran");

    let resumed = sandbox.run(&["resume", "--runbook", "edited.yaml", "--confirm", "7"]);
    // Nobody validates anything in this runbook.
    assert_eq!(resumed.code, Some(6), "{resumed}");
    let after = times(&sandbox);
    for site in ["acme-eu", "acme-us", "beta-eu"] {
        assert_eq!(after[&format!("first/{site}")], 1, "{after:?}");
        assert_eq!(after[&format!("after/{site}")], 1, "{after:?}");
        assert_eq!(after[&format!("notify/{site}")], 1, "{after:?}");
    }
    assert_eq!(after.get("old/acme-eu"), before.get("old/acme-eu"));
    assert_eq!(after["last/all"], 2, "what came before it has changed");

    let report = sandbox.run(&["report", "--json"]).json();
    let plans = report["plans"].as_array().expect("plans");
    assert_eq!(plans.len(), 2);
    assert_eq!(plans[1]["hash"], report["plan_hash"]);
    assert_eq!(
        (&plans[1]["new"], &plans[1]["dropped"], &plans[1]["again"]),
        (&3.into(), &3.into(), &4.into()),
        "{report:#}"
    );
    assert_eq!(report["totals"]["unvalidated"], 3);
    assert_eq!(report["totals"]["tasks"]["done"], 10);

    // Once more with the same file: nothing differs, and nothing is run.
    let again = sandbox.run(&["resume", "--runbook", "edited.yaml"]);
    assert_eq!(again.code, Some(6), "{again}");
    assert_eq!(times(&sandbox), after);
    let status = sandbox.run(&["status", "--json"]).json();
    assert_eq!(status["tasks"]["total"], 10, "{status:#}");
}

#[test]
fn another_t_or_other_sites_are_another_run() {
    let sandbox = failed();
    let check = |name: &str, more: &[&str]| {
        let mut arguments = vec!["resume", "--runbook", "edited.yaml", "--confirm", "7"];
        arguments.extend(more);
        let ended = sandbox.run(&arguments);
        assert_eq!(ended.code, Some(8), "{ended}");
        snapshot(name, &sandbox, &ended);
    };
    check("resume-other-time", &["--at", "2026-02-01T12:00:00Z"]);
    check("resume-other-sites", &["--sites", "acme-eu,acme-us,gamma"]);
    sandbox.write(
        "estate.yaml",
        &crate::sandbox::ESTATE.replace("base: base", "base: older"),
    );
    check("resume-other-estate", &[]);
}
