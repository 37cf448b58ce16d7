//! What is seen while a run is under way, fed by entries and progress alone.

mod bars;
mod lines;
mod screen;

use reprise_model::{AttemptId, Entry, Plans, Timestamp, Volume};

use crate::estimate::Estimate;
use crate::fold::Fold;

pub use bars::Bars;
pub use lines::{Lines, Tone, told};

/// One way to show a run.
pub trait Display: Send {
    /// An entry of the time before has been taken into the fold.
    fn recalled(&mut self, _fold: &Fold, _entry: &Entry) {}

    /// A new entry has been taken into the fold.
    fn entry(&mut self, fold: &Fold, entry: &Entry);

    /// Time has passed, or progress has come.
    fn refresh(&mut self, fold: &Fold, now: Timestamp);

    /// Nothing more will come; leave the screen clean.
    fn finish(&mut self, fold: &Fold);
}

/// A fold with the displays that show it.
pub struct Monitor {
    fold: Fold,
    displays: Vec<Box<dyn Display>>,
}

impl Monitor {
    /// Without a display the monitor only folds.
    pub fn new(plans: impl Into<Plans>, displays: Vec<Box<dyn Display>>) -> Self {
        Self {
            fold: Fold::new(plans),
            displays,
        }
    }

    pub fn fold(&self) -> &Fold {
        &self.fold
    }

    /// Takes entries without showing each: history of a run taken up again.
    pub fn recall(&mut self, entries: &[Entry]) {
        for entry in entries {
            if self.fold.apply(entry) {
                for display in &mut self.displays {
                    display.recalled(&self.fold, entry);
                }
            }
        }
    }

    pub fn entries(&mut self, entries: &[Entry]) {
        for entry in entries {
            if self.fold.apply(entry) {
                for display in &mut self.displays {
                    display.entry(&self.fold, entry);
                }
            }
        }
    }

    pub fn progress(
        &mut self,
        attempt: AttemptId,
        volume: Volume,
        fraction: Option<f64>,
        phase: Option<&str>,
    ) {
        self.fold.progress(attempt, volume, fraction, phase);
    }

    pub fn estimated(&mut self, estimate: Option<Estimate>) {
        self.fold.set_estimate(estimate);
    }

    pub fn refresh(&mut self, now: Timestamp) {
        for display in &mut self.displays {
            display.refresh(&self.fold, now);
        }
    }

    pub fn finish(&mut self) {
        for display in &mut self.displays {
            display.finish(&self.fold);
        }
    }
}
