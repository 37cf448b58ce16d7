//! Wall time per phase, from starts and ends as they come.

use reprise_model::{Action, Layer, Timestamp};

/// Steps of one kind, on stores of one layer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PhaseKey {
    pub action: Action,
    pub layer: Option<Layer>,
}

impl PhaseKey {
    pub fn name(self) -> String {
        match self.layer {
            Some(layer) => format!("{} {}", self.action.as_str(), layer.as_str()),
            None => self.action.as_str().to_owned(),
        }
    }
}

/// When a phase began and ended, and how long something of it was under way.
#[derive(Clone, Debug)]
pub struct PhaseClock {
    pub key: PhaseKey,
    pub tasks: u32,
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
    /// At least one task was under way, in microseconds.
    busy: i64,
    /// Summed over the tasks, in microseconds.
    work: i64,
    active: u32,
    since: Timestamp,
}

impl PhaseClock {
    pub fn new(key: PhaseKey) -> Self {
        Self {
            key,
            tasks: 0,
            start: None,
            end: None,
            busy: 0,
            work: 0,
            active: 0,
            since: Timestamp::default(),
        }
    }

    pub fn begin(&mut self, at: Timestamp) {
        self.start.get_or_insert(at);
        self.advance(at);
        self.active += 1;
    }

    pub fn finish(&mut self, at: Timestamp) {
        self.advance(at);
        self.active = self.active.saturating_sub(1);
        self.end = self.end.max(Some(at));
    }

    /// A clock that jumps back adds nothing.
    fn advance(&mut self, at: Timestamp) {
        let passed = (at.as_micros() - self.since.as_micros()).max(0);
        if self.active > 0 {
            self.busy += passed;
            self.work += passed * i64::from(self.active);
        }
        self.since = at;
    }

    pub fn busy_seconds(&self) -> f64 {
        self.busy as f64 / 1e6
    }

    pub fn task_seconds(&self) -> f64 {
        self.work as f64 / 1e6
    }
}
