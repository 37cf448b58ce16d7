//! A run's beginning, and its being taken up again from its journal.

use std::sync::Arc;

use reprise_model::{Digest, Entry, Event, Plan, Seq, Timestamp};

use crate::engine::{Engine, Options};
use crate::fold::{Fold, FoldError};

impl Engine {
    /// A new run. Returns the engine and the journal's first entry.
    pub fn create(plan: Arc<Plan>, options: Options, now: Timestamp) -> (Self, Entry) {
        let created = Event::Created { plan: plan.hash };
        let mut engine = Self::with_fold(Fold::new(plan), options);
        let entry = engine.entry(created, now);
        (engine, entry)
    }

    /// A run as its journal tells it. The entries must be those of this plan,
    /// from the first on, without gaps.
    pub fn replay(
        plan: Arc<Plan>,
        options: Options,
        entries: &[Entry],
    ) -> Result<Self, ReplayError> {
        let expected = plan.hash;
        let mut engine = Self::with_fold(Fold::new(plan), options);
        match entries.first().map(|first| &first.event) {
            Some(Event::Created { plan }) if *plan == expected => {}
            Some(Event::Created { plan }) => {
                return Err(ReplayError::OtherPlan {
                    journal: *plan,
                    given: expected,
                });
            }
            Some(_) | None => return Err(ReplayError::NoBeginning),
        }
        for entry in entries {
            if entry.seq != engine.next {
                return Err(ReplayError::Gap {
                    expected: engine.next,
                    found: entry.seq,
                });
            }
            engine
                .fold
                .apply(&entry.event, entry.at)
                .map_err(|source| ReplayError::Illegal {
                    seq: entry.seq,
                    source,
                })?;
            engine.next = Seq(engine.next.0 + 1);
        }
        Ok(engine)
    }
}

/// Why a journal does not tell a run of this plan.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum ReplayError {
    #[error("the journal does not begin with the creation of a run")]
    NoBeginning,
    #[error("the journal belongs to plan {}, not to plan {}", journal.short(), given.short())]
    OtherPlan { journal: Digest, given: Digest },
    #[error("entry {} is missing: entry {} comes next", expected.0, found.0)]
    Gap { expected: Seq, found: Seq },
    #[error("entry {} cannot be: {source}", seq.0)]
    Illegal { seq: Seq, source: FoldError },
}
