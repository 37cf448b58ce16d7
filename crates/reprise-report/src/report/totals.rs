//! Sums and worsts over all sites.

use reprise_model::TaskState;

use super::{SiteReport, SiteState, TaskCounts, Totals, stores};
use crate::fold::Fold;

pub(super) fn over(fold: &Fold, sites: &[SiteReport]) -> Totals {
    let mut totals = Totals {
        sites: u32::try_from(sites.len()).expect("a plan holds fewer than 2^32 sites"),
        rta_seconds: worst(sites.iter().map(|site| site.rta_seconds)),
        rpa_seconds: worst(sites.iter().map(|site| site.rpa_seconds)),
        skew_seconds: stores::skew(&all_stores(sites)),
        tasks: TaskCounts::of(fold),
        ..Totals::default()
    };
    for site in sites {
        *totals.of_state(site.state) += 1;
        for store in &site.stores {
            totals.rows += store.rows;
            totals.bytes += store.bytes;
        }
    }
    totals
}

impl Totals {
    fn of_state(&mut self, state: SiteState) -> &mut u32 {
        match state {
            SiteState::Failed => &mut self.failed,
            SiteState::Unvalidated => &mut self.unvalidated,
            SiteState::Cancelled => &mut self.cancelled,
            SiteState::Waiting => &mut self.waiting,
            SiteState::Outstanding => &mut self.outstanding,
            SiteState::Restored => &mut self.restored,
        }
    }
}

impl TaskCounts {
    pub(crate) fn of(fold: &Fold) -> Self {
        let mut counts = Self::default();
        for state in TaskState::ALL {
            let count = fold.count(state);
            counts.total += count;
            match state {
                TaskState::Done => counts.done += count,
                TaskState::Satisfied => counts.satisfied += count,
                TaskState::Failed => counts.failed += count,
                TaskState::Skipped => counts.skipped += count,
                TaskState::Cancelled => counts.cancelled += count,
                TaskState::Running | TaskState::Validating => counts.running += count,
                TaskState::Gated => counts.gated += count,
                TaskState::Indeterminate => counts.indeterminate += count,
                TaskState::Waiting | TaskState::Ready | TaskState::Queued => {
                    counts.pending += count;
                }
            }
        }
        counts
    }

    /// Nothing more will happen to them.
    pub fn ended(&self) -> u32 {
        self.done + self.satisfied + self.failed + self.skipped
    }
}

fn all_stores(sites: &[SiteReport]) -> Vec<super::StoreReport> {
    sites.iter().flat_map(|site| site.stores.clone()).collect()
}

fn worst(seconds: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    seconds.flatten().max_by(f64::total_cmp)
}
