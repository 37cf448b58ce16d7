//! How a run stands, compactly: waves, what runs, what it waits for.

use std::fmt::Write as _;

use reprise_model::{RunId, TaskIx, TaskKey, Timestamp};
use serde::{Deserialize, Serialize};

use crate::estimate::Estimate;
use crate::fold::{Fold, RunState};
use crate::format;
use crate::report::{OpenGate, TaskCounts};

pub const STATUS_VERSION: u32 = 1;

/// Running tasks, gates and waits that are listed before `... and 12 more`.
const LISTED: usize = 10;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Status {
    pub version: u32,
    pub run: RunId,
    pub state: RunState,
    pub target_time: Timestamp,
    pub started: Option<Timestamp>,
    /// The newest entry's moment.
    pub updated: Option<Timestamp>,
    pub waves: Vec<WaveStatus>,
    pub tasks: TaskCounts,
    pub rows: u64,
    pub bytes: u64,
    pub running: Vec<RunningTask>,
    pub gates: Vec<OpenGate>,
    /// Running tasks and gates that were left out of a list cut short.
    #[serde(default, skip_serializing_if = "Unlisted::is_none")]
    pub unlisted: Unlisted,
    /// What the run waits for, in words.
    pub waits_for: Vec<String>,
    pub estimate: Option<Estimate>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Unlisted {
    pub running: usize,
    pub gates: usize,
}

impl Unlisted {
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WaveStatus {
    pub wave: u32,
    pub open: bool,
    pub sites: u32,
    pub settled: u32,
    pub failed: u32,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RunningTask {
    pub task: TaskKey,
    pub attempt: u32,
    pub since: Option<Timestamp>,
    pub phase: Option<String>,
    pub fraction: Option<f64>,
    pub rows: u64,
    pub bytes: u64,
}

impl Fold {
    /// As of `now`, which only the estimate looks at.
    pub fn status(&self, run: &RunId, now: Timestamp) -> Status {
        let moved = self.moved();
        let waves = self.waves().iter().zip(0..);
        Status {
            version: STATUS_VERSION,
            run: run.clone(),
            state: self.run_state(),
            target_time: self.plan().target_time,
            started: self.started(),
            updated: self.last_at(),
            waves: waves
                .map(|(wave, number)| WaveStatus {
                    wave: number,
                    open: wave.open,
                    sites: wave.sites,
                    settled: wave.settled,
                    failed: wave.failed,
                })
                .collect(),
            tasks: TaskCounts::of(self),
            rows: moved.rows,
            bytes: moved.bytes,
            running: self.under_way().map(|task| running(self, task)).collect(),
            gates: crate::report::open_gates(self),
            unlisted: Unlisted::default(),
            waits_for: waits_for(self),
            estimate: Estimate::of(self, now).filter(|_| self.run_state() == RunState::Running),
        }
    }
}

fn running(fold: &Fold, task: TaskIx) -> RunningTask {
    let record = fold.record(task);
    let progress = record.progress.as_deref().cloned().unwrap_or_default();
    RunningTask {
        task: fold.plan().key(task),
        attempt: record.attempt,
        since: record.last_start,
        phase: progress.phase,
        fraction: progress.fraction,
        rows: progress.volume.rows,
        bytes: progress.volume.bytes,
    }
}

fn waits_for(fold: &Fold) -> Vec<String> {
    let mut waits = Vec::new();
    if fold.is_paused() {
        waits.push("an operator: the run is paused".to_owned());
    }
    if fold.is_cancelling() {
        waits.push("an operator: the run was cancelled".to_owned());
    }
    if let Some(halt) = fold.halted() {
        waits.push(format!(
            "an operator: {} failed, more than the {} that the runbook allows",
            format::plural(halt.failed_sites.into(), "site"),
            halt.allowed
        ));
    }
    let gates = fold.open_gates().count() as u64;
    if gates > 0 {
        waits.push(format!("an answer at {}", format::plural(gates, "gate")));
    }
    if let Some(next) = fold.next_retry() {
        waits.push(format!("the next try of a failed attempt, at {next}"));
    }
    waits
}

impl Status {
    /// With lists of bounded length, for a place where a small value is wanted
    /// however large the run is. Its text is the same.
    pub fn cut_short(mut self) -> Self {
        self.unlisted.running += self.running.len().saturating_sub(LISTED);
        self.running.truncate(LISTED);
        self.unlisted.gates += self.gates.len().saturating_sub(LISTED);
        self.gates.truncate(LISTED);
        self
    }

    /// Plain text; bounded, however large the run is.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "run {}  {}", self.run, self.state.as_str())?;
        writeln!(out, "  target time  {}", self.target_time)?;
        if let Some(started) = self.started {
            writeln!(out, "  started      {started}")?;
        }
        let tasks = &self.tasks;
        writeln!(
            out,
            "  tasks        {} of {} ended, {} running, {} failed",
            tasks.ended(),
            tasks.total,
            tasks.running,
            tasks.failed
        )?;
        writeln!(
            out,
            "  restored     {} rows, {}",
            format::count(self.rows),
            format::bytes(self.bytes)
        )?;
        if self.state == RunState::Running {
            writeln!(out, "  time left    {}", Estimate::text(self.estimate))?;
        }
        for wave in &self.waves {
            let state = match (wave.open, wave.settled + wave.failed == wave.sites) {
                (_, true) => "done",
                (true, false) => "open",
                (false, false) => "not open yet",
            };
            writeln!(
                out,
                "  wave {:<7} {} of {}, {} failed, {state}",
                wave.wave + 1,
                wave.settled + wave.failed,
                format::plural(wave.sites.into(), "site"),
                wave.failed
            )?;
        }
        self.write_lists(out)
    }

    fn write_lists(&self, out: &mut String) -> std::fmt::Result {
        if !self.running.is_empty() {
            writeln!(out, "running")?;
        }
        for task in self.running.iter().take(LISTED) {
            let percent = task.fraction.map(|part| format!("  {:.0}%", part * 100.0));
            let phase = task.phase.as_ref().map(|phase| format!("  {phase}"));
            writeln!(
                out,
                "  {}{}{}",
                task.task,
                percent.unwrap_or_default(),
                phase.unwrap_or_default()
            )?;
        }
        more(out, self.running.len() + self.unlisted.running)?;
        if !self.waits_for.is_empty() {
            writeln!(out, "waits for")?;
        }
        for wait in &self.waits_for {
            writeln!(out, "  {wait}")?;
        }
        for gate in self.gates.iter().take(LISTED) {
            let role = gate.role.as_ref().map(|role| format!("  ({role})"));
            writeln!(out, "  gate {}{}", gate.task, role.unwrap_or_default())?;
        }
        more(out, self.gates.len() + self.unlisted.gates)
    }
}

fn more(out: &mut String, total: usize) -> std::fmt::Result {
    if total > LISTED {
        writeln!(out, "  ... and {} more", total - LISTED)?;
    }
    Ok(())
}
