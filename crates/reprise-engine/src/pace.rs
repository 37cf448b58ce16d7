//! How fast each site has gone in this run, against what was expected of it.
//!
//! Estimates before a run seldom know which sites are heavy. Within the run it
//! shows soon: a site whose first tasks took four times what was expected will
//! take about as much more for the rest, and has to be brought forward. So the
//! remaining chain of a site's task is weighed by the site's pace, once, when
//! the task is queued: nothing in the queue is ever sorted anew.
//!
//! Paces come from the times in the journal alone, and are whole numbers, so
//! that a run that is taken up again goes on with the very same ones.

use std::time::Duration;

use reprise_model::{AttemptEnd, AttemptId, TaskIx, Timestamp};

use crate::fold::Fold;

/// Parts of a doubling.
const UNIT: i64 = 1 << UNIT_BITS;
const UNIT_BITS: u32 = 10;
/// Doublings that one task can count for, either way: 2^7 is 128 times. A
/// hung task must not decide alone.
const MOST: i64 = 7 * UNIT;
/// Tasks as expected that every site is credited with, so that one sample
/// moves it by a third.
const CREDIT: i64 = 2;

/// 8 bytes a site.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    sites: Vec<Tally>,
}

/// How many times slower than expected a site's finished tasks were, as
/// doublings, in sum.
#[derive(Clone, Copy, Default, Debug)]
struct Tally {
    sum: i32,
    tasks: u32,
}

impl Pace {
    pub fn new(sites: usize) -> Self {
        Self {
            sites: vec![Tally::default(); sites],
        }
    }

    /// A task of the site was done. What was expected to take no time, or took
    /// none, tells nothing.
    pub fn learn(&mut self, site: usize, expected: Duration, took: Duration) {
        let (Some(expected), Some(took)) = (doublings(expected), doublings(took)) else {
            return;
        };
        let slower = (took - expected).clamp(-MOST, MOST);
        let tally = &mut self.sites[site];
        let sum = i64::from(tally.sum) + slower;
        if let Ok(sum) = i32::try_from(sum) {
            tally.sum = sum;
            tally.tasks += 1;
        }
    }

    /// What was expected, as this site goes.
    pub fn weigh(&self, site: usize, micros: u64) -> u64 {
        let tally = self.sites[site];
        let slower = i64::from(tally.sum) / (i64::from(tally.tasks) + CREDIT);
        let whole = u32::try_from(slower.div_euclid(UNIT).unsigned_abs()).expect("at most MOST");
        let grown = u128::from(micros) * (UNIT + slower.rem_euclid(UNIT)) as u128;
        let scaled = match slower < 0 {
            true => grown >> whole,
            false => grown << whole,
        };
        u64::try_from(scaled >> UNIT_BITS).unwrap_or(u64::MAX)
    }
}

impl Fold {
    /// Takes the attempt's time as a sample. Only work that was done tells how
    /// a site goes: a probe, a failure or work found done does not.
    pub(crate) fn learn_pace(&mut self, attempt: AttemptId, end: &AttemptEnd, at: Timestamp) {
        let (AttemptEnd::Done(_), Some(flight)) = (end, self.flights.get(attempt.task)) else {
            return;
        };
        if flight.attempt != attempt || flight.probing {
            return;
        }
        let since = at.as_micros().saturating_sub(flight.since.as_micros());
        let took = Duration::from_micros(u64::try_from(since).unwrap_or(0));
        if let Some(site) = self.topology.site(attempt.task) {
            let expected = self.topology.plan.expected(attempt.task);
            self.pace.learn(site, expected, took);
        }
    }

    /// Microseconds of work that hang on the task, as its site goes.
    pub(crate) fn urgency(&self, task: TaskIx) -> u64 {
        let rank = self.topology.shape.rank(task);
        match self.topology.site(task) {
            Some(site) => self.pace.weigh(site, rank),
            None => rank,
        }
    }
}

/// The binary logarithm of the microseconds, straight between powers of two:
/// at most 0.09 of a doubling off, and the same on every machine.
fn doublings(time: Duration) -> Option<i64> {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let whole = micros.checked_ilog2()?;
    let part = ((u128::from(micros) << UNIT_BITS) >> whole) as i64 - UNIT;
    Some(i64::from(whole) * UNIT + part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(samples: &[(f64, f64)]) -> u64 {
        let mut pace = Pace::new(1);
        for (expected, took) in samples {
            let [expected, took] = [expected, took].map(|s| Duration::from_secs_f64(*s));
            pace.learn(0, expected, took);
        }
        pace.weigh(0, 1_000_000)
    }

    #[test]
    fn a_site_is_weighed_by_how_it_went() {
        assert_eq!(after(&[]), 1_000_000);
        assert_eq!(after(&[(1.0, 1.0), (7.0, 7.0)]), 1_000_000);
        // One sample of three doublings, two credited: one doubling.
        assert_eq!(after(&[(1.0, 8.0)]), 2_000_000);
        assert_eq!(after(&[(8.0, 1.0)]), 500_000);
        let long = after(&[(0.5, 4.0); 400]);
        assert!((7_900_000..=8_000_000).contains(&long), "{long}");
    }

    #[test]
    fn nothing_and_the_endless_do_no_harm() {
        assert_eq!(after(&[(0.0, 9.0), (9.0, 0.0)]), 1_000_000);
        let hung = after(&[(1e-6, 1e12); 10_000]);
        assert!(hung <= 128_000_000, "{hung}");
        let mut pace = Pace::new(1);
        for _ in 0..10 {
            pace.learn(0, Duration::from_micros(1), Duration::MAX);
        }
        assert_eq!(pace.weigh(0, u64::MAX), u64::MAX);
        assert_eq!(pace.weigh(0, 0), 0);
    }

    #[test]
    fn the_heavier_chain_stays_the_heavier_of_one_site() {
        let mut pace = Pace::new(1);
        for took in 1..200 {
            pace.learn(0, Duration::from_secs(20), Duration::from_secs(took));
            let weighed: Vec<_> = (0..50).map(|m| pace.weigh(0, m << 30)).collect();
            assert!(weighed.is_sorted(), "{weighed:?}");
        }
    }
}
