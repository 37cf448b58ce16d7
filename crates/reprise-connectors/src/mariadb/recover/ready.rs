//! What a resumed run needs to know about a finished recovery, and whether it
//! is still what a recovery would bring.

use reprise_model::{Outcome, Timestamp};
use serde::{Deserialize, Serialize};

use super::backup::Source;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Ready {
    pub database: String,
    pub settings: Vec<(String, String)>,
    /// Absent in a folder of an earlier version, which is built anew.
    #[serde(default)]
    pub replayed: Option<Replayed>,
    pub outcome: Outcome,
}

/// What of the log is in a scratch.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Replayed {
    transactions: usize,
    last: Option<String>,
    /// Where the log is cut, and what comes next.
    file: Option<String>,
    to: u64,
    first_after: Option<String>,
    /// The zone that the statements of the log were replayed in.
    time_zone: String,
}

impl Replayed {
    pub fn of(source: &Source, zone: &str) -> Self {
        let cut = &source.cut;
        let last = cut.files.checked_sub(1).and_then(|at| source.files.get(at));
        Self {
            transactions: cut.groups.len(),
            last: cut.last_before.map(|group| group.gtid.to_string()),
            file: last.map(|file| file.name.clone()),
            to: cut.to,
            first_after: cut.first_after.map(|group| group.gtid.to_string()),
            time_zone: zone.to_owned(),
        }
    }

    /// The same transactions, in the same way.
    fn same(&self, other: &Self) -> bool {
        (self.transactions, &self.last, &self.time_zone)
            == (other.transactions, &other.last, &other.time_zone)
    }
}

impl Ready {
    /// The zone that statements were replayed in.
    pub fn zone(&self) -> Option<&str> {
        self.replayed.as_ref().map(|one| one.time_zone.as_str())
    }

    /// The log may have grown since, by a copy that came later: what is new
    /// before T has to come in, and where T was not reached, anything new may
    /// prove more.
    pub fn holds(&self, now: &Replayed, target: Timestamp) -> bool {
        let point = self.outcome.recovery_point.as_ref();
        let whole = point.is_some_and(|point| point.point == target);
        match &self.replayed {
            Some(replayed) if whole => replayed.same(now),
            Some(replayed) => replayed == now,
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use reprise_model::RecoveryPoint;

    use super::*;

    #[test]
    fn a_scratch_is_used_again_where_the_log_has_nothing_new_for_it() {
        let target = Timestamp::from_micros(100);
        let ready = |point: i64, replayed: Option<Replayed>| Ready {
            database: "app".to_owned(),
            settings: Vec::new(),
            replayed,
            outcome: Outcome {
                recovery_point: Some(RecoveryPoint {
                    point: Timestamp::from_micros(point),
                    last_before: None,
                    first_after: None,
                    basis: String::new(),
                }),
                ..Outcome::default()
            },
        };
        let then = Replayed {
            transactions: 2,
            last: Some("0-7-2".to_owned()),
            file: Some("bin.000001".to_owned()),
            to: 500,
            first_after: None,
            time_zone: "UTC".to_owned(),
        };
        let check = |now: &Replayed, whole: bool, short: bool| {
            let holds = |point| ready(point, Some(then.clone())).holds(now, target);
            assert_eq!((holds(100), holds(90)), (whole, short), "{now:?}");
        };
        check(&then, true, true);
        let mut longer = then.clone();
        longer.to = 700;
        check(&longer, true, false);
        longer.first_after = Some("0-7-3".to_owned());
        check(&longer, true, false);
        longer.transactions = 3;
        check(&longer, false, false);
        let mut moved = then.clone();
        moved.time_zone = "Pacific/Auckland".to_owned();
        check(&moved, false, false);
        assert!(!ready(100, None).holds(&then, target));
    }
}
