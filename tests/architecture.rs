//! The lines of the house, held: who may use whom, what the pure crates must
//! not know, and the style that a machine can see.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// What each crate may use of this workspace. `reprise-tests` is not built into anything.
const MAY_USE: [(&str, &[&str]); 14] = [
    ("reprise-model", &[]),
    ("reprise-spec", &["model"]),
    ("reprise-plan", &["model", "spec"]),
    ("reprise-engine", &["model", "plan"]),
    ("reprise-ports", &["model"]),
    ("reprise-pgserver", &[]),
    // Apart from the stores, so that the simulator drives the same logic.
    ("reprise-chain", &["model", "ports"]),
    ("reprise-journal", &["model", "ports", "chain"]),
    ("reprise-connectors", &["model", "ports", "pgserver"]),
    ("reprise-report", &["model"]),
    (
        "reprise-runner",
        &[
            "model",
            "spec",
            "plan",
            "engine",
            "ports",
            "journal",
            "connectors",
        ],
    ),
    (
        "reprise-sim",
        &["model", "plan", "engine", "ports", "chain"],
    ),
    (
        "reprise-cli",
        &[
            "model",
            "spec",
            "plan",
            "engine",
            "ports",
            "journal",
            "connectors",
            "report",
            "runner",
            "sim",
        ],
    ),
    ("reprise-lab", &["model", "pgserver"]),
];

/// Crates that are functions of their arguments.
const PURE: [&str; 5] = [
    "reprise-model",
    "reprise-chain",
    "reprise-spec",
    "reprise-plan",
    "reprise-engine",
];

/// Libraries through which a clock, a runtime, a store or chance would come in.
const IMPURE_LIBRARIES: [&str; 6] = [
    "tokio",
    "tokio-util",
    "sqlx",
    "rand",
    "reqwest",
    "async-trait",
];

/// The same by the standard library.
const IMPURE_WORDS: [&str; 6] = [
    "HashMap",
    "HashSet",
    "SystemTime",
    "Instant::now",
    "std::env",
    "env::var",
];

/// Longer files hide a noun.
const LONGEST_FILE: usize = 450;

fn metadata() -> Metadata {
    MetadataCommand::new()
        .no_deps()
        .exec()
        .expect("cargo metadata runs in the workspace")
}

/// Each crate's dependencies of one kind, by name.
fn dependencies(metadata: &Metadata, kind: DependencyKind) -> BTreeMap<String, BTreeSet<String>> {
    metadata
        .packages
        .iter()
        .map(|package| {
            let names = package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind == kind)
                .map(|dependency| dependency.name.clone())
                .collect();
            (package.name.to_string(), names)
        })
        .collect()
}

#[test]
fn crates_use_only_what_the_design_allows() {
    let metadata = metadata();
    let uses = dependencies(&metadata, DependencyKind::Normal);
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.into();
    for (package, used) in &uses {
        // Built into nothing: they look at everything.
        if package == "reprise-tests" || package == "reprise-fuzz" {
            continue;
        }
        let may = allowed
            .get(package.as_str())
            .unwrap_or_else(|| panic!("`{package}` is not in the table of what may use what"));
        let ours = used.iter().filter_map(|name| name.strip_prefix("reprise-"));
        for name in ours {
            assert!(may.contains(&name), "{package} must not use reprise-{name}");
        }
    }
    for (package, _) in MAY_USE {
        assert!(
            uses.contains_key(package),
            "the table names `{package}`, which is gone"
        );
    }
}

#[test]
fn nothing_is_built_on_the_lab() {
    let metadata = metadata();
    for kind in [
        DependencyKind::Normal,
        DependencyKind::Build,
        DependencyKind::Development,
    ] {
        for (package, used) in dependencies(&metadata, kind) {
            let may = package == "reprise-tests" && kind == DependencyKind::Development;
            assert!(
                may || !used.contains("reprise-lab"),
                "{package} must not use reprise-lab"
            );
        }
    }
}

#[test]
fn pure_crates_know_no_library_with_a_clock_a_runtime_or_chance() {
    let uses = dependencies(&metadata(), DependencyKind::Normal);
    for package in PURE {
        for library in IMPURE_LIBRARIES {
            assert!(
                !uses[package].contains(library),
                "{package} must not use {library}"
            );
        }
    }
}

#[test]
fn pure_crates_know_no_clock_no_environment_and_no_hash_order() {
    let sources = sources();
    for package in PURE {
        let own: Vec<&Source> = sources
            .iter()
            .filter(|source| source.package == package && source.is_library())
            .collect();
        assert!(!own.is_empty(), "{package} has no sources");
        for source in own {
            for (number, line) in source.code() {
                for word in IMPURE_WORDS {
                    assert!(!line.contains(word), "{}:{number}: {word}", source.shown());
                }
            }
        }
    }
}

#[test]
fn sources_are_tidy() {
    // Spelt in two halves, so that this file does not name itself.
    let forbidden = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("dbg", "!("),
        concat!("#[ign", "ore"),
    ];
    let sources = sources();
    assert!(
        sources.len() > 50,
        "only {} sources were found",
        sources.len()
    );
    for source in &sources {
        let lines = source.text.lines().count();
        assert!(
            !source.is_library() || lines <= LONGEST_FILE,
            "{} has {lines} lines; which noun is hiding in it?",
            source.shown()
        );
        for (number, line) in source.code() {
            for word in forbidden {
                assert!(!line.contains(word), "{}:{number}: {word}", source.shown());
            }
        }
    }
}

#[test]
fn no_file_names_a_folder_of_one_machine() {
    let root = root();
    let folders = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
    ];
    let mut seen = 0;
    for path in files(&root) {
        // Binary samples are not text.
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        seen += 1;
        for (number, line) in text.lines().enumerate() {
            for folder in folders {
                let shown = path.strip_prefix(&root).unwrap_or(&path).display();
                assert!(!line.contains(folder), "{shown}:{}: {folder}", number + 1);
            }
        }
    }
    assert!(seen > 50, "only {seen} files were looked at");
}

struct Source {
    package: String,
    path: PathBuf,
    text: String,
}

impl Source {
    fn shown(&self) -> String {
        self.path
            .strip_prefix(root())
            .unwrap_or(&self.path)
            .display()
            .to_string()
    }

    fn is_library(&self) -> bool {
        self.path.components().any(|part| part.as_os_str() == "src")
    }

    /// Numbered lines without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(number, line)| (number + 1, line))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn sources() -> Vec<Source> {
    let root = root();
    files(&root)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| {
            let inside = path.strip_prefix(&root).unwrap_or(&path);
            let mut parts = inside
                .components()
                .map(|part| part.as_os_str().to_string_lossy());
            let package = match parts.next().as_deref() {
                Some("crates") => parts.next().unwrap_or_default().into_owned(),
                _ => "reprise-tests".to_owned(),
            };
            let text = fs::read_to_string(&path).expect("a source is text");
            Source {
                package,
                path,
                text,
            }
        })
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests lie in the workspace")
        .to_owned()
}

/// What a person wrote: not what was built, fetched or generated for a lab.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "target" || (name.starts_with('.') && name != ".ci") {
            continue;
        }
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}
