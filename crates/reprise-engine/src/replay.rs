//! A run's beginning, and its being taken up again from its journal.

use std::sync::Arc;

use reprise_model::{Digest, Entry, Event, Plan, Plans, Seq, Timestamp};

use crate::engine::{Engine, Options};
use crate::fold::{Fold, FoldError};
use crate::slots::Slots;

/// A run being read back, an entry at a time, so that its journal never has
/// to be in memory as a whole. A clone can be finished while the reading goes
/// on: the run as it stands there.
#[derive(Clone)]
pub struct Replay {
    engine: Engine,
}

impl Replay {
    /// `plans`: the one that the run was created with, and any put in force
    /// later.
    pub fn begin(plans: impl Into<Plans>, options: Options) -> Self {
        Self {
            engine: Engine::with_fold(Fold::new(plans), options),
        }
    }

    /// Takes the next entry. After an error the replay is of no more use.
    pub fn feed(&mut self, entry: &Entry) -> Result<(), ReplayError> {
        let engine = &mut self.engine;
        if entry.seq != engine.next {
            return Err(ReplayError::Gap {
                expected: engine.next,
                found: entry.seq,
            });
        }
        if engine.next == Seq(0) {
            begins(&entry.event, engine.fold().plan().hash)?;
        }
        engine
            .fold
            .apply(&entry.event, entry.at)
            .map_err(|source| ReplayError::Illegal {
                seq: entry.seq,
                source,
            })?;
        engine.next = Seq(engine.next.0 + 1);
        Ok(())
    }

    /// The plan in force after what has been fed.
    pub fn plan(&self) -> &Arc<Plan> {
        self.engine.fold().plan()
    }

    /// Whether no entry has been fed yet.
    pub fn is_empty(&self) -> bool {
        self.engine.next == Seq(0)
    }

    /// The run as far as its journal told it.
    pub fn finish(self) -> Result<Engine, ReplayError> {
        if self.is_empty() {
            return Err(ReplayError::NoBeginning);
        }
        let mut engine = self.engine;
        // Of the plan in force now, which may not be the first.
        engine.slots = Slots::of_flights(
            &engine.fold.topology,
            engine.options.reach,
            &engine.fold.flights,
        );
        Ok(engine)
    }

    /// A run of which nothing is in the journal yet: the engine and the first
    /// entry.
    ///
    /// # Panics
    ///
    /// When an entry has been fed.
    pub fn create(mut self, now: Timestamp) -> (Engine, Entry) {
        assert!(self.is_empty(), "a run is created once");
        let plan = self.engine.fold().plan().hash;
        let entry = self.engine.entry(Event::Created { plan }, now);
        (self.engine, entry)
    }
}

fn begins(event: &Event, expected: Digest) -> Result<(), ReplayError> {
    let Event::Created { plan } = event else {
        return Err(ReplayError::NoBeginning);
    };
    if *plan != expected {
        return Err(ReplayError::OtherPlan {
            journal: *plan,
            given: expected,
        });
    }
    Ok(())
}

impl Engine {
    /// A new run. Returns the engine and the journal's first entry.
    pub fn create(plan: Arc<Plan>, options: Options, now: Timestamp) -> (Self, Entry) {
        Replay::begin(plan, options).create(now)
    }

    /// A run as its journal tells it. The entries must be those of this plan,
    /// from the first on, without gaps.
    pub fn replay(
        plans: impl Into<Plans>,
        options: Options,
        entries: &[Entry],
    ) -> Result<Self, ReplayError> {
        let mut replay = Replay::begin(plans, options);
        for entry in entries {
            replay.feed(entry)?;
        }
        replay.finish()
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
