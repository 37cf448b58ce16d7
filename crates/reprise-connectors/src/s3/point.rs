//! The recovery point of versions that were looked at: which of them T takes
//! in, which it leaves out, and which cannot be told from it.

use std::time::Duration;

use reprise_model::{RecoveryPoint, Timestamp};

use super::history::{Ties, Version};

const SECOND: i64 = 1_000_000;

/// Counts versions, one after another.
#[derive(Clone, Debug)]
pub struct Tally {
    target: Timestamp,
    ties: Ties,
    versions: u64,
    last_before: Option<Timestamp>,
    first_after: Option<Timestamp>,
    tied: u64,
    /// The first key that ties with T.
    sample: Option<String>,
}

fn floor(time: Timestamp) -> Timestamp {
    Timestamp::from_micros(time.as_micros().div_euclid(SECOND) * SECOND)
}

impl Tally {
    pub fn new(target: Timestamp, ties: Ties) -> Self {
        Self {
            target,
            ties: ties.at(target),
            versions: 0,
            last_before: None,
            first_after: None,
            tied: 0,
            sample: None,
        }
    }

    pub fn add(&mut self, key: &str, version: &Version) {
        let (time, second) = (floor(version.modified), floor(self.target));
        self.versions += 1;
        if time == second {
            self.tied += 1;
            self.sample.get_or_insert_with(|| key.to_owned());
        }
        if time < second || (time == second && self.ties == Ties::Include) {
            self.last_before = self.last_before.max(Some(version.modified));
        } else {
            let first = self.first_after.unwrap_or(version.modified);
            self.first_after = Some(first.min(version.modified));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.versions == 0
    }

    pub fn join(&mut self, other: Self) {
        self.versions += other.versions;
        self.last_before = self.last_before.max(other.last_before);
        self.first_after = match (self.first_after, other.first_after) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.tied += other.tied;
        self.sample = self.sample.take().or(other.sample);
    }

    pub fn point(&self) -> RecoveryPoint {
        let within = floor(self.target) != self.target;
        let (tied, sample) = (self.tied, self.sample.as_deref().unwrap_or_default());
        let told = match (tied, within, self.ties) {
            (0, _, _) => "none of T's own second".to_owned(),
            (_, false, _) => format!("{tied} of T's own second, which T begins, are of after it"),
            (_, true, Ties::Include) => format!(
                "{tied} of T's own second, such as `{sample}`, were taken, and may be of after T, up to {}",
                floor(self.target).saturating_add(Duration::from_secs(1))
            ),
            (_, true, Ties::Exclude) => {
                format!("{tied} of T's own second, such as `{sample}`, were left out")
            }
            (_, true, Ties::Refuse) => {
                format!("{tied} of T's own second, such as `{sample}`, cannot be told from it")
            }
        };
        RecoveryPoint {
            point: match (tied, self.ties) {
                (0, _) => self.target,
                // A server that tells fractions says itself that it is of after T.
                (_, Ties::Include) => self.last_before.map_or(self.target, |l| l.max(self.target)),
                // What was left out may have been made from the second's start on.
                (_, Ties::Exclude | Ties::Refuse) => floor(self.target),
            },
            last_before: self.last_before,
            first_after: self.first_after,
            basis: format!(
                "{} versions, listed by the bucket after T in whole seconds; {told}",
                self.versions
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(target: i64, ties: Ties, times: &[i64]) -> RecoveryPoint {
        let mut all = Tally::new(Timestamp::from_micros(target), ties);
        for time in times {
            let mut one = Tally::new(Timestamp::from_micros(target), ties);
            let version = Version {
                id: "v".to_owned(),
                modified: Timestamp::from_micros(*time),
                object: None,
                class: None,
            };
            one.add("k", &version);
            all.join(one);
        }
        all.point()
    }

    #[test]
    fn versions_bracket_t_and_a_tie_moves_the_point() {
        let micros = Timestamp::from_micros;
        let (t, second) = (20 * SECOND + 5, 20 * SECOND);
        let clear = tally(t, Ties::Refuse, &[30 * SECOND, 10 * SECOND, 40 * SECOND]);
        assert_eq!(clear.point, micros(t));
        assert_eq!(clear.last_before, Some(micros(10 * SECOND)));
        assert_eq!(clear.first_after, Some(micros(30 * SECOND)));
        // A server that tells fractions ties all the same.
        for tie in [second, second + 900_000] {
            let doubt = tally(t, Ties::Refuse, &[tie, 10 * SECOND]);
            assert_eq!(doubt.point, micros(second));
            assert_eq!(doubt.first_after, Some(micros(tie)));
            assert!(doubt.basis.contains("`k`"), "{}", doubt.basis);
            assert_eq!(tally(t, Ties::Exclude, &[tie]).point, micros(second));
            let taken = tally(t, Ties::Include, &[tie]);
            let point = micros(t.max(tie));
            assert_eq!((taken.point, taken.first_after), (point, None));
            assert!(taken.basis.contains("up to 1970-01-01T00:00:21"));
            assert_eq!(taken.last_before, Some(micros(tie)));
            assert_eq!(tally(second, Ties::Refuse, &[tie]).point, micros(second));
        }
        let nothing = tally(t, Ties::Refuse, &[]);
        assert_eq!((nothing.last_before, nothing.first_after), (None, None));
    }
}
