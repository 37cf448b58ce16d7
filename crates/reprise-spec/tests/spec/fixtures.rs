//! Every sample under `fixtures/`: the valid ones load, the invalid ones are
//! reported as their snapshots say.

use std::path::{Path, PathBuf};

use miette::{GraphicalReportHandler, GraphicalTheme};
use reprise_spec::{
    Diagnostics, check_runbook_against, load_estate, load_runbook, load_text, parse_estate,
    parse_runbook, read_site_list, read_sites_csv,
};

use crate::{files, repository, stem};

/// Loads a sample of one kind and drops the value.
type Load = fn(&Path) -> Result<(), Diagnostics>;

const KINDS: [(&str, Load); 3] = [
    ("estates", |path| load_estate(path).map(|_| ())),
    ("runbooks", |path| load_runbook(path).map(|_| ())),
    ("sites", load_sites),
];

fn load_sites(path: &Path) -> Result<(), Diagnostics> {
    let text = load_text(path)?;
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => read_sites_csv(&text, path).map(|_| ()),
        _ => read_site_list(&text, path).map(|_| ()),
    }
}

/// As the command line shows it, with paths as if run in the repository.
fn rendered(found: &Diagnostics) -> String {
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(100)
        .with_links(false);
    let mut page = String::new();
    for one in found {
        handler.render_report(&mut page, one).unwrap();
        page.push('\n');
    }
    let root = repository("").display().to_string();
    page.replace(&root, "").trim_end().to_owned()
}

#[test]
fn valid_samples_load() {
    for (kind, load) in KINDS {
        for path in files(&format!("fixtures/{kind}/valid")) {
            let loaded = load(&path);
            assert!(loaded.is_ok(), "{}", loaded.unwrap_err());
        }
    }
}

#[test]
fn invalid_samples_are_reported() {
    for (kind, load) in KINDS {
        for path in files(&format!("fixtures/{kind}/invalid")) {
            let found = match load(&path) {
                Ok(()) => panic!("{} loads", path.display()),
                Err(found) => found,
            };
            let page = rendered(&found);
            let plain = found.to_string();
            assert!(!page.contains("hunter2"), "{page}");
            assert!(!plain.contains("hunter2"), "{plain}");
            assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
            insta::assert_snapshot!(snapshot_name(kind, &path), page);
        }
    }
}

fn snapshot_name(kind: &str, path: &Path) -> String {
    let extension = path
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default();
    match kind {
        "sites" => format!("{kind}-{}-{extension}", stem(path)),
        _ => format!("{kind}-{}", stem(path)),
    }
}

#[test]
fn runbooks_are_held_against_an_estate() {
    let text = std::fs::read_to_string(repository("fixtures/estates/valid/full.yaml")).unwrap();
    let archive = "  archive:\n    kind: postgres\n    layer: events\n    shards:\n      one: { live: \"${A}\", \
                   backup: { kind: pgbackrest, stanza: a } }\n  media:\n    kind: s3\n    layer: media\n    \
                   tenant: { prefix: \"sites/{{ site.id }}/\" }\n    shards:\n      main: { live: \"${M}\", \
                   backup: { kind: versions } }\n";
    let estate = parse_estate(&format!("{text}{archive}"), Path::new("estate.yaml")).unwrap();
    for path in files("fixtures/runbooks/against") {
        let text = load_text(&path).unwrap();
        let runbook = parse_runbook(&text, &path).unwrap();
        let found = check_runbook_against(&runbook, &estate, &text, &path).unwrap_err();
        insta::assert_snapshot!(snapshot_name("against", &path), rendered(&found));
    }
    for path in files("fixtures/runbooks/valid") {
        let text = load_text(&path).unwrap();
        let runbook = parse_runbook(&text, &path).unwrap();
        check_runbook_against(&runbook, &estate, &text, &path).unwrap();
    }
}

#[test]
fn the_values_of_the_full_samples() {
    let estate = load_estate(&repository("fixtures/estates/valid/full.yaml")).unwrap();
    let estate = reprise_model::Estate {
        base: PathBuf::new(),
        ..estate
    };
    insta::assert_snapshot!("full-estate", format!("{estate:#?}"));
    let runbook = load_runbook(&repository("fixtures/runbooks/valid/full.yaml")).unwrap();
    insta::assert_snapshot!("full-runbook", format!("{runbook:#?}"));
}

#[test]
fn a_file_that_is_not_there_is_a_diagnostic() {
    let found = load_estate(Path::new("no/such/estate.yaml")).unwrap_err();
    let shown = found.to_string();
    assert!(
        shown.starts_with("no/such/estate.yaml: `no/such/estate.yaml` cannot be read: "),
        "{shown}"
    );
}
