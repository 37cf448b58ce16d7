//! A restic repository, read by restic itself: nothing of its format is ours.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use reprise_model::{Fault, FaultKind, Timestamp};
use serde::Deserialize;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::{Above, Chosen, newest};
use crate::folder::config::Past;
use crate::folder::names::{self, at, text};
use crate::folder::tree::{cannot, durable};
use crate::shared::lines;

/// Would contradict what we say. A host in the environment would hide the
/// snapshots of others (since restic 0.17).
const NOT_PASSED_ON: [&str; 5] = [
    "RESTIC_HOST",
    "RESTIC_REPOSITORY_FILE",
    "RESTIC_PASSWORD_COMMAND",
    "RESTIC_PASSWORD",
    "RESTIC_PASSWORD_FILE",
];
/// Of what restic says about a failure, at most so many characters are passed on.
const MESSAGE: usize = 300;

pub struct Restic<'a> {
    past: &'a Past,
    repository: &'a Path,
    password_file: &'a Path,
    host: Option<&'a str>,
    /// Inside of the snapshots.
    tree: &'a Path,
}

/// A time of restic, which is finer than ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Nanos(i128);

impl<'de> Deserialize<'de> for Nanos {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Self(time.as_nanosecond()))
    }
}

impl Nanos {
    fn floor(self) -> Timestamp {
        let micros = self.0.div_euclid(1000);
        Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }

    fn after(self, target: Timestamp) -> bool {
        self.0 > i128::from(target.as_micros()) * 1000
    }
}

#[derive(Deserialize)]
struct Snapshot {
    id: String,
    time: Nanos,
    hostname: String,
    paths: Vec<PathBuf>,
}

/// A line of `restic ls --json`; the first one is the snapshot itself.
#[derive(Deserialize)]
struct Listed {
    struct_type: String,
    #[serde(default)]
    path: PathBuf,
    #[serde(default, rename = "type")]
    kind: String,
    ctime: Option<Nanos>,
    /// As Go has it: see `above`.
    #[serde(default)]
    mode: u32,
    #[serde(default)]
    uid: u32,
    #[serde(default)]
    gid: u32,
}

impl Listed {
    fn above(&self) -> Above {
        // Go keeps the permissions as they are, and moves what else there is.
        let bits = [(1 << 23, 0o4000), (1 << 22, 0o2000), (1 << 20, 0o1000)];
        let set = bits.iter().filter(|(theirs, _)| self.mode & theirs != 0);
        Above {
            mode: set.fold(self.mode & 0o777, |mode, (_, ours)| mode | ours),
            owner: (self.uid, self.gid),
        }
    }
}

impl<'a> Restic<'a> {
    pub fn of(past: &'a Past, live: Option<&'a Path>) -> Result<Self, Fault> {
        let Past::Restic {
            repository,
            password_file,
            host,
            path,
        } = past
        else {
            return Err(Fault::permanent("this past is no restic repository"));
        };
        let tree = path.as_deref().or(live).ok_or_else(|| {
            Fault::refused("a drill does not know the tree in the snapshots")
                .hint("say `path` in the backup")
        })?;
        Ok(Self {
            past,
            repository,
            password_file,
            host: host.as_deref(),
            tree,
        })
    }

    pub async fn choose(
        &self,
        target: Timestamp,
        cancelled: &CancellationToken,
    ) -> Result<Chosen, Fault> {
        let told = self.run(&["--json", "snapshots"], &[], cancelled).await?;
        let all: Option<Vec<Snapshot>> =
            serde_json::from_slice(&told).map_err(|error| self.odd(&error))?;
        let of_tree = all.into_iter().flatten().filter(|snapshot| {
            let host = self.host.is_none_or(|host| snapshot.hostname == host);
            host && snapshot
                .paths
                .iter()
                .any(|path| self.tree.starts_with(path))
        });
        let of_tree: Vec<Snapshot> = of_tree.collect();
        let mut hosts: Vec<&str> = of_tree.iter().map(|s| s.hostname.as_str()).collect();
        hosts.sort_unstable();
        hosts.dedup();
        if hosts.len() > 1 {
            return Err(Fault::refused(format!(
                "{}: snapshots of {} are of several hosts: {}",
                self.past.place(),
                self.tree.display(),
                hosts.join(", ")
            ))
            .hint("say `host` in the backup"));
        }
        let copies = of_tree.into_iter().map(|s| (s.time.floor(), s.id));
        let place = format!("{}: {}", self.past.place(), self.tree.display());
        let chosen = newest(copies, target, &place)?;
        // A snapshot of `/srv` has `/srv/files` only if that was there.
        let listed = self.list(&chosen, self.tree, &[], cancelled).await?;
        match listed
            .iter()
            .any(|node| node.path == self.tree && node.kind == "dir")
        {
            true => Ok(chosen),
            false => Err(Fault::refused(format!(
                "{place}: snapshot `{}` does not have this folder",
                chosen.id
            ))),
        }
    }

