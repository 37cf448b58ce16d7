//! An estimate of the time left, as it is shown.
//!
//! It is made elsewhere, by the engine run ahead from where the run stands,
//! and handed to the fold as a value; between two of them the clock runs it
//! down. The time that people take at gates is not in it.

use reprise_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fold::Fold;
use crate::format;

#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Estimate {
    pub seconds_left: f64,
    /// Some task that remains rests on a guess: nobody said what it takes, and
    /// none of its step has ended yet.
    pub rough: bool,
    /// Nine of ten rehearsals of the rest took between these; absent where the
    /// plan is too large for several.
    #[serde(default)]
    pub from_seconds: Option<f64>,
    #[serde(default)]
    pub to_seconds: Option<f64>,
    /// When it was made.
    #[serde(default)]
    pub as_of: Option<Timestamp>,
}

impl Estimate {
    /// The fold's newest, as of `now`; absent before there is anything to go by.
    pub fn of(fold: &Fold, now: Timestamp) -> Option<Self> {
        let made = fold.estimate()?;
        let passed = made.as_of.map_or(0.0, |at| now.seconds_since(at).max(0.0));
        let less = |seconds: f64| (seconds - passed).max(0.0);
        Some(Self {
            seconds_left: less(made.seconds_left),
            from_seconds: made.from_seconds.map(less),
            to_seconds: made.to_seconds.map(less),
            ..made
        })
    }

    /// `about 3m 10s left (2m 50s to 3m 40s)`.
    pub fn text(estimate: Option<Self>) -> String {
        let Some(estimate) = estimate else {
            return "time left not known yet".to_owned();
        };
        let how = if estimate.rough { "roughly" } else { "about" };
        let whole = |seconds: f64| format::seconds(seconds.ceil());
        let left = format!("{how} {} left", whole(estimate.seconds_left));
        match (estimate.from_seconds, estimate.to_seconds) {
            (Some(from), Some(to)) if whole(from) != whole(to) => {
                format!("{left} ({} to {})", whole(from), whole(to))
            }
            (Some(_) | None, _) => left,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Story, at, plan};

    #[test]
    fn the_clock_runs_an_estimate_down() {
        let mut fold = Story::begin().fold(plan(2));
        assert_eq!(Estimate::of(&fold, at(100)), None);
        let made = Estimate {
            seconds_left: 90.0,
            rough: false,
            from_seconds: Some(80.0),
            to_seconds: Some(130.0),
            as_of: Some(at(100)),
        };
        fold.set_estimate(Some(made));
        let text = |seconds| Estimate::text(Estimate::of(&fold, at(seconds)));
        assert_eq!(text(100), "about 1m 30s left (1m 20s to 2m 10s)");
        assert_eq!(text(110), "about 1m 20s left (1m 10s to 2m 00s)");
        // A clock that goes back adds nothing.
        assert_eq!(text(90), text(100));
        assert_eq!(text(1000), "about 0s left");
        assert_eq!(Estimate::text(None), "time left not known yet");
        let rough = Estimate {
            rough: true,
            to_seconds: None,
            ..made
        };
        assert_eq!(Estimate::text(Some(rough)), "roughly 1m 30s left");
    }
}
