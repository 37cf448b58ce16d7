//! Help and mistakes on the command line.

use crate::sandbox::{Sandbox, snapshot};

#[test]
fn every_command_explains_itself() {
    let sandbox = Sandbox::new();
    snapshot("help", &sandbox, &sandbox.run(&["--help"]));
    let commands = [
        "check", "audit", "plan", "forecast", "run", "resume", "status", "runs", "approve",
        "pause", "continue", "cancel", "retry", "report", "schema",
    ];
    for command in commands {
        let ended = sandbox.run(&[command, "--help"]);
        assert_eq!(ended.code, Some(0), "{command}");
        assert!(
            ended.stdout.contains("Example"),
            "{command} shows no example"
        );
        snapshot(&format!("help-{command}"), &sandbox, &ended);
    }
}

#[test]
fn mistakes_on_the_command_line_end_with_2() {
    let sandbox = Sandbox::new();
    let check = |name: &str, arguments: &[&str]| {
        let ended = sandbox.run(arguments);
        assert_eq!(ended.code, Some(2), "{name}: {ended}");
        assert_eq!(ended.stdout, "", "{name}");
        snapshot(name, &sandbox, &ended);
    };
    check("usage-no-command", &[]);
    check("usage-unknown-command", &["restore"]);
    check("usage-run-of-nothing", &["run"]);
    check(
        "usage-plan-and-options",
        &["run", "plan.json", "-e", "estate.yaml"],
    );
    check("usage-watch-as-json", &["status", "--watch", "--json"]);
    check(
        "usage-graph-ending",
        &[
            "plan", "-e", "e", "-r", "r", "--at", "now", "--sites", "all", "--graph", "plan.png",
        ],
    );
}

#[test]
fn schemas_are_json() {
    let sandbox = Sandbox::new();
    for kind in ["estate", "runbook"] {
        let ended = sandbox.run(&["schema", kind]);
        assert_eq!(ended.code, Some(0));
        assert!(ended.json().is_object());
    }
}
