//! Virtual time: what will happen, in order.

use std::collections::BTreeMap;
use std::time::Duration;

use reprise_engine::Input;
use reprise_model::{AttemptId, Timestamp};

/// Counts the coordinators of a run, as their epochs do.
pub(crate) type CoordinatorId = u64;

pub(crate) enum Happening {
    /// An attempt comes to its next step; stale if it had another turn since.
    Step {
        attempt: AttemptId,
        turn: u32,
    },
    /// The server settles a commit that nobody waits for any more.
    Settle {
        attempt: AttemptId,
    },
    Heard {
        by: CoordinatorId,
        input: Input,
    },
    /// The page that is being written lands, or fails.
    Landing {
        of: CoordinatorId,
    },
    /// In the coordinator's own time.
    Alarm {
        of: CoordinatorId,
        at: Timestamp,
    },
    /// The coordinator looks into its inbox.
    Inbox {
        of: CoordinatorId,
    },
    /// A person looks at the run.
    Operator,
    /// Somebody starts a coordinator, if none owns the run.
    Resume,
}

pub(crate) struct Timeline {
    pub now: Timestamp,
    coming: BTreeMap<(Timestamp, u64), Happening>,
    counter: u64,
}

impl Timeline {
    pub fn new(now: Timestamp) -> Self {
        Self {
            now,
            coming: BTreeMap::new(),
            counter: 0,
        }
    }

    pub fn after(&mut self, wait: Duration, happening: Happening) {
        self.at(self.now.saturating_add(wait), happening);
    }

    pub fn at(&mut self, at: Timestamp, happening: Happening) {
        self.counter += 1;
        self.coming
            .insert((at.max(self.now), self.counter), happening);
    }

    /// Moves time on to what comes next.
    pub fn pop(&mut self) -> Option<Happening> {
        let ((at, _), happening) = self.coming.pop_first()?;
        self.now = at;
        Some(happening)
    }
}
