//! The incident's fault planted: one shard that stands twenty minutes before
//! T is caught before its sites are handed over, and no other site waits.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reprise_model::Timestamp;
use serde_json::Value;

use crate::binaries;
use crate::estate::Estate;

const EARLY: Duration = Duration::from_secs(20 * 60);
const SHARD: &str = "s01";

#[test]
fn a_shard_restored_too_early_is_caught_before_the_gate() {
    let estate = Estate::build();
    estate.accident(6);
    estate.recover_with(&binaries::workspace().join("runbooks/restore-with-approval.yaml"));
    stand_early(&estate);

    let run = estate.start_or_resume().output().expect("reprise runs");
    assert_eq!(run.status.code(), Some(5), "{run:?}");
    // Only gates of sites that are at one moment have opened.
    let mut approve = estate.reprise("approve");
    let approved = approve.args([&estate.newest_run(), "handover"]).output();
    let approved = approved.expect("reprise approves");
    assert!(approved.status.success(), "{approved:?}");
    let run = estate.start_or_resume().output().expect("reprise resumes");
    assert_eq!(run.status.code(), Some(6), "{run:?}");

    let report = estate.report();
    let (early, fine): (Vec<_>, Vec<_>) = sites(&report)
        .into_iter()
        .partition(|site| site["stores"].to_string().contains(&format!("{SHARD:?}")));
    assert!(!early.is_empty() && !fine.is_empty(), "{report:#}");
    for site in &early {
        let check = validation(site, "consistency");
        assert_eq!(check["verdict"], "fail", "{site:#}");
        let told = check["evidence"]["differences"].to_string();
        let named = format!("product@{SHARD} is at ");
        assert!(told.contains(&named), "{told}");
        assert!(told.contains("1200 s before the target time"), "{told}");
        assert_eq!(validation(site, "handover")["verdict"], "unknown");
    }
    for site in &fine {
        assert_eq!(validation(site, "consistency")["verdict"], "pass");
        assert_eq!(validation(site, "handover")["verdict"], "pass");
    }
}

fn sites(report: &Value) -> Vec<Value> {
    report["sites"]
        .as_array()
        .expect("a report has sites")
        .clone()
}

/// The validation that a task of the step made for the site.
fn validation<'a>(site: &'a Value, step: &str) -> &'a Value {
    let task = format!("{step}/{}", site["id"].as_str().expect("a site has an id"));
    let all = site["validations"].as_array().expect("validations");
    let found = all.iter().find(|it| it["task"] == task.as_str());
    found.unwrap_or_else(|| panic!("{task} is not among {all:#?}"))
}

/// Rewrites what the recovery of the shard measured, as a folder that was
/// recovered to an older time would say.
fn stand_early(estate: &Estate) {
    let path = marker(&estate.path("lab/scratch"));
    let text = fs::read_to_string(&path).expect("a marker is readable");
    let mut marker: Value = serde_json::from_str(&text).expect("a marker is JSON");
    let point = &mut marker["state"]["ready"]["outcome"]["recovery_point"]["point"];
    let measured: Timestamp = serde_json::from_value(point.clone()).expect("a time");
    *point = Value::String(measured.saturating_sub(EARLY).to_string());
    fs::write(&path, marker.to_string()).expect("a marker can be written");
}

fn marker(scratch: &Path) -> PathBuf {
    let folders = fs::read_dir(scratch).expect("scratch is there");
    let folders = folders.map(|entry| entry.expect("scratch can be listed").path());
    let of_shard = folders.filter(|path| path.to_string_lossy().contains(SHARD));
    let markers: Vec<_> = of_shard.map(|path| path.join("marker.json")).collect();
    assert_eq!(markers.len(), 1, "{markers:?}");
    markers[0].clone()
}
