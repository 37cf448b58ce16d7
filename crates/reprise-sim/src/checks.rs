//! Checkers: they watch what the engine asks of the world, and keep books of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reprise_model::{
    Action, AttemptEnd, AttemptId, Command, Event, FaultKind, Plan, Scope, TaskIx, Timestamp,
};

/// A promise that was broken.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Violation {
    #[error("{task} was started before {need} was done")]
    Early { task: String, need: String },
    #[error("{task} was done twice")]
    Twice { task: String },
    #[error("pool {pool} has {slots} slots, and {used} were in use")]
    OverPool { pool: String, slots: u32, used: u32 },
    #[error("pool {pool} was used {gap_micros} us after the last start")]
    OverRate { pool: String, gap_micros: i64 },
    #[error("{task} of wave {wave} was started, and {open} waves were open")]
    ClosedWave { task: String, wave: u32, open: u32 },
    #[error("wave {wave} was opened with {failed} failed sites, {allowed} are allowed")]
    HaltIgnored {
        wave: u32,
        failed: usize,
        allowed: u32,
    },
    #[error("attempt {0} was used twice")]
    AttemptReused(AttemptId),
    #[error("the journal folds to {folded}, the engine says {engine}: {task}")]
    FoldDiffers {
        task: String,
        folded: &'static str,
        engine: &'static str,
    },
    #[error("the journal cannot be replayed: {0}")]
    Replay(String),
    #[error("no end after {0} steps")]
    Endless(u64),
}

/// What the outside has seen so far.
pub(crate) struct Books {
    plan: Arc<Plan>,
    /// Tasks whose success is durable.
    pub done: Vec<bool>,
    pub open_waves: u32,
    /// Tasks other than checks that failed for good, of sites.
    failed: BTreeSet<TaskIx>,
    halted: bool,
    halt_lifted: bool,
    in_use: BTreeMap<TaskIx, AttemptId>,
    last_start: BTreeMap<usize, Timestamp>,
    started: BTreeMap<AttemptId, bool>,
}

impl Books {
    pub fn new(plan: Arc<Plan>) -> Self {
        Self {
            done: vec![false; plan.tasks.len()],
            open_waves: 0,
            failed: BTreeSet::new(),
            halted: false,
            halt_lifted: false,
            in_use: BTreeMap::new(),
            last_start: BTreeMap::new(),
            started: BTreeMap::new(),
            plan,
        }
    }

    pub fn forget_flights(&mut self) {
        self.in_use.clear();
        self.last_start.clear();
    }

    /// Takes in an event that is durable now.
    pub fn read(&mut self, event: &Event) -> Result<(), Violation> {
        match event {
            Event::Ended {
                attempt,
                end,
                again,
            } => {
                self.in_use.remove(&attempt.task);
                self.ended(attempt.task, end, again.is_some());
            }
            Event::Commanded { command, .. } => self.commanded(command),
            Event::WaveOpened { wave } => {
                self.open_waves += 1;
                self.check_halt(*wave)?;
            }
            Event::Halted(_) => self.halted = true,
            Event::Created { .. }
            | Event::Owned(_)
            | Event::Probing { .. }
            | Event::Started { .. }
            | Event::Marked { .. }
            | Event::Skipped { .. }
            | Event::GateOpened { .. }
            | Event::Stopped(_) => {}
        }
        Ok(())
    }

    fn ended(&mut self, task: TaskIx, end: &AttemptEnd, again: bool) {
        match end {
            AttemptEnd::Done(_) | AttemptEnd::Satisfied(_) => self.done[task.get()] = true,
            AttemptEnd::Failed(fault) if !again && fault.kind != FaultKind::Cancelled => {
                let counts = !self.plan.step_of(task).action.is_check();
                if counts && self.plan.site_of(task).is_some() {
                    self.failed.insert(task);
                }
            }
            AttemptEnd::Failed(_) | AttemptEnd::NotYet | AttemptEnd::Unknown { .. } => {}
        }
    }

    fn commanded(&mut self, command: &Command) {
        match command {
            Command::Answer { task, approved, .. } => self.done[task.get()] |= *approved,
            Command::Retry { tasks, .. } => {
                self.halted = false;
                self.failed.retain(|task| !tasks.contains(task));
            }
            Command::Continue { .. } => self.halt_lifted |= std::mem::take(&mut self.halted),
            Command::Pause { .. } | Command::Cancel { .. } => {}
        }
    }

    fn check_halt(&self, wave: u32) -> Result<(), Violation> {
        let sites = self
            .failed
            .iter()
            .filter_map(|t| self.plan.tasks[t.get()].site);
        let failed = sites.collect::<BTreeSet<_>>().len();
        match self.plan.halt_above {
            Some(allowed) if failed as u32 > allowed && !self.halt_lifted => {
                Err(Violation::HaltIgnored {
                    wave,
                    failed,
                    allowed,
                })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A probe or a start takes a slot.
    pub fn take_off(
        &mut self,
        attempt: AttemptId,
        probe: bool,
        now: Timestamp,
    ) -> Result<(), Violation> {
        let task = attempt.task;
        let key = || self.plan.key(task).to_string();
        if self.started.insert(attempt, probe).is_some() {
            return Err(Violation::AttemptReused(attempt));
        }
        if self.done[task.get()] {
            return Err(Violation::Twice { task: key() });
        }
        let planned = &self.plan.tasks[task.get()];
        let scope = self.plan.step_of(task).scope;
        for need in &planned.needs {
            let gathers = scope != Scope::Site && self.plan.step_of(*need).scope == Scope::Site;
            if !self.done[need.get()] && !gathers {
                let need = self.plan.key(*need).to_string();
                return Err(Violation::Early { task: key(), need });
            }
        }
        if let Some(site) = self.plan.site_of(task)
            && site.wave >= self.open_waves
        {
            return Err(Violation::ClosedWave {
                task: key(),
                wave: site.wave,
                open: self.open_waves,
            });
        }
        self.in_use.insert(task, attempt);
        self.check_pool(task, now)
    }

    fn check_pool(&mut self, task: TaskIx, now: Timestamp) -> Result<(), Violation> {
        let plan = self.plan.clone();
        let Some(name) = &plan.step_of(task).pool else {
            return Ok(());
        };
        let place = plan.pools.iter().position(|pool| pool.name == *name);
        let place = place.expect("sample plans name pools that exist");
        let pool = &plan.pools[place];
        let users = self.in_use.keys();
        let used = users
            .filter(|t| plan.step_of(**t).pool.as_ref() == Some(name))
            .count() as u32;
        if used > pool.slots {
            return Err(Violation::OverPool {
                pool: name.to_string(),
                slots: pool.slots,
                used,
            });
        }
        let last = self.last_start.insert(place, now);
        if let (Some(rate), Some(last)) = (pool.rate_per_second, last) {
            let gap_micros = now.as_micros() - last.as_micros();
            if (gap_micros as f64) < 1e6 / rate - 1.0 {
                return Err(Violation::OverRate {
                    pool: name.to_string(),
                    gap_micros,
                });
            }
        }
        Ok(())
    }

    pub fn may_repeat(&self, task: TaskIx) -> bool {
        match self.plan.step_of(task).action {
            Action::Restore | Action::Gate => false,
            Action::Recover
            | Action::Verify
            | Action::Release
            | Action::Exec
            | Action::HttpCheck => true,
        }
    }
}
