//! The reference pages name every key; digests cover the meaning alone.

use std::collections::BTreeSet;
use std::path::Path;

use reprise_spec::{
    Environment, digest_of_estate, digest_of_runbook, estate_schema, load_estate, load_runbook,
    load_text, missing_step_variables, missing_variables, parse_estate, parse_runbook,
    runbook_schema,
};
use serde_json::Value;

use crate::repository;

/// Every key that a schema declares, at any depth.
fn keys(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Object(properties)) = map.get("properties") {
                found.extend(properties.keys().cloned());
            }
            map.values().for_each(|value| keys(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_reference_names_every_key() {
    let check = |page: &str, schema: Value| {
        let text = std::fs::read_to_string(repository(page)).unwrap();
        let mut declared = BTreeSet::new();
        keys(&schema, &mut declared);
        assert!(declared.len() > 15);
        for key in declared {
            assert!(text.contains(&format!("`{key}`")), "{page} lacks `{key}`");
        }
    };
    check("docs/reference/estate.md", estate_schema());
    check("docs/reference/runbook.md", runbook_schema());
}

/// The YAML blocks of the reference pages load, so that an example cannot rot.
#[test]
fn the_examples_of_the_reference_load() {
    let example = |page: &str| {
        let text = std::fs::read_to_string(repository(page)).unwrap();
        let (_, rest) = text.split_once("```yaml\n").unwrap();
        rest.split_once("```").unwrap().0.to_owned()
    };
    let path = Path::new("example.yaml");
    let estate = parse_estate(&example("docs/reference/estate.md"), path);
    let estate = estate.unwrap_or_else(|found| panic!("{found}"));
    let text = example("docs/reference/runbook.md");
    let runbook = parse_runbook(&text, path).unwrap_or_else(|found| panic!("{found}"));
    reprise_spec::check_runbook_against(&runbook, &estate, &text, path)
        .unwrap_or_else(|found| panic!("{found}"));
}

#[test]
fn digests_see_the_meaning_and_neither_folder_comment_nor_secret() {
    let text = load_text(&repository("fixtures/estates/valid/full.yaml")).unwrap();
    let digest =
        |text: &str, path: &str| digest_of_estate(&parse_estate(text, Path::new(path)).unwrap());
    let first = digest(&text, "a/estate.yaml");
    assert_eq!(first, digest(&format!("# note\n{text}"), "b/estate.yaml"));
    assert_eq!(
        first,
        digest(&text.replace("ISSUES_PASSWORD", "OTHER"), "estate.yaml")
    );
    assert_ne!(
        first,
        digest(&text.replace("rpo: 5m", "rpo: 6m"), "a/estate.yaml")
    );
    assert_ne!(
        first,
        digest(&text.replace("CONTROL_URL", "OTHER_URL"), "a/estate.yaml")
    );

    let text = load_text(&repository("fixtures/runbooks/valid/full.yaml")).unwrap();
    let digest = |text: &str| digest_of_runbook(&parse_runbook(text, Path::new("r")).unwrap());
    assert_eq!(
        digest(&text),
        digest(&text.replace("timeout: 2h", "timeout: 120m"))
    );
    assert_ne!(
        digest(&text),
        digest(&text.replace("timeout: 2h", "timeout: 3h"))
    );
}

#[test]
fn all_missing_variables_are_found_at_once() {
    let estate = load_estate(&repository("fixtures/estates/valid/full.yaml")).unwrap();
    let missing = missing_variables(&estate, &Environment::new([("CONTROL_URL", "x")]));
    let own = |name: &str, place: &str| (name.to_owned(), place.to_owned());
    assert_eq!(
        missing,
        [
            own("ISSUES_PASSWORD", "stores.issues.shards.s01.live"),
            own("ISSUES_02_URL", "stores.issues.shards.s02.live"),
        ]
    );
    let runbook = load_runbook(&repository("fixtures/runbooks/valid/full.yaml")).unwrap();
    let none: [(&str, &str); 0] = [];
    assert_eq!(
        missing_step_variables(&runbook, &Environment::new(none)),
        [own("NOTIFY_TOKEN", "steps.notify.with.env")]
    );
}