    /// What the repository has of a site, in `scratch`; renamed into place when
    /// it is whole.
    pub async fn site(
        &self,
        chosen: &Chosen,
        folder: &Path,
        scratch: &Path,
        target: Timestamp,
        cancelled: &CancellationToken,
    ) -> Result<PathBuf, Fault> {
        let name = lines::file_name(&text(folder));
        let ready = scratch.join(format!("{name}.{}", chosen.id));
        if ready.exists() {
            return Ok(ready);
        }
        let tree = self.tree.join(folder);
        let listed = self
            .list(chosen, &tree, &["--recursive"], cancelled)
            .await?;
        let later: Vec<&Listed> = listed
            .iter()
            .filter(|node| node.ctime.is_some_and(|changed| changed.after(target)))
            .collect();
        if let Some(first) = later.first() {
            let what = format!(
                "{} things were changed after that, such as {}",
                later.len(),
                first.path.display()
            );
            return Err(self.ran_past(chosen, target, &what));
        }
        if listed.is_empty() {
            self.not_gone_after(chosen, folder, target, cancelled)
                .await?;
            return Ok(ready);
        }
        // Of its own: a restic that is being killed may still write to another.
        let draft = names::temporary(&ready);
        let brought = self.bring(chosen, &tree, &draft, &ready, cancelled).await;
        let cleared = clear(&draft);
        brought.and(cleared).map(|()| ready)
    }

    /// By way of `draft`: `ready` is whole and on disk as soon as it is there.
    async fn bring(
        &self,
        chosen: &Chosen,
        tree: &Path,
        draft: &Path,
        ready: &Path,
        cancelled: &CancellationToken,
    ) -> Result<(), Fault> {
        std::fs::create_dir_all(draft).map_err(|error| cannot("make", draft, &error))?;
        let more = [
            OsString::from("--target"),
            draft.as_os_str().to_owned(),
            OsString::from("--include"),
            literally(tree),
        ];
        self.run(&["-q", "restore", &chosen.id], &more, cancelled)
            .await?;
        durable(draft)?;
        let below = tree.strip_prefix("/").unwrap_or(tree);
        std::fs::rename(draft.join(below), ready).map_err(|error| cannot("rename", draft, &error))
    }

    pub async fn above(
        &self,
        chosen: &Chosen,
        folder: &Path,
        cancelled: &CancellationToken,
    ) -> Result<Option<Above>, Fault> {
        let place = at(self.tree, folder);
        let listed = self.list(chosen, &place, &[], cancelled).await?;
        let mut folders = listed.iter().filter(|node| node.kind == "dir");
        let found = folders.find(|node| node.path == place);
        Ok(found.map(Listed::above))
    }

    /// Of a site that the snapshot does not have, the folder above tells
    /// whether something went from it after T.
    async fn not_gone_after(
        &self,
        chosen: &Chosen,
        folder: &Path,
        target: Timestamp,
        cancelled: &CancellationToken,
    ) -> Result<(), Fault> {
        for above in folder.ancestors().skip(1) {
            let above = at(self.tree, above);
            let listed = self.list(chosen, &above, &[], cancelled).await?;
            let Some(node) = listed.iter().find(|node| node.path == above) else {
                continue;
            };
            if node.ctime.is_some_and(|changed| changed.after(target)) {
                let what = format!(
                    "it does not have `{}`, and something in {} came or went after that",
                    text(folder),
                    above.display()
                );
                return Err(self.ran_past(chosen, target, &what));
            }
            break;
        }
        Ok(())
    }

