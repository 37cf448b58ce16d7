//! What is seen while a run is under way, fed by entries and progress alone.

mod bars;
mod lines;
mod screen;

use std::sync::Arc;

use reprise_model::{AttemptId, Entry, Plan, Timestamp, Volume};

use crate::fold::Fold;

pub use bars::Bars;
pub use lines::Lines;

/// One way to show a run.
pub trait Display: Send {
    /// A new entry has been taken into the fold.
    fn entry(&mut self, fold: &Fold, entry: &Entry);

    /// Time has passed, or progress has come.
    fn refresh(&mut self, fold: &Fold, now: Timestamp);

    /// Nothing more will come; leave the screen clean.
    fn finish(&mut self, fold: &Fold);
}

/// A fold with the display that shows it.
pub struct Monitor {
    fold: Fold,
    display: Option<Box<dyn Display>>,
}

impl Monitor {
    /// Without a display the monitor only folds.
    pub fn new(plan: Arc<Plan>, display: Option<Box<dyn Display>>) -> Self {
        Self {
            fold: Fold::new(plan),
            display,
        }
    }

    pub fn fold(&self) -> &Fold {
        &self.fold
    }

    /// Takes entries without showing each: history of a run taken up again.
    pub fn recall(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.fold.apply(entry);
        }
    }

    pub fn entries(&mut self, entries: &[Entry]) {
        for entry in entries {
            let new = self.fold.apply(entry);
            if let (true, Some(display)) = (new, &mut self.display) {
                display.entry(&self.fold, entry);
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

    pub fn refresh(&mut self, now: Timestamp) {
        if let Some(display) = &mut self.display {
            display.refresh(&self.fold, now);
        }
    }

    pub fn finish(&mut self) {
        if let Some(display) = &mut self.display {
            display.finish(&self.fold);
        }
    }
}
