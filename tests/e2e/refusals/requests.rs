//! What is asked for cannot be meant, or cannot be had.

use std::time::{SystemTime, UNIX_EPOCH};

use reprise_model::Timestamp;

use super::stage::Stage;

/// Apps count from here; see the catalogue of the lab.
const AN_APP: &str = "500001";

#[test]
fn ids_that_are_no_sites_are_named_for_what_they_are() {
    let stage = Stage::build();
    let site = stage.deleted();
    stage.refused(
        "site-is-an-app",
        stage.plan_of(&format!("{site},{AN_APP}")),
        8,
    );
    stage.refused("site-is-a-customer", stage.plan_of(&format!("1,{site}")), 8);
    stage.refused(
        "site-is-unknown",
        stage.plan_of(&format!("{site},777777")),
        8,
    );
    stage.refused("site-twice", stage.plan_of(&format!("{site},{site}")), 2);
    stage.refused("site-missing", stage.plan_of(""), 4);

    // The same by a file, as the accident's own script had it.
    let list = stage.estate.path("sites.txt");
    std::fs::write(&list, format!("# to restore\n{site}\n{AN_APP}\n")).expect("a list of sites");
    let list = format!("@{}", list.display());
    stage.refused("site-is-an-app-in-a-file", stage.plan_of(&list), 8);
}

#[test]
fn moments_out_of_reach_are_refused_with_those_within() {
    let stage = Stage::build();
    let site = stage.deleted();
    let check = |name: &str, estate: &std::path::Path, at: &str| {
        let mut plan = stage.request_of("plan", estate, at);
        plan.args(["--sites", &site]);
        stage.refused(name, plan, 8);
    };
    let estate = stage.lab("estate.yaml");
    check("time-in-the-future", &estate, "2199-01-01T00:00:00Z");
    check("time-before-the-backup", &estate, "2020-01-01T00:00:00Z");

    // A commit that no archived segment holds: what the objective allows to
    // lose is less than what may be missing.
    stage.execute("catalogue", "select pg_current_xact_id()");
    let strict = stage.altered_estate("rpo: 5m", "rpo: 1ms");
    check("time-past-the-archive", &strict, &now());
}

fn now() -> String {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is past 1970");
    let micros = i64::try_from(since.as_micros()).expect("the clock is before the year 292277");
    Timestamp::from_micros(micros).to_string()
}
