//! The simulated world: what attempts really did, whatever was heard of it.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reprise_model::{AttemptId, Fault, Outcome, TaskIx, Timestamp};
use serde_json::json;

use crate::simulation::Faults;
use reprise_engine::{Answer, Input};

/// An answer on its way to the coordinator.
pub(crate) struct Coming {
    pub attempt: AttemptId,
    pub input: Input,
    /// The work becomes real when the answer is sent.
    pub applies: bool,
}

pub(crate) struct World {
    pub rng: StdRng,
    pub faults: Faults,
    /// How often each task's work became real.
    pub applied: BTreeMap<TaskIx, u32>,
    coming: BTreeMap<(Timestamp, u64), Coming>,
    hanging: BTreeSet<AttemptId>,
    counter: u64,
}

impl World {
    pub fn new(seed: u64, faults: Faults) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            faults,
            applied: BTreeMap::new(),
            coming: BTreeMap::new(),
            hanging: BTreeSet::new(),
            counter: 0,
        }
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.rng.random_bool(probability)
    }

    pub fn start(&mut self, attempt: AttemptId, seconds: f64, marks: bool, now: Timestamp) {
        let took = seconds * self.rng.random_range(0.3..3.0);
        if self.chance(self.faults.hang) {
            self.hanging.insert(attempt);
            return;
        }
        if marks {
            let mark = json!({ "xid": attempt.number });
            self.send(
                now,
                took / 2.0,
                attempt,
                Input::Marked { attempt, mark },
                false,
            );
        }
        let failed = |fault| Input::Finished {
            attempt,
            result: Err(fault),
        };
        let done = Input::Finished {
            attempt,
            result: Ok(Outcome::default()),
        };
        let (input, applies) = if self.chance(self.faults.temporary) {
            (failed(Fault::temporary("connection lost")), false)
        } else if self.chance(self.faults.permanent) {
            (failed(Fault::permanent("no such table")), false)
        } else if self.chance(self.faults.lost) {
            let why = "no answer".to_owned();
            let applies = self.rng.random_bool(0.5);
            (Input::Lost { attempt, why }, applies)
        } else {
            (done, true)
        };
        self.send(now, took, attempt, input, applies);
    }

    pub fn probe(&mut self, attempt: AttemptId, now: Timestamp) {
        let answer = if self.chance(self.faults.lost) {
            let why = "backend still running".to_owned();
            Answer::Unknown { why }
        } else if self.applied.contains_key(&attempt.task) {
            Answer::AsItShouldBe(Outcome::default())
        } else {
            Answer::NotYet
        };
        self.send(now, 0.05, attempt, Input::Probed { attempt, answer }, false);
    }

    /// The attempt ends soon after it is asked to.
    pub fn interrupt(&mut self, attempt: AttemptId, now: Timestamp) {
        self.hanging.remove(&attempt);
        self.coming.retain(|_, coming| coming.attempt != attempt);
        let fault = Fault::new(reprise_model::FaultKind::Cancelled, "interrupted");
        let result = Err(fault);
        self.send(
            now,
            0.1,
            attempt,
            Input::Finished { attempt, result },
            false,
        );
    }

    pub fn next_at(&self) -> Option<Timestamp> {
        self.coming.keys().next().map(|(at, _)| *at)
    }

    pub fn next(&mut self) -> Option<Coming> {
        let (_, coming) = self.coming.pop_first()?;
        if coming.applies {
            *self.applied.entry(coming.attempt.task).or_default() += 1;
        }
        Some(coming)
    }

    /// The coordinator is gone: what was under way became real or not.
    pub fn crash(&mut self) {
        for coming in std::mem::take(&mut self.coming).into_values() {
            if coming.applies && self.rng.random_bool(0.5) {
                *self.applied.entry(coming.attempt.task).or_default() += 1;
            }
        }
        self.hanging.clear();
    }

    fn send(
        &mut self,
        now: Timestamp,
        seconds: f64,
        attempt: AttemptId,
        input: Input,
        applies: bool,
    ) {
        let at = Timestamp::from_micros(now.as_micros() + (seconds * 1e6) as i64);
        self.counter += 1;
        let coming = Coming {
            attempt,
            input,
            applies,
        };
        self.coming.insert((at, self.counter), coming);
    }
}
