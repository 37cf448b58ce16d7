//! What the crate does with whole files: the samples under `fixtures/`, the
//! schemas, the reference pages, and arbitrary bytes.

mod fixtures;
mod manners;
mod properties;
mod schemas;

use std::path::{Path, PathBuf};

/// A path in the repository.
fn repository(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("crates lie two levels deep").join(path)
}

/// The files of a folder, sorted; a folder without any is a mistake of the test.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = repository(folder);
    let entries = std::fs::read_dir(&folder).expect("the folder is there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}

fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).unwrap()
}
