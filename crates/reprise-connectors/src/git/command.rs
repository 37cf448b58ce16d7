//! `git` itself, without the settings of whoever runs it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use reprise_model::{Fault, FaultKind};

/// Of what git says about a failure, at most this many characters are passed on.
const WORDS: usize = 300;

/// A repository elsewhere that says nothing for so many seconds is given up.
const STALLED: u32 = if cfg!(test) { 1 } else { 60 };

/// Nothing of a user's configuration, no question to a terminal, no hook, and
/// repositories of other accounts are read. Nobody is waited for without end.
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
        .env("GIT_SSH_COMMAND", patient_ssh())
        .stdin(Stdio::null());
    let settings = [
        ("safe.directory", "*".to_owned()),
        ("http.lowSpeedLimit", "1".to_owned()),
        ("http.lowSpeedTime", STALLED.to_string()),
    ];
    command.env("GIT_CONFIG_COUNT", settings.len().to_string());
    for (number, (key, value)) in settings.iter().enumerate() {
        command
            .env(format!("GIT_CONFIG_KEY_{number}"), key)
            .env(format!("GIT_CONFIG_VALUE_{number}"), value);
    }
    if let Some(folder) = folder {
        command.arg("--git-dir").arg(folder);
    }
    command
}

/// Asks nobody, and finds out that the other side is gone.
fn patient_ssh() -> String {
    let pause = STALLED.div_ceil(4);
    format!(
        "ssh -o BatchMode=yes -o ConnectTimeout={STALLED} -o ServerAliveInterval={pause} \
         -o ServerAliveCountMax=4"
    )
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
    // As git, curl and ssh say it.
    let passing = [
        "Could not resolve host",
        "Connection refused",
        "onnection timed out",
        "Connection reset",
        "unable to access",
        "Operation too slow",
        "not responding",
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// The listener takes connections and never answers.
    #[test]
    fn a_repository_that_says_nothing_is_given_up() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = silent.local_addr().unwrap().port();
        let url = format!("http://127.0.0.1:{port}/config.git");
        let fault = run(None, &["ls-remote", "--", &url]).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Temporary, "{fault}");
    }
}
