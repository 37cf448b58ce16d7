//! The binaries under test: those that lie beside this test, built now.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where `reprise` and `reprise-lab` are. Building what is fresh costs nothing,
/// and keeps a test from judging an old binary; `scripts/test.sh` has built them
/// with everything else, and says so in `REPRISE_TESTS_BUILT`.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let test = std::env::current_exe().expect("a process knows its program");
        let folder = test
            .parent()
            .and_then(Path::parent)
            .expect("tests lie in <target>/<profile>/deps")
            .to_owned();
        if std::env::var_os("REPRISE_TESTS_BUILT").is_none() {
            build(&folder);
        }
        folder
    })
}

fn build(folder: &Path) {
    let target = folder
        .parent()
        .expect("a profile lies in the target folder");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(workspace())
        .args(["build", "--quiet", "-p", "reprise-cli", "-p", "reprise-lab"])
        .arg("--target-dir")
        .arg(target);
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    let status = cargo.status().expect("cargo can be run");
    assert!(status.success(), "the binaries do not build");
}

pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests lie in the workspace")
}
