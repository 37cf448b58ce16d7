//! One small estate in a folder of its own, ended and removed with the test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use reprise_lab::layout::Layout;
use reprise_model::Entry;
use serde_json::Value;
use tempfile::TempDir;

use crate::disks::Disks;
use crate::{binaries, journal};

pub struct Estate {
    folder: TempDir,
    size: Size,
    disks: Option<Disks>,
}

#[derive(Clone, Copy)]
pub struct Size {
    pub shards: u32,
    pub sites: u32,
    pub scale: f64,
    /// Every kind of store.
    pub full: bool,
}

/// Neighbours that write until this is dropped.
pub struct Writers<'a> {
    estate: &'a Estate,
    process: Child,
}

impl Estate {
    pub fn build() -> Self {
        Self::of_size(Size {
            shards: 2,
            sites: 12,
            scale: 0.5,
            full: false,
        })
    }

    /// A small one with every kind of store.
    pub fn full() -> Self {
        Self::of_size(Size {
            shards: 2,
            sites: 16,
            scale: 0.3,
            full: true,
        })
    }

    pub fn of_size(size: Size) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let estate = Self {
            folder,
            size,
            disks: None,
        };
        estate.start();
        estate
    }

    /// Some of the lab's folders get disks of their own, each with so many
    /// megabytes to spare; `None` where that cannot be.
    pub fn on_small_disks(mut self, folders: &[(&str, u32)]) -> Option<Self> {
        check(&mut self.lab("down"));
        let places = folders
            .iter()
            .map(|(name, spare)| (self.path("lab").join(name), *spare));
        self.disks = Some(Disks::under(&places.collect::<Vec<_>>())?);
        self.start();
        Some(self)
    }

    /// Leaves this many kilobytes on the disk of one of the lab's folders.
    pub fn fill(&self, folder: &str, left: u64) {
        self.disks().fill(&self.path("lab").join(folder), left);
    }

    pub fn make_room(&self, folder: &str) {
        self.disks().empty(&self.path("lab").join(folder));
    }

    /// Where a file of the lab is to be found by this process.
    pub fn seen(&self, path: &Path) -> PathBuf {
        match &self.disks {
            Some(disks) => disks.seen(path),
            None => path.to_owned(),
        }
    }

    fn disks(&self) -> &Disks {
        self.disks.as_ref().expect("it has disks of its own")
    }

    /// Builds the lab, or starts those of its servers that do not run.
    pub fn start(&self) {
        let Size {
            shards,
            sites,
            scale,
            full,
        } = self.size;
        let size = format!("--shards={shards} --sites={sites} --scale={scale} --seed=11");
        let kinds = full.then_some("--full");
        check(self.lab("up").args(size.split(' ')).args(kinds));
    }

    pub fn layout(&self) -> Layout {
        Layout::at(&self.path("lab")).expect("the lab's folder has an absolute path")
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

    /// Deletes the same sites once more; the target time stays.
    pub fn accident_again(&self) {
        check(&mut self.lab("accident-again"));
    }

    /// Plans the restore of all that was deleted, to the moment before.
    pub fn plan(&self) {
        self.plan_with(&binaries::workspace().join("runbooks/restore-databases.yaml"));
    }

    pub fn plan_with(&self, runbook: &Path) {
        check(&mut self.planning(runbook));
    }

    /// Plans, and recovers every shard in advance.
    pub fn recover_with(&self, runbook: &Path) {
        check(self.planning(runbook).arg("--recover"));
    }

    fn planning(&self, runbook: &Path) -> Command {
        let sites = format!("@{}", self.path("lab/deleted.txt").display());
        let mut plan = self.reprise("plan");
        plan.arg("-e")
            .arg(self.path("lab/estate.yaml"))
            .arg("-r")
            .arg(runbook)
            .args(["--at", &self.target_time(), "--sites", &sites, "-o"])
            .arg(self.path("plan.json"));
        plan
    }

    pub fn newest_run(&self) -> String {
        journal::newest_run(&self.state()).to_string()
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

    /// Returns what was spoilt.
    pub fn plant(&self, fault: &str, site: &str) -> String {
        let planted = check(self.lab("plant").args([fault, "--site", site]));
        let said = String::from_utf8_lossy(&planted.stderr);
        said.trim().trim_start_matches("planted: ").to_owned()
    }

    pub fn tamper(&self) {
        check(&mut self.lab("tamper"));
    }

    pub fn journal(&self) -> Vec<Entry> {
        journal::entries(&self.state())
    }

    pub fn target_time(&self) -> String {
        self.accident_file()["target_time"]
            .as_str()
            .expect("an accident has a target time")
            .to_owned()
    }

    pub fn deleted(&self) -> Vec<Value> {
        self.accident_file()["sites"]
            .as_array()
            .expect("an accident has sites")
            .clone()
    }

    fn accident_file(&self) -> Value {
        let text = std::fs::read_to_string(self.path("lab/accident.json")).expect("accident.json");
        serde_json::from_str(&text).expect("accident.json is JSON")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn state(&self) -> PathBuf {
        self.path("state.db")
    }

    fn lab(&self, command: &str) -> Command {
        let mut lab = self.program("reprise-lab");
        lab.arg(command).arg("--dir").arg(self.path("lab"));
        lab
    }

    /// One of our own, which sees what the lab's servers see.
    fn program(&self, name: &str) -> Command {
        let path = binaries::folder().join(name);
        match &self.disks {
            Some(disks) => disks.program(&path, binaries::workspace()),
            None => {
                let mut program = Command::new(path);
                program.current_dir(binaries::workspace());
                program
            }
        }
    }

    pub fn reprise(&self, command: &str) -> Command {
        self.reprise_with(command, &self.path("lab/env"))
    }

    pub fn reprise_with(&self, command: &str, env_file: &Path) -> Command {
        self.reprise_on(command, env_file, &self.state())
    }

    /// With a journal of its own.
    pub fn reprise_on(&self, command: &str, env_file: &Path, state: &Path) -> Command {
        let mut reprise = self.program("reprise");
        reprise
            .arg(command)
            .arg("--state")
            .arg(format!("sqlite:{}", state.display()))
            .arg("--env-file")
            .arg(env_file)
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

impl Writers<'_> {
    /// Ends the writers in order: each has noted its last transaction.
    pub fn stop(mut self) {
        let pid = self.process.id().to_string();
        let told = Command::new("kill").arg(pid).status();
        assert!(told.is_ok_and(|status| status.success()), "no signal sent");
        self.process.wait().expect("the writers end");
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
