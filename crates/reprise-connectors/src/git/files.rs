//! The files of a commit below a path.

use std::path::Path;

use reprise_model::Fault;

use super::command::run;
use super::path::{SitePath, is_safe};

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    pub path: String,
    /// The id of its content.
    pub blob: String,
    pub executable: bool,
    pub bytes: u64,
}

pub(super) fn list(repository: &Path, commit: &str, path: &SitePath) -> Result<Vec<Entry>, Fault> {
    let listed = run(
        Some(repository),
        &[
            "ls-tree",
            "-r",
            "-z",
            "-l",
            "--full-tree",
            commit,
            "--",
            path.as_str(),
        ],
    )?;
    let mut entries = Vec::new();
    for line in listed
        .split(|byte| *byte == 0)
        .filter(|line| !line.is_empty())
    {
        let line = std::str::from_utf8(line)
            .map_err(|_| Fault::permanent(format!("a path below {} is no UTF-8", path.as_str())))?;
        let entry = entry(line)?;
        if path.holds(&entry.path) {
            entries.push(entry);
        }
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

/// `100644 blob ID SIZE<tab>PATH`.
fn entry(line: &str) -> Result<Entry, Fault> {
    let unreadable = || Fault::permanent(format!("git ls-tree: `{line}` is no entry"));
    let (about, path) = line.split_once('\t').ok_or_else(unreadable)?;
    let about: Vec<&str> = about.split_whitespace().collect();
    let &[mode, kind, blob, size] = about.as_slice() else {
        return Err(unreadable());
    };
    let what = match (mode, kind) {
        ("100644" | "100755" | "100664", "blob") => None,
        ("120000", _) => Some("a symbolic link"),
        (_, "commit") => Some("a submodule"),
        _ => Some("of a mode that git does not write"),
    };
    if let Some(what) = what {
        return Err(Fault::permanent(format!(
            "{path} is {what}; a store of kind `git` has plain files only"
        )));
    }
    if !is_safe(path) {
        return Err(Fault::permanent(format!(
            "`{path}` leads out of its folder"
        )));
    }
    Ok(Entry {
        path: path.to_owned(),
        blob: blob.to_owned(),
        executable: mode == "100755",
        bytes: size.parse().map_err(|_| unreadable())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_files_below_their_folder() {
        let path = |mode: &str, kind: &str, path: &str| {
            entry(&format!("{mode} {kind} abc       7\t{path}")).map(|entry| entry.executable)
        };
        assert_eq!(path("100644", "blob", "sites/1/a b"), Ok(false));
        assert_eq!(path("100755", "blob", "sites/1/x"), Ok(true));
        for (mode, kind, name) in [
            ("120000", "blob", "sites/1/link"),
            ("160000", "commit", "sites/1/module"),
            ("100644", "blob", "sites/../x"),
            ("100644", "blob", "sites/.git/config"),
        ] {
            assert!(path(mode, kind, name).is_err(), "{name}");
        }
    }
}
