//! When each task of a rehearsal began and ended, and what follows from it.

use reprise_model::{Action, Plan, RunEnd, TaskIx, Timestamp};

/// Stands for a moment that never came.
const NEVER: i64 = i64::MIN;

/// The course of a rehearsal: two moments a task, in microseconds.
#[derive(Clone, PartialEq, Debug)]
pub struct Course {
    /// When the rehearsal began.
    pub begun: Timestamp,
    /// How it stopped; absent when nothing could ever happen any more.
    pub stopped: Option<RunEnd>,
    starts: Vec<i64>,
    ends: Vec<i64>,
    waves: Vec<i64>,
}

impl Course {
    pub(super) fn new(plan: &Plan, begun: Timestamp) -> Self {
        Self {
            begun,
            stopped: None,
            starts: vec![NEVER; plan.tasks.len()],
            ends: vec![NEVER; plan.tasks.len()],
            waves: vec![NEVER; plan.waves.len()],
        }
    }

    pub(super) fn begin(&mut self, task: TaskIx, at: Timestamp) {
        self.starts[task.get()] = at.as_micros();
    }

    pub(super) fn finish(&mut self, task: TaskIx, at: Timestamp) {
        self.ends[task.get()] = at.as_micros();
    }

    pub(super) fn open_wave(&mut self, wave: u32, at: Timestamp) {
        self.waves[wave as usize] = at.as_micros();
    }

    /// When the task's last attempt began, or its gate was opened.
    pub fn start(&self, task: TaskIx) -> Option<Timestamp> {
        moment(self.starts[task.get()])
    }

    /// Absent also for what had ended before the rehearsal began.
    pub fn end(&self, task: TaskIx) -> Option<Timestamp> {
        moment(self.ends[task.get()])
    }

    /// When the wave was opened, if that was during the rehearsal.
    pub fn wave_opened(&self, wave: usize) -> Option<Timestamp> {
        moment(self.waves[wave])
    }

    /// When all that the task needs was there, and its wave was open.
    pub fn ready(&self, plan: &Plan, task: TaskIx) -> Timestamp {
        let planned = &plan.tasks[task.get()];
        let needs = planned.needs.iter().filter_map(|need| self.end(*need));
        let wave = planned.site.map(|site| plan.sites[site as usize].wave);
        let opened = wave.and_then(|wave| self.wave_opened(wave as usize));
        needs.chain(opened).fold(self.begun, Timestamp::max)
    }

    /// Seconds from the beginning to the last end of any task.
    pub fn makespan(&self) -> f64 {
        let last = self.ends.iter().copied().max();
        self.seconds_to(last.and_then(moment))
    }

    /// Seconds from the beginning until the last site was handed over; of a
    /// plan without sites, until the last task that is no release.
    pub fn recovery(&self, plan: &Plan) -> f64 {
        let counts = |task: &TaskIx| match plan.sites.is_empty() {
            false => plan.tasks[task.get()].site.is_some(),
            true => plan.step_of(*task).action != Action::Release,
        };
        let last = plan.ixs().filter(counts).filter_map(|task| self.end(task));
        self.seconds_to(last.max())
    }

    /// For each site when its last task ended: its hand-over.
    pub fn handovers(&self, plan: &Plan) -> Vec<Option<Timestamp>> {
        let mut last = vec![NEVER; plan.sites.len()];
        for (task, end) in plan.tasks.iter().zip(&self.ends) {
            if let Some(site) = task.site {
                let so_far = &mut last[site as usize];
                *so_far = (*end).max(*so_far);
            }
        }
        last.into_iter().map(moment).collect()
    }

    /// For each wave when its last site was handed over.
    pub fn waves_done(&self, plan: &Plan) -> Vec<Option<Timestamp>> {
        let mut last = vec![None; plan.waves.len()];
        for (site, end) in plan.sites.iter().zip(self.handovers(plan)) {
            let so_far = &mut last[site.wave as usize];
            *so_far = end.max(*so_far);
        }
        last
    }

    /// Seconds from the beginning to that moment; 0 where there is none.
    pub fn seconds_to(&self, moment: Option<Timestamp>) -> f64 {
        moment.map_or(0.0, |at| at.seconds_since(self.begun).max(0.0))
    }
}

fn moment(micros: i64) -> Option<Timestamp> {
    (micros != NEVER).then(|| Timestamp::from_micros(micros))
}
