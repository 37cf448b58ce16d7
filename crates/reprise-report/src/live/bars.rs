//! Bars on a terminal.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use reprise_model::{Entry, Timestamp};

use super::lines::{self, Tone};
use super::{Display, screen};
use crate::fold::Fold;

pub struct Bars {
    multi: MultiProgress,
    bars: Vec<ProgressBar>,
    style: ProgressStyle,
}

impl Bars {
    pub fn new(target: ProgressDrawTarget) -> Self {
        let style = ProgressStyle::with_template("{prefix:>14} {bar:24} {pos:>6}/{len}  {msg}")
            .expect("the template is valid")
            .progress_chars("=> ");
        Self {
            multi: MultiProgress::with_draw_target(target),
            bars: Vec::new(),
            style,
        }
    }

    /// Rows come and go; bars are kept by place.
    fn fit(&mut self, rows: usize) {
        while self.bars.len() > rows {
            if let Some(bar) = self.bars.pop() {
                bar.finish_and_clear();
                self.multi.remove(&bar);
            }
        }
        while self.bars.len() < rows {
            let bar = self.multi.add(ProgressBar::new(0));
            bar.set_style(self.style.clone());
            self.bars.push(bar);
        }
    }
}

impl Display for Bars {
    /// What an operator must see stays on the screen, above the bars.
    fn entry(&mut self, fold: &Fold, entry: &Entry) {
        if let Some((Tone::Alarm, line)) = lines::line(fold, entry) {
            // A terminal that is gone is no reason to stop a restore.
            let _ = self.multi.println(line);
        }
    }

    fn refresh(&mut self, fold: &Fold, now: Timestamp) {
        let rows = screen::rows(fold, now);
        self.fit(rows.len());
        for (bar, row) in self.bars.iter().zip(rows) {
            bar.set_prefix(row.label);
            bar.set_length(row.length);
            bar.set_message(row.message);
            bar.set_position(row.position);
        }
    }

    fn finish(&mut self, _fold: &Fold) {
        self.fit(0);
        let _ = self.multi.clear();
    }
}
