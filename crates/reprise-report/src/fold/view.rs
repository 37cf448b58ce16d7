//! What a fold can be asked.

use std::sync::Arc;

use reprise_model::{Action, Halt, Owner, Plan, RunEnd, TaskIx, TaskState, Timestamp, Volume};

use crate::estimate::Estimate;

use super::{Fold, PhaseClock, PlanInForce, RunState, SiteProgress, TaskRecord, WaveTally};

impl Fold {
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The plans that the run has had, the one in force last.
    pub fn plans_in_force(&self) -> &[PlanInForce] {
        &self.in_force
    }

    pub fn record(&self, task: TaskIx) -> &TaskRecord {
        &self.records[task.get()]
    }

    pub fn state(&self, task: TaskIx) -> TaskState {
        self.records[task.get()].state
    }

    pub fn count(&self, state: TaskState) -> u32 {
        self.tally.count(state)
    }

    pub fn site_of(&self, task: TaskIx) -> Option<usize> {
        self.plan.tasks[task.get()].site.map(|site| site as usize)
    }

    pub fn site_progress(&self, site: usize) -> SiteProgress {
        self.tally.site(site)
    }

    /// Whether every task of the site has come to an end, good or bad.
    pub fn is_site_settled(&self, site: usize) -> bool {
        self.tally.is_settled(site)
    }

    pub fn waves(&self) -> &[WaveTally] {
        &self.tally.waves
    }

    pub fn phases(&self) -> &[PhaseClock] {
        &self.phases
    }

    /// The newest estimate of the time left, if anybody has made one.
    pub fn estimate(&self) -> Option<Estimate> {
        self.estimate
    }

    /// Tasks with an attempt under way.
    pub fn under_way(&self) -> impl Iterator<Item = TaskIx> + '_ {
        self.under_way.iter().copied()
    }

    /// Gates that wait for a person.
    pub fn open_gates(&self) -> impl Iterator<Item = TaskIx> + '_ {
        self.gates.iter().copied()
    }

    /// Rows and bytes brought back, by restores that ended or are under way.
    pub fn moved(&self) -> Volume {
        let mut sum = self.moved;
        for task in self.under_way() {
            let restores = self.plan.step_of(task).action == Action::Restore;
            if let (true, Some(progress)) = (restores, &self.record(task).progress) {
                sum += progress.volume;
            }
        }
        sum
    }

    /// The soonest moment at which a failed attempt is tried again.
    pub fn next_retry(&self) -> Option<Timestamp> {
        self.retries.first().map(|(at, _)| *at)
    }

    pub fn entries(&self) -> u64 {
        self.next_seq
    }

    /// The moment of the newest entry.
    pub fn last_at(&self) -> Option<Timestamp> {
        self.last_at
    }

    /// When the first coordinator took the run up.
    pub fn started(&self) -> Option<Timestamp> {
        self.started.or(self.created)
    }

    pub fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref()
    }

    /// How many coordinators have owned the run.
    pub fn owners(&self) -> u32 {
        self.owners
    }

    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    pub fn failed_attempts(&self) -> u32 {
        self.failed_attempts
    }

    pub fn halted(&self) -> Option<&Halt> {
        self.halted.as_ref()
    }

    pub fn is_paused(&self) -> bool {
        self.paused
    }

    pub fn is_cancelling(&self) -> bool {
        self.cancelling
    }

    pub fn stopped(&self) -> Option<(RunEnd, Timestamp)> {
        self.stopped
    }

    pub fn run_state(&self) -> RunState {
        match self.stopped {
            None => RunState::Running,
            Some((RunEnd::Finished, _)) => RunState::Finished,
            Some((RunEnd::AtGates, _)) => RunState::AtGates,
            Some((RunEnd::Paused, _)) => RunState::Paused,
            Some((RunEnd::Cancelled, _)) => RunState::Cancelled,
            Some((RunEnd::Halted, _)) => RunState::Halted,
        }
    }
}
