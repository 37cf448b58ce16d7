//! Forecasts: of a plan file without any connection, changed and scaled.

use crate::sandbox::{ESTATE, Ended, Sandbox, snapshot};

/// Ten minutes of work a site, of which six for a pool of one.
const RUNBOOK: &str = "\
version: 1
name: notify
waves: [1, rest]
pools: { scarce: 1, plenty: { slots: 8, rate: 2/s } }
steps:
  copy: { scope: site, action: exec, expect: 6m, pool: scarce, with: { command: [sh, notify.sh, a] } }
  tell: { scope: site, action: exec, expect: 4m, pool: plenty, needs: [copy], with: { command: [sh, notify.sh, a] } }
";

fn planned() -> Sandbox {
    let sandbox = Sandbox::new();
    let estate = format!("{ESTATE}objectives: {{ rto: 30m }}\n");
    sandbox.write("estate.yaml", &estate);
    sandbox.write("runbook.yaml", RUNBOOK);
    let ended = sandbox.with_options("plan", "all", &["-o", "plan.json"]);
    assert_eq!(ended.code, Some(0), "{ended}");
    sandbox
}

fn forecast(sandbox: &Sandbox, more: &[&str]) -> Ended {
    let mut arguments = vec!["forecast", "plan.json"];
    arguments.extend(more);
    let ended = sandbox.run(&arguments);
    assert_eq!(ended.code, Some(0), "{ended}");
    ended
}

fn median(sandbox: &Sandbox, more: &[&str]) -> f64 {
    let mut arguments = vec!["--json"];
    arguments.extend(more);
    let document = forecast(sandbox, &arguments).json();
    assert_eq!(document["version"], 1);
    document["recovery"]["median"].as_f64().expect("a number")
}

#[test]
fn a_forecast_is_readable_and_the_same_every_time() {
    let sandbox = planned();
    let ended = forecast(&sandbox, &[]);
    snapshot("forecast", &sandbox, &ended);
    assert_eq!(forecast(&sandbox, &[]).stdout, ended.stdout);
    assert_ne!(forecast(&sandbox, &["--seed", "2"]).stdout, ended.stdout);
    assert!(
        !sandbox.path().join(".reprise").exists(),
        "a forecast leaves nothing behind"
    );
}

#[test]
fn options_forecast_what_their_plan_would() {
    let sandbox = planned();
    let of_file = forecast(&sandbox, &["--json"]).json();
    let ended = sandbox.with_options("forecast", "all", &["--json"]);
    assert_eq!(ended.code, Some(0), "{ended}");
    assert_eq!(ended.json()["recovery"], of_file["recovery"]);
}

#[test]
fn more_slots_help_and_more_sites_do_not() {
    let sandbox = planned();
    let (now, wide) = (
        median(&sandbox, &[]),
        median(&sandbox, &["--pool", "scarce=2"]),
    );
    assert!(wide < now, "{wide} of {now}");
    assert_eq!(median(&sandbox, &["--pool", "plenty=80"]), now);
    let many = median(&sandbox, &["--sites", "300"]);
    // The pool of one has a hundred times the work.
    assert!(
        (many / now) > 50.0 && (many / now) < 130.0,
        "{many} of {now}"
    );
    let document = forecast(&sandbox, &["--json", "--sites", "300"]).json();
    assert_eq!(document["sites"].as_array().map(Vec::len), Some(300));
    // The runbook's own rule: one, and the rest.
    assert_eq!(document["waves"][0]["sites"], 1);
    assert_eq!(document["waves"][1]["sites"], 299);
    assert_eq!(document["bound_by"][0]["by"], "pool");
    assert_eq!(document["bound_by"][0]["pool"], "scarce");
    assert_eq!(document["changes"][0]["pool"], "scarce");
}

#[test]
fn waves_keep_their_proportions_where_the_runbook_has_changed() {
    let sandbox = planned();
    sandbox.write("runbook.yaml", &RUNBOOK.replace("[1, rest]", "[2, rest]"));
    let ended = forecast(&sandbox, &["--json", "--sites", "30"]);
    assert!(ended.stderr.contains("keep their proportions"), "{ended}");
    assert_eq!(ended.json()["waves"][0]["sites"], 1);
}

#[test]
fn what_cannot_be_forecast_is_said() {
    let sandbox = planned();
    let check = |name: &str, more: &[&str], code: i32| {
        let mut arguments = vec!["forecast", "plan.json"];
        arguments.extend(more);
        let ended = sandbox.run(&arguments);
        assert_eq!(ended.code, Some(code), "{ended}");
        assert_eq!(ended.stdout, "", "{name}");
        snapshot(name, &sandbox, &ended);
    };
    check("forecast-no-such-pool", &["--pool", "laod=4"], 2);
    check("forecast-pool-without-slots", &["--pool", "scarce=0"], 2);
    check("forecast-sites-of-a-plan", &["--sites", "all"], 2);
    check("forecast-no-sites", &["--sites", "0"], 2);
    let text = std::fs::read_to_string(sandbox.path().join("plan.json")).expect("it was written");
    sandbox.write("plan.json", &text.replace("acme-eu", "acme-xx"));
    check("forecast-plan-changed", &[], 8);
    sandbox.remove("plan.json");
    check("forecast-no-plan", &[], 2);
}