    fn ran_past(&self, chosen: &Chosen, target: Timestamp, what: &str) -> Fault {
        Fault::refused(format!(
            "{}: snapshot `{}` was being made at {target}: {what}",
            self.past.place(),
            chosen.id
        ))
        .hint("take a T before it began, so that the snapshot before it is used")
    }

    /// The nodes of a snapshot at and below a folder; none where it is not there.
    async fn list(
        &self,
        chosen: &Chosen,
        folder: &Path,
        options: &[&str],
        cancelled: &CancellationToken,
    ) -> Result<Vec<Listed>, Fault> {
        let mut words = vec!["--json", "ls", &chosen.id];
        words.extend(options);
        let told = self
            .run(&words, &[folder.as_os_str().to_owned()], cancelled)
            .await?;
        let lines = told
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        let nodes = lines
            .map(|line| serde_json::from_slice::<Listed>(line).map_err(|error| self.odd(&error)));
        let mut nodes = nodes.collect::<Result<Vec<_>, _>>()?;
        nodes.retain(|node| node.struct_type == "node" && node.path.starts_with(folder));
        Ok(nodes)
    }

    async fn run(
        &self,
        words: &[&str],
        paths: &[OsString],
        cancelled: &CancellationToken,
    ) -> Result<Vec<u8>, Fault> {
        let mut command = Command::new("restic");
        for name in NOT_PASSED_ON {
            command.env_remove(name);
        }
        command
            // A repository may be on a medium that is only read.
            .arg("--no-lock")
            // Its address can hold a password, which a command line shows to all.
            .env("RESTIC_REPOSITORY", self.repository)
            .arg("--password-file")
            .arg(self.password_file)
            .args(words)
            .args(paths)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let ended = tokio::select! {
            () = cancelled.cancelled() => {
                return Err(Fault::new(FaultKind::Cancelled, "cancelled during restic"));
            }
            ended = command.output() => ended,
        };
        match ended {
            Ok(output) if output.status.success() => Ok(output.stdout),
            Ok(output) => Err(self.failed(words, &output)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Fault::permanent(
                format!("{}: there is no program `restic`", self.past.place()),
            )
            .hint("install it: `apt-get install restic`, or https://restic.net")),
            Err(error) => Err(Fault::permanent(format!("restic: {error}"))),
        }
    }

    fn failed(&self, words: &[&str], output: &Output) -> Fault {
        let told = String::from_utf8_lossy(&output.stderr);
        let told: String = told.split_whitespace().collect::<Vec<_>>().join(" ");
        let short: String = told.chars().take(MESSAGE).collect();
        let verb = words.iter().find(|word| !word.starts_with('-'));
        let message = format!(
            "{}: restic {}: {short}",
            self.past.place(),
            verb.unwrap_or(&"")
        );
        let passing = [
            "connection refused",
            "timeout",
            "no route to host",
            "temporar",
            "EOF",
        ];
        match passing.iter().any(|words| told.contains(words)) {
            true => Fault::temporary(message),
            false => Fault::permanent(message),
        }
    }

    fn odd(&self, error: &serde_json::Error) -> Fault {
        let place = self.past.place();
        Fault::permanent(format!("{place}: what restic says cannot be read: {error}"))
    }
}

fn clear(place: &Path) -> Result<(), Fault> {
    match std::fs::remove_dir_all(place) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(cannot("clear", place, &error))
        }
        _ => Ok(()),
    }
}

/// `--include` takes a pattern: what has a meaning in one is escaped.
fn literally(path: &Path) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut pattern = Vec::new();
    for byte in path.as_os_str().as_bytes() {
        if matches!(byte, b'*' | b'?' | b'[' | b']' | b'\\') {
            pattern.push(b'\\');
        }
        pattern.push(*byte);
    }
    OsString::from_vec(pattern)
}
