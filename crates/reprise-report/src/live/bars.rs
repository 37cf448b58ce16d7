//! Bars on a terminal.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use reprise_model::{Entry, Timestamp};

use super::Display;
use super::lines::{self, Tone};
use super::screen::{self, Row};
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

    /// Rows come and go; bars are kept by place, and filled before they are
    /// shown.
    fn show(&mut self, rows: Vec<Row>) {
        while self.bars.len() > rows.len() {
            if let Some(bar) = self.bars.pop() {
                bar.finish_and_clear();
                self.multi.remove(&bar);
            }
        }
        for (place, row) in rows.into_iter().enumerate() {
            match self.bars.get(place) {
                Some(bar) => fill(bar, row),
                None => {
                    let bar = ProgressBar::hidden().with_style(self.style.clone());
                    fill(&bar, row);
                    self.bars.push(self.multi.add(bar));
                }
            }
        }
    }
}

fn fill(bar: &ProgressBar, row: Row) {
    bar.set_prefix(row.label);
    bar.set_length(row.length);
    bar.set_message(row.message);
    bar.set_position(row.position);
}

impl Display for Bars {
    /// What an operator must see stays on the screen, above the bars.
    fn entry(&mut self, fold: &Fold, entry: &Entry) {
        if let Some((Tone::Alarm, line)) = lines::told(fold, entry) {
            // A terminal that is gone is no reason to stop a restore.
            let _ = self.multi.println(line);
        }
    }

    fn refresh(&mut self, fold: &Fold, now: Timestamp) {
        self.show(screen::rows(fold, now));
    }

    fn finish(&mut self, _fold: &Fold) {
        self.show(Vec::new());
        let _ = self.multi.clear();
    }
}
