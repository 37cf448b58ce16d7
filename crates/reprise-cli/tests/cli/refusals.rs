//! Runs that must not start or go on, and runs that are not there.

use crate::sandbox::{ESTATE, Sandbox, snapshot};

#[test]
fn a_run_must_be_confirmed_by_its_number_of_sites() {
    let sandbox = Sandbox::new();
    let check = |name: &str, more: &[&str]| {
        let ended = sandbox.with_options("run", "all", more);
        assert_eq!(ended.code, Some(8), "{ended}");
        snapshot(name, &sandbox, &ended);
        assert!(
            !sandbox.path().join(".reprise").exists(),
            "{name} left a trace"
        );
    };
    check("confirm-without-terminal", &[]);
    check("confirm-wrong-number", &["--confirm", "2"]);
}

#[test]
fn a_plan_is_executed_as_it_was_made_or_not_at_all() {
    let sandbox = Sandbox::new();
    let made = sandbox.with_options("plan", "all", &["-o", "plan.json"]);
    assert_eq!(made.code, Some(0), "{made}");
    snapshot("plan", &sandbox, &made);
    let plan = std::fs::read_to_string(sandbox.path().join("plan.json")).expect("a plan");

    let check = |name: &str| {
        let ended = sandbox.run(&["run", "plan.json", "--confirm", "3"]);
        assert_eq!(ended.code, Some(8), "{ended}");
        snapshot(name, &sandbox, &ended);
    };
    sandbox.write("plan.json", &plan.replace("acme-us", "acme-ux"));
    check("plan-changed");
    sandbox.write("plan.json", "{}");
    check("plan-is-none");
    sandbox.write("plan.json", &plan);
    sandbox.write("estate.yaml", &ESTATE.replace("base: base", "base: older"));
    check("plan-of-another-estate");
}

#[test]
fn a_run_that_is_not_there_is_said_to_be_so() {
    let sandbox = Sandbox::new();
    let check = |name: &str, arguments: &[&str], code: i32| {
        let ended = sandbox.run(arguments);
        assert_eq!(ended.code, Some(code), "{ended}");
        snapshot(name, &sandbox, &ended);
    };
    check("no-journal", &["status"], 2);
    assert!(
        !sandbox.path().join(".reprise").exists(),
        "looking left a trace"
    );
    let made = sandbox.with_options("run", "acme-eu", &["--confirm", "1"]);
    assert_eq!(made.code, Some(5), "{made}");
    check("no-such-run", &["report", "20200101T000000Z-000000"], 2);
    sandbox.write("text.db", "this is no journal\n");
    check("not-a-journal", &["runs", "--state", "text.db"], 9);
    check(
        "not-a-kind-of-journal",
        &["runs", "--state", "redis://x:hunter2@h/"],
        9,
    );
}

#[test]
fn check_names_what_cannot_be_reached() {
    let sandbox = Sandbox::new();
    let ended = sandbox.run(&["check", "-e", "estate.yaml", "--json"]);
    assert_eq!(ended.code, Some(8), "{ended}");
    let checked = ended.json();
    assert_eq!(checked["version"], 1);
    let levels: Vec<_> = checked["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|finding| finding["level"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert!(levels.contains(&"error".to_owned()), "{ended}");
}
