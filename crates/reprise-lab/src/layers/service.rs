//! A server of the lab that outlives the command that started it.
//!
//! It is known by its process id and the moment that the process began, which
//! together name no other process.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use reprise_pgserver::detached;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::layout::replace;

const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(20);

#[derive(Serialize, Deserialize)]
struct Known {
    pid: i32,
    /// In ticks since the machine started.
    began: u64,
}

/// A server by the folder that its process file and its log lie in.
#[derive(Clone, Debug)]
pub struct Service {
    folder: PathBuf,
}

impl Service {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn name(&self) -> String {
        let name = self.folder.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    fn file(&self) -> PathBuf {
        self.folder.join("process.json")
    }

    fn known(&self) -> Option<Known> {
        serde_json::from_str(&fs::read_to_string(self.file()).ok()?).ok()
    }

    /// The process, where it is the one that was started here.
    fn process(&self) -> Option<Pid> {
        let known = self.known()?;
        (began(known.pid) == Some(known.began)).then(|| Pid::from_raw(known.pid))?
    }

    pub fn runs(&self) -> bool {
        self.process().is_some()
    }

    /// Starts it, unless it runs, and waits until `ready` says so.
    pub fn start(&self, mut command: Command, ready: impl Fn() -> bool) -> Result<(), Error> {
        if self.runs() {
            return Ok(());
        }
        fs::create_dir_all(&self.folder).map_err(Error::io("create", &self.folder))?;
        let path = self.folder.join("output");
        let log = File::create(&path).map_err(Error::io("create", &path))?;
        let other = log.try_clone().map_err(Error::io("open", &path))?;
        command.stdin(Stdio::null()).stdout(log).stderr(other);
        let program = PathBuf::from(command.get_program());
        let mut child = detached(command).map_err(Error::io("run", &program))?;
        let pid = i32::try_from(child.id()).unwrap_or(i32::MAX);
        let began = began(pid).unwrap_or_default();
        let text = serde_json::to_string(&Known { pid, began }).expect("numbers are JSON");
        replace(&self.file(), &text)?;
        let deadline = Instant::now() + START;
        while !ready() {
            let ended = child.try_wait().map_err(Error::io("watch", &program))?;
            if ended.is_some() || Instant::now() > deadline {
                let said = fs::read_to_string(&path).unwrap_or_default();
                let last: Vec<&str> = said.lines().rev().take(3).collect();
                return Err(Error::Refused(format!(
                    "{} does not start: {}",
                    self.name(),
                    last.join(" / ")
                )));
            }
            sleep(STEP);
        }
        Ok(())
    }

    /// Ends it if it runs; says whether it did.
    pub fn stop(&self, signal: Signal) -> Result<bool, Error> {
        let Some(pid) = self.process() else {
            return Ok(false);
        };
        let deadline = Instant::now() + STOP;
        let mut signal = signal;
        // It may end between the look and the signal.
        let _ = kill_process(pid, signal);
        while self.runs() {
            if Instant::now() > deadline && signal != Signal::KILL {
                signal = Signal::KILL;
                let _ = kill_process(pid, signal);
            }
            sleep(STEP);
        }
        fs::remove_file(self.file()).map_err(Error::io("remove", &self.file()))?;
        Ok(true)
    }
}

/// When a process began; a zombie counts as gone.
fn began(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before may hold spaces and brackets.
    let fields: Vec<&str> = stat[stat.rfind(')')? + 1..].split_whitespace().collect();
    (*fields.first()? != "Z").then(|| fields.get(19)?.parse().ok())?
}

/// Whether somebody accepts connections there.
pub fn answers(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Runs a tool to its end and returns what it printed.
pub fn tool(program: &'static str, of: &str, command: &mut Command) -> Result<String, Error> {
    let output = command
        .output()
        .map_err(Error::io("run", Path::new(program)))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(Error::Tool {
            program,
            cluster: of.to_owned(),
            status: output.status.to_string(),
            output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_took_over_a_number_is_not_ours() {
        let folder = tempfile::tempdir().unwrap();
        let service = Service::new(folder.path().join("sleep"));
        let mut command = Command::new("sleep");
        command.arg("60");
        service.start(command, || true).unwrap();
        assert!(service.runs());
        let mut known = service.known().unwrap();
        known.began += 1;
        fs::write(service.file(), serde_json::to_string(&known).unwrap()).unwrap();
        assert!(!service.runs() && !service.stop(Signal::TERM).unwrap());
        known.began -= 1;
        fs::write(service.file(), serde_json::to_string(&known).unwrap()).unwrap();
        assert!(service.stop(Signal::TERM).unwrap());
        assert!(!service.runs());
    }
}
