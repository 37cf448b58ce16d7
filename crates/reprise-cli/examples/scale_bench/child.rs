//! Processes, with what the system says of them at their end.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::Outcome;
use crate::stage::Stage;

pub struct Measured {
    pub seconds: f64,
    /// Bytes of resident memory at the highest.
    pub peak: u64,
}

pub struct Running {
    child: Child,
    start: Instant,
    what: String,
}

/// The binary next to this example.
pub fn reprise(stage: &Stage, words: &[&str]) -> Outcome<Running> {
    let me = std::env::current_exe()?;
    let folder = me.parent().and_then(|folder| folder.parent());
    let binary = folder.ok_or("the example has a folder")?.join("reprise");
    if !binary.exists() {
        return Err("build the binary first: cargo build --release -p reprise-cli".into());
    }
    let mut command = Command::new(binary);
    command.args(words).arg("--state").arg(stage.journal());
    start(command, words.join(" "), stage)
}

/// This program, for one phase.
pub fn with_self(stage: &Stage, phase: &str) -> Outcome<Running> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--phase", phase]).arg(stage.folder());
    start(command, phase.to_owned(), stage)
}

fn start(mut command: Command, what: String, stage: &Stage) -> Outcome<Running> {
    let said: PathBuf = stage.folder().join("said.txt");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(said)?);
    Ok(Running {
        start: Instant::now(),
        child: command.spawn()?,
        what,
    })
}

impl Running {
    pub fn until_ended(mut self) -> Outcome<Measured> {
        let (measured, status) = self.wait()?;
        // Unvalidated, outstanding: a run that did what it was asked to.
        match status.code() {
            Some(0 | 5 | 6) => Ok(measured),
            _ => Err(format!("{}: {status}", self.what).into()),
        }
    }

    /// The phase ends itself as `kill -9` would.
    pub fn until_killed(mut self) -> Outcome<Measured> {
        let (measured, status) = self.wait()?;
        match status.signal() {
            Some(_) => Ok(measured),
            None => Err(format!("{} ended by itself: {status}", self.what).into()),
        }
    }

    pub fn so_far(&mut self) -> Outcome<Measured> {
        if let Some(status) = self.child.try_wait()? {
            return Err(format!("{} ended early: {status}", self.what).into());
        }
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        Ok(Measured {
            seconds: self.start.elapsed().as_secs_f64(),
            peak: high_water(&status),
        })
    }

    pub fn kill(mut self) -> Outcome<Measured> {
        let measured = self.so_far()?;
        self.child.kill()?;
        self.child.wait()?;
        Ok(measured)
    }

    /// Looks at the peak until the process is gone: what is seen last is the
    /// peak but for the process's own cleaning up.
    fn wait(&mut self) -> Outcome<(Measured, std::process::ExitStatus)> {
        let path = format!("/proc/{}/status", self.child.id());
        let mut peak = 0;
        loop {
            let seen = std::fs::read_to_string(&path).map_or(0, |text| high_water(&text));
            peak = peak.max(seen);
            if let Some(status) = self.child.try_wait()? {
                let seconds = self.start.elapsed().as_secs_f64();
                return Ok((Measured { seconds, peak }, status));
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }
}

fn high_water(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
