//! The runbooks that come with reprise, held against sample estates.

use std::path::{Path, PathBuf};

use reprise_model::{Estate, Runbook};
use reprise_plan::lint;
use reprise_spec::{check_runbook_against, load_estate, load_text, parse_runbook};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// Both files, the one held against the other.
fn load(runbook: &str, estate: &str) -> (Runbook, Estate) {
    let path = repository(runbook);
    let estate = load_estate(&repository(estate)).unwrap();
    let text = load_text(&path).unwrap();
    let runbook = parse_runbook(&text, &path).unwrap();
    check_runbook_against(&runbook, &estate, &text, &path)
        .unwrap_or_else(|found| panic!("{found}"));
    (runbook, estate)
}

#[test]
fn event_gap_audit_has_nothing_to_be_told() {
    let (runbook, estate) = load(
        "runbooks/event-gap-audit.yaml",
        "fixtures/estates/valid/events.yaml",
    );
    assert_eq!(lint(&runbook, &estate), []);
}

#[test]
fn config_rollback_has_nothing_to_be_told() {
    let (runbook, estate) = load(
        "runbooks/config-rollback.yaml",
        "fixtures/estates/valid/config.yaml",
    );
    assert_eq!(lint(&runbook, &estate), []);
}
