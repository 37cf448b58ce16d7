//! The schemas in the repository are fresh, accept every valid sample and
//! refuse what is structurally wrong.

use std::collections::BTreeSet;
use std::path::Path;

use reprise_spec::{
    Code, Diagnostics, estate_schema, load_estate, load_runbook, load_text, runbook_schema,
    yaml_to_json,
};
use serde_json::Value;

use crate::{files, repository};

struct Format {
    folder: &'static str,
    schema: Value,
    file: &'static str,
    load: fn(&Path) -> Result<(), Diagnostics>,
}

fn formats() -> [Format; 2] {
    [
        Format {
            folder: "estates",
            schema: estate_schema(),
            file: "schemas/estate.schema.json",
            load: |path| load_estate(path).map(|_| ()),
        },
        Format {
            folder: "runbooks",
            schema: runbook_schema(),
            file: "schemas/runbook.schema.json",
            load: |path| load_runbook(path).map(|_| ()),
        },
    ]
}

/// Whether a schema can express it: the shape of the tree and of its scalars.
fn is_structural(code: Code) -> bool {
    match code {
        Code::Version
        | Code::UnknownKey
        | Code::MissingKey
        | Code::Conflict
        | Code::WrongType
        | Code::BadValue => true,
        Code::Unreadable
        | Code::NotUtf8
        | Code::Empty
        | Code::Syntax
        | Code::Unsupported
        | Code::Duplicate
        | Code::UnknownName
        | Code::BadReference
        | Code::BadTemplate
        | Code::Mismatch
        | Code::TooMany => false,
    }
}

/// Wrong in a way that looks structural, but takes counting or comparing.
const BEYOND_A_SCHEMA: [&str; 5] = [
    "duplicate-store",
    "placement-missing",
    "shard-scope-without-a-store",
    "bad-backoff",
    "exec-bad-variable-name",
];

#[test]
fn the_schemas_are_fresh() {
    for format in formats() {
        let fresh = format!("{:#}\n", format.schema);
        let path = repository(format.file);
        if std::env::var_os("REPRISE_BLESS").is_some() {
            std::fs::write(&path, &fresh).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == fresh,
            "{} is stale; run the test with REPRISE_BLESS=1",
            format.file
        );
    }
}

#[test]
fn valid_samples_fit_their_schema() {
    for format in formats() {
        let validator = jsonschema::validator_for(&format.schema).unwrap();
        for path in files(&format!("fixtures/{}/valid", format.folder)) {
            let value = yaml_to_json(&load_text(&path).unwrap(), &path).unwrap();
            let wrong: Vec<String> = validator
                .iter_errors(&value)
                .map(|e| e.to_string())
                .collect();
            assert!(wrong.is_empty(), "{}: {wrong:?}", path.display());
        }
    }
}

#[test]
fn a_schema_refuses_what_is_structurally_wrong_and_nothing_else() {
    for format in formats() {
        let validator = jsonschema::validator_for(&format.schema).unwrap();
        let mut refused = 0;
        for path in files(&format!("fixtures/{}/invalid", format.folder)) {
            let text = load_text(&path);
            let Some(value) = text.ok().and_then(|text| yaml_to_json(&text, &path).ok()) else {
                continue;
            };
            let found = (format.load)(&path).unwrap_err();
            let codes: BTreeSet<Code> = found.iter().map(|one| one.code()).collect();
            let structural = codes.into_iter().any(is_structural)
                && !BEYOND_A_SCHEMA.contains(&crate::stem(&path));
            assert_eq!(
                !validator.is_valid(&value),
                structural,
                "{}",
                path.display()
            );
            refused += usize::from(structural);
        }
        assert!(refused >= 10, "{} of {}", refused, format.folder);
    }
}
