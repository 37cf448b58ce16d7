//! The consistency verdict of a site: all of its slices at one moment. The
//! gate's check and the report ask the same function.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Elapsed, ShardId, StoreId, Timestamp, Verdict};

/// How far one site's slice in one store was recovered, where that was measured.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SlicePoint {
    pub store: StoreId,
    pub shard: ShardId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<Timestamp>,
}

/// What a recovery point is held against.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Moment {
    pub target_time: Timestamp,
    /// What was lost counts from here, else from the target time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident_time: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpo: Option<Elapsed>,
}

/// What the verdict `consistency` looked at.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ConsistencyEvidence {
    pub target_time: Timestamp,
    pub rpo: Option<Elapsed>,
    /// Between the oldest and the newest store.
    pub skew_seconds: Option<f64>,
    /// Stores whose point is after T or older than the objective allows.
    pub outside: Vec<String>,
    /// Stores whose point nobody measured.
    pub unmeasured: Vec<String>,
    /// The point of each store that has one, by `STORE@SHARD`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub points: BTreeMap<String, Timestamp>,
    /// For each store of `outside` and `unmeasured`, what is wrong, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<String>,
}

impl Moment {
    /// Seconds of work that are lost with a store at this point.
    pub fn lost_seconds(&self, point: Timestamp) -> f64 {
        let end = self.incident_time.unwrap_or(self.target_time);
        end.seconds_since(point)
    }

    /// A point after T, or further back than the objective allows, is a
    /// failure; one that nobody measured is unknown.
    pub fn verdict(&self, point: Option<Timestamp>) -> Verdict {
        match point {
            None => Verdict::Unknown,
            Some(point) if point > self.target_time || self.is_too_old(point) => Verdict::Fail,
            Some(_) => Verdict::Pass,
        }
    }

    fn is_too_old(&self, point: Timestamp) -> bool {
        let lost = self.lost_seconds(point);
        self.rpo.is_some_and(|rpo| lost > rpo.0.as_secs_f64())
    }

    /// Over all slices of a site. Over none it is unknown: nobody looked.
    pub fn judge(&self, slices: &[SlicePoint]) -> (Verdict, ConsistencyEvidence) {
        let with = |verdict| {
            let slices = slices.iter();
            let found = slices.filter(move |slice| self.verdict(slice.point) == verdict);
            found.map(SlicePoint::name).collect()
        };
        let points = slices.iter().filter_map(|slice| slice.point);
        let named = slices.iter().filter_map(|s| Some((s.name(), s.point?)));
        let differences = slices.iter().filter_map(|slice| self.difference(slice));
        let evidence = ConsistencyEvidence {
            target_time: self.target_time,
            rpo: self.rpo,
            skew_seconds: skew_seconds(points),
            outside: with(Verdict::Fail),
            unmeasured: with(Verdict::Unknown),
            points: named.collect(),
            differences: differences.collect(),
        };
        let verdicts = slices.iter().map(|slice| self.verdict(slice.point));
        (Verdict::over(verdicts), evidence)
    }

    /// What is wrong with the slice, if anything is.
    fn difference(&self, slice: &SlicePoint) -> Option<String> {
        let (name, target) = (slice.name(), self.target_time);
        let Some(point) = slice.point else {
            return Some(format!("nobody measured how far {name} was recovered"));
        };
        if point > target {
            let late = point.seconds_since(target);
            return Some(format!(
                "{name} is at {point}, {late} s after the target time {target}"
            ));
        }
        let rpo = self.rpo.filter(|_| self.is_too_old(point))?;
        let allowed = rpo.0.as_secs_f64();
        let (lost, early) = (self.lost_seconds(point), target.seconds_since(point));
        Some(match self.incident_time {
            None => format!(
                "{name} is at {point}, {early} s before the target time {target}, and {allowed} s are allowed"
            ),
            Some(incident) => format!(
                "{name} is at {point}, {early} s before the target time {target} and {lost} s before the incident at {incident}, and {allowed} s are allowed"
            ),
        })
    }
}

impl SlicePoint {
    fn name(&self) -> String {
        format!("{}@{}", self.store, self.shard)
    }
}

/// Seconds between the oldest and the newest point.
pub fn skew_seconds(points: impl Iterator<Item = Timestamp> + Clone) -> Option<f64> {
    Some(points.clone().max()?.seconds_since(points.min()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: i64 = 1_700_000_000_000_000;

    fn at(seconds: Option<i64>) -> SlicePoint {
        SlicePoint {
            store: "issues".into(),
            shard: "s01".into(),
            point: seconds.map(|seconds| Timestamp::from_micros(T + seconds * 1_000_000)),
        }
    }

    fn moment(rpo: Option<u64>, incident: Option<i64>) -> Moment {
        Moment {
            target_time: Timestamp::from_micros(T),
            incident_time: incident.map(|s| Timestamp::from_micros(T + s * 1_000_000)),
            rpo: rpo.map(Elapsed::from_secs),
        }
    }

    #[test]
    fn every_point_is_there_not_after_t_and_not_too_old() {
        use Verdict::{Fail, Pass, Unknown};
        let check = |rpo, incident, points: &[Option<i64>], expect| {
            let slices: Vec<_> = points.iter().copied().map(at).collect();
            let (verdict, _) = moment(rpo, incident).judge(&slices);
            assert_eq!(verdict, expect, "{rpo:?} {incident:?} {points:?}");
        };
        check(Some(300), None, &[Some(0), Some(-300)], Pass);
        check(Some(300), None, &[Some(0), Some(-301)], Fail);
        check(None, None, &[Some(0), Some(-1200)], Pass);
        check(None, None, &[Some(1)], Fail);
        check(Some(300), None, &[Some(0), None], Unknown);
        check(Some(300), None, &[Some(-1200), None], Fail);
        check(None, None, &[], Unknown);
        check(Some(300), Some(60), &[Some(-240)], Pass);
        check(Some(300), Some(60), &[Some(-241)], Fail);
    }

    #[test]
    fn a_failure_names_store_shard_point_target_and_difference() {
        let slices = [at(Some(-1200)), at(None), at(Some(2))];
        let (_, evidence) = moment(Some(300), None).judge(&slices);
        assert_eq!(evidence.skew_seconds, Some(1202.0));
        assert_eq!(
            evidence.differences,
            [
                "issues@s01 is at 2023-11-14T21:53:20Z, 1200 s before the target time 2023-11-14T22:13:20Z, and 300 s are allowed",
                "nobody measured how far issues@s01 was recovered",
                "issues@s01 is at 2023-11-14T22:13:22Z, 2 s after the target time 2023-11-14T22:13:20Z",
            ]
        );
    }
}
