//! The runbooks that restore no site from nothing, on the lab's full estate:
//! who may enter, are the events complete, configuration back as it was.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::binaries;
use crate::estate::Estate;
use crate::layers;

#[test]
fn what_is_checked_and_rolled_back_without_a_restore() {
    let estate = Estate::full();
    estate.accident(4);
    estate.plan_with(&layers::runbook(&estate, layers::without_gates));
    estate.run_to_the_end();
    assert_ended(&run(&estate, "access-check"), 0);
    assert_ended(&run(&estate, "event-gap-audit"), 0);
    a_bad_change_is_rolled_back(&estate);
    it_halts_at_a_site_that_does_not_answer(&estate);
    who_lost_a_group_is_told(&estate);
    a_gap_is_told(&estate);
}

fn a_bad_change_is_rolled_back(estate: &Estate) {
    let live = estate.path("lab/servers/config/sites");
    let good = tree(&live);
    let mut sites = good.keys().filter(|path| path.ends_with("flags.json"));
    let mut next = || sites.next().expect("every site has flags").clone();
    fs::write(next(), "everything on").expect("live can be written to");
    fs::remove_file(next()).expect("live can be written to");
    let beside = next().with_file_name("surprise.json");
    fs::write(beside, "{}").expect("live can be written to");
    assert_ne!(tree(&live), good);
    assert_ended(&run(estate, "config-rollback"), 0);
    assert_eq!(tree(&live), good);
}

/// The canary's users see nothing: nobody else's site is touched.
fn it_halts_at_a_site_that_does_not_answer(estate: &Estate) {
    let live = estate.path("lab/servers/config/sites");
    for path in tree(&live)
        .into_keys()
        .filter(|path| path.ends_with("flags.json"))
    {
        fs::write(path, "everything on").expect("live can be written to");
    }
    let bad = tree(&live);
    let plan = plan(estate, "config-rollback");
    let canary = plan["sites"][0]["id"].as_str().expect("a site has an id");
    let canary = canary.to_owned();
    estate.plant("unreachable", &canary);
    assert_ended(&run(estate, "config-rollback"), 5);
    let report = report(estate, "config-rollback");
    assert_eq!(report["state"], "halted", "{report:#}");
    assert_eq!(
        failed(&report),
        [(canary.clone(), format!("healthy/{canary}"))]
    );
    let touched = tree(&live)
        .into_iter()
        .filter(|(path, text)| bad[path] != *text);
    let touched: Vec<PathBuf> = touched.map(|(path, _)| path).collect();
    assert_eq!(touched, [live.join(&canary).join("features/flags.json")]);
}

fn who_lost_a_group_is_told(estate: &Estate) {
    let site = estate.deleted()[0].to_string();
    let expelled = estate.plant("member-missing", &site);
    assert_ended(&run(estate, "access-check"), 6);
    let report = report(estate, "access-check");
    let expect =
        ["directory-as-then", "memberships"].map(|step| (site.clone(), format!("{step}/{site}")));
    assert_eq!(failed(&report), expect, "{expelled}");
    let who = expelled.split(' ').next().unwrap_or_default();
    assert!(report.to_string().contains(who), "{expelled}: {report:#}");
}

fn a_gap_is_told(estate: &Estate) {
    let site = estate.deleted()[1].to_string();
    let gap = estate.plant("event-gap", &site);
    assert_ended(&run(estate, "event-gap-audit"), 6);
    let report = report(estate, "event-gap-audit");
    let expect = [(site.clone(), format!("activity-complete/{site}"))];
    assert_eq!(failed(&report), expect, "{gap}");
}

/// Sites with the tasks whose verdict is a failure.
fn failed(report: &Value) -> Vec<(String, String)> {
    let sites = report["sites"].as_array().expect("a report has sites");
    let all = sites.iter().flat_map(|site| {
        let validations = site["validations"].as_array().expect("validations");
        validations.iter().map(move |it| (text(&site["id"]), it))
    });
    let failed = all.filter(|(_, it)| it["verdict"] == "fail");
    let mut failed: Vec<_> = failed.map(|(site, it)| (site, text(&it["task"]))).collect();
    failed.sort();
    failed.dedup();
    failed
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

/// All files below, with their contents.
fn tree(top: &Path) -> BTreeMap<PathBuf, String> {
    let (mut files, mut folders) = (BTreeMap::new(), vec![top.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("live can be read") {
            let path = entry.expect("live can be read").path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let content = fs::read_to_string(&path).expect("live can be read");
                    files.insert(path, content);
                }
            }
        }
    }
    files
}

fn state(estate: &Estate, runbook: &str) -> PathBuf {
    estate.path(&format!("{runbook}.db"))
}

/// Plans and runs it for all sites, in a journal of its own that is new.
fn run(estate: &Estate, runbook: &str) -> Output {
    let state = state(estate, runbook);
    for file in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{file}", state.display()));
    }
    let plan = plan(estate, runbook);
    let sites = plan["sites"].as_array().expect("sites").len().to_string();
    let mut run = estate.reprise_on("run", &estate.path("lab/env"), &state);
    let run = run
        .arg(estate.path("other.json"))
        .args(["--confirm", &sites]);
    run.output().expect("reprise runs")
}

fn plan(estate: &Estate, runbook: &str) -> Value {
    let mut plan = estate.reprise_on("plan", &estate.path("lab/env"), &state(estate, runbook));
    let path = binaries::workspace().join(format!("runbooks/{runbook}.yaml"));
    plan.arg("-e").arg(estate.path("lab/estate.yaml"));
    plan.arg("-r").arg(path);
    plan.args(["--at", &estate.target_time(), "--sites", "all", "-o"]);
    let planned = plan.arg(estate.path("other.json")).output();
    assert_ended(&planned.expect("reprise plans"), 0);
    let text = fs::read_to_string(estate.path("other.json")).expect("the plan was written");
    serde_json::from_str(&text).expect("a plan is JSON")
}

fn report(estate: &Estate, runbook: &str) -> Value {
    let mut report = estate.reprise_on("report", &estate.path("lab/env"), &state(estate, runbook));
    let output = report.arg("--json").output().expect("reprise reports");
    serde_json::from_slice(&output.stdout).expect("the report is JSON")
}

fn assert_ended(output: &Output, code: i32) {
    let said = [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said));
    assert_eq!(output.status.code(), Some(code), "{}", said.join("\n"));
}
