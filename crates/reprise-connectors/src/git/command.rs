//! `git` itself, without the settings of whoever runs it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use reprise_model::{Fault, FaultKind};

/// Of what git says about a failure, at most this many characters are passed on.
const WORDS: usize = 300;

/// Nothing of a user's configuration, no question to a terminal, no hook, and
/// repositories of other accounts are read.
fn git(folder: Option<&Path>) -> Command {
    let mut command = Command::new("git");
    command
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| {
            ["PATH", "HOME", "SSH_AUTH_SOCK", "TMPDIR"]
                .iter()
                .any(|known| name == known)
        }))
        .env("LC_ALL", "C")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_LITERAL_PATHSPECS", "1")
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .stdin(Stdio::null());
    if let Some(folder) = folder {
        command.arg("--git-dir").arg(folder);
    }
    command
}

fn absent(error: &std::io::Error) -> Fault {
    Fault::permanent(format!("git cannot be started: {error}"))
        .hint("install git: `make deps` does so as root")
}

/// Runs git to its end and gives what it printed.
pub(super) fn run(folder: Option<&Path>, arguments: &[&str]) -> Result<Vec<u8>, Fault> {
    let ended = git(folder).args(arguments).output();
    let ended = ended.map_err(|error| absent(&error))?;
    if ended.status.success() {
        return Ok(ended.stdout);
    }
    Err(failed(arguments.first().unwrap_or(&""), &ended.stderr))
}

fn failed(doing: &str, said: &[u8]) -> Fault {
    let words = String::from_utf8_lossy(said);
    let one_line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = one_line.chars().take(WORDS).collect();
    let passing = [
        "Could not resolve host",
        "Connection refused",
        "Connection timed out",
        "Connection reset",
        "unable to access",
    ];
    let kind = match passing.iter().any(|sign| words.contains(sign)) {
        true => FaultKind::Temporary,
        false => FaultKind::Permanent,
    };
    Fault::new(kind, format!("git {doing}: {short}"))
}

/// Reads contents one by one: one process for all.
pub(super) fn contents(
    folder: &Path,
    ids: &[&str],
    mut take: impl FnMut(usize, Vec<u8>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut child = git(Some(folder))
        .args(["cat-file", "--batch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| absent(&error))?;
    let mut ask = child.stdin.take().expect("it was asked for");
    let mut answers = BufReader::new(child.stdout.take().expect("it was asked for"));
    let mut each = || -> Result<(), Fault> {
        let broken = |error: std::io::Error| Fault::temporary(format!("git cat-file: {error}"));
        for (number, id) in ids.iter().enumerate() {
            writeln!(ask, "{id}")
                .and_then(|()| ask.flush())
                .map_err(broken)?;
            let mut head = String::new();
            answers.read_line(&mut head).map_err(broken)?;
            let size = match head.trim().split(' ').collect::<Vec<_>>()[..] {
                [_, "blob", size] => size.parse::<usize>().ok(),
                _ => None,
            };
            let size = size.ok_or_else(|| {
                Fault::permanent(format!("git cat-file: {id} is not in the repository"))
            })?;
            let mut content = vec![0; size + 1];
            answers.read_exact(&mut content).map_err(broken)?;
            content.pop();
            take(number, content)?;
        }
        Ok(())
    };
    let done = each();
    drop(ask);
    if done.is_err() {
        let _ = child.kill();
    }
    let _ = child.wait();
    done
}
