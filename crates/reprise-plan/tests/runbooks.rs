//! The runbooks that come with reprise, held against sample estates.

use std::path::{Path, PathBuf};

use reprise_model::{Action, Estate, Runbook, Scope};
use reprise_plan::{Severity, lint};
use reprise_spec::{check_runbook_against, load_estate, load_text, parse_runbook};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// The runbook, held against the estate that it is written for.
fn load(name: &str) -> (Runbook, Estate) {
    let path = repository(&format!("runbooks/{name}"));
    let estate = load_estate(&repository("fixtures/estates/valid/layers.yaml")).unwrap();
    let text = load_text(&path).unwrap();
    let runbook = parse_runbook(&text, &path).unwrap();
    check_runbook_against(&runbook, &estate, &text, &path)
        .unwrap_or_else(|found| panic!("{found}"));
    (runbook, estate)
}

/// The runbook, and what lint says of it that is more than a hint.
fn linted(name: &str) -> (Runbook, Vec<&'static str>) {
    let (runbook, estate) = load(name);
    let warnings = lint(&runbook, &estate).into_iter();
    let codes = warnings.filter(|warning| warning.severity > Severity::Hint);
    (runbook, codes.map(|warning| warning.code).collect())
}

#[test]
fn every_runbook_is_documented_and_has_no_error() {
    let folder = std::fs::read_dir(repository("runbooks")).unwrap();
    for entry in folder {
        let entry = entry.unwrap();
        let text = std::fs::read_to_string(entry.path()).unwrap();
        assert!(text.starts_with("# "), "{entry:?} says what it is for");
        let name = entry.file_name().into_string().unwrap();
        let (runbook, _) = linted(&name);
        assert_eq!(format!("{}.yaml", runbook.name), name);
    }
}

#[test]
fn restore_in_place_takes_every_layer_and_leaves_nothing_to_be_said() {
    let (runbook, warnings) = linted("restore-in-place.yaml");
    assert_eq!(warnings, [""; 0]);
    assert!(runbook.steps.len() > 30, "{}", runbook.steps.len());
    let that = |action: Action| runbook.steps.iter().filter(move |s| s.action == action);
    assert_eq!(that(Action::Restore).count(), that(Action::Verify).count());
    assert_eq!(that(Action::CheckReferences).count(), 5);
    // Nothing is written before the operator lets it.
    let gates: Vec<_> = that(Action::Gate)
        .map(|gate| (gate.scope, &gate.needs))
        .collect();
    assert_eq!(gates[0].0, Scope::Run);
    assert_eq!(gates[0].1.len(), that(Action::Recover).count());
    // The customer is asked when every check has passed.
    let handover = gates[1].1;
    for check in that(Action::CheckReferences).chain(that(Action::CheckConsistency)) {
        assert!(handover.contains(&check.name), "{}", check.name);
    }
}

#[test]
fn config_rollback_is_told_only_what_else_there_is() {
    let (_, mut warnings) = linted("config-rollback.yaml");
    warnings.dedup();
    assert_eq!(warnings, ["store-not-restored"]);
}

#[test]
fn access_check_writes_nothing() {
    let (runbook, mut warnings) = linted("access-check.yaml");
    warnings.dedup();
    assert_eq!(warnings, ["verify-without-restore", "store-not-restored"]);
    let writes = |action: Action| matches!(action, Action::Restore | Action::Exec);
    assert!(runbook.steps.iter().all(|step| !writes(step.action)));
}
