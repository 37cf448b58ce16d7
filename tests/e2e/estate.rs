//! One small estate in a folder of its own, ended and removed with the test.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use reprise_model::Entry;
use serde_json::Value;
use tempfile::TempDir;

use crate::{binaries, journal};

pub struct Estate {
    folder: TempDir,
}

/// Neighbours that write until this is dropped.
pub struct Writers<'a> {
    estate: &'a Estate,
    process: Child,
}

impl Estate {
    pub fn build() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let estate = Self { folder };
        let size = [
            "--shards", "2", "--sites", "12", "--scale", "0.5", "--seed", "11",
        ];
        check(estate.lab("up").args(size));
        estate
    }

    pub fn start_writers(&self) -> Writers<'_> {
        let process = self
            .lab("load")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the writers start");
        Writers {
            estate: self,
            process,
        }
    }

    pub fn accident(&self, sites: u32) {
        check(self.lab("accident").args(["--delete", &sites.to_string()]));
    }

    /// Plans the restore of all that was deleted, to the moment before.
    pub fn plan(&self) {
        let sites = format!("@{}", self.path("lab/deleted.txt").display());
        check(
            self.reprise("plan")
                .arg("-e")
                .arg(self.path("lab/estate.yaml"))
                .arg("-r")
                .arg(binaries::workspace().join("runbooks/restore-in-place.yaml"))
                .args(["--at", &self.target_time(), "--sites", &sites, "-o"])
                .arg(self.path("plan.json")),
        );
    }

    /// Starts the run, or resumes it where an earlier process has created it.
    pub fn start_or_resume(&self) -> Command {
        if journal::has_runs(&self.state()) {
            return self.reprise("resume");
        }
        let mut command = self.reprise("run");
        command
            .arg(self.path("plan.json"))
            .args(["--confirm", &self.deleted().len().to_string()]);
        command
    }

    pub fn run_to_the_end(&self) {
        let mut command = self.start_or_resume();
        let output = command.output().expect("reprise runs");
        // A run that a killed process had finished has nothing left to do.
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 4)), "{}", shown(&command, &output));
    }

    pub fn report(&self) -> Value {
        let output = check(self.reprise("report").arg("--json"));
        serde_json::from_slice(&output.stdout).expect("the report is JSON")
    }

    /// The oracle's summary, whatever it found.
    pub fn audit(&self) -> Value {
        let mut command = self.lab("audit");
        let output = command.arg("--json").output().expect("the audit runs");
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", shown(&command, &output)))
    }

    pub fn tamper(&self) {
        check(&mut self.lab("tamper"));
    }

    pub fn journal(&self) -> Vec<Entry> {
        journal::entries(&self.state())
    }

    fn target_time(&self) -> String {
        self.accident_file()["target_time"]
            .as_str()
            .expect("an accident has a target time")
            .to_owned()
    }

    fn deleted(&self) -> Vec<Value> {
        self.accident_file()["sites"]
            .as_array()
            .expect("an accident has sites")
            .clone()
    }

    fn accident_file(&self) -> Value {
        let text = std::fs::read_to_string(self.path("lab/accident.json")).expect("accident.json");
        serde_json::from_str(&text).expect("accident.json is JSON")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn state(&self) -> PathBuf {
        self.path("state.db")
    }

    fn lab(&self, command: &str) -> Command {
        let mut lab = Command::new(binaries::folder().join("reprise-lab"));
        lab.current_dir(binaries::workspace())
            .arg(command)
            .arg("--dir")
            .arg(self.path("lab"));
        lab
    }

    fn reprise(&self, command: &str) -> Command {
        let mut reprise = Command::new(binaries::folder().join("reprise"));
        reprise
            .current_dir(binaries::workspace())
            .arg(command)
            .arg("--state")
            .arg(format!("sqlite:{}", self.state().display()))
            .arg("--env-file")
            .arg(self.path("lab/env"))
            .stdin(Stdio::null());
        reprise
    }
}

impl Drop for Estate {
    fn drop(&mut self) {
        // The folder goes as well: an error here would only hide the test's own.
        let _ = self.lab("down").arg("--purge").output();
    }
}

impl Writers<'_> {
    /// Transactions in the ledger so far.
    pub fn committed(&self) -> usize {
        let ledger = self.estate.path("lab/ledger.jsonl");
        std::fs::read_to_string(ledger).map_or(0, |text| text.lines().count())
    }
}

impl Drop for Writers<'_> {
    fn drop(&mut self) {
        // Dead already, or dead now.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn check(command: &mut Command) -> Output {
    let output = command.output().expect("the binary runs");
    assert!(output.status.success(), "{}", shown(command, &output));
    output
}

fn shown(command: &Command, output: &Output) -> String {
    format!(
        "{command:?} ended with {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
