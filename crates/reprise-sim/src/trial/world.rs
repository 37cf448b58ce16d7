//! The simulated world: what attempts really did, whatever was heard of it.
//!
//! What may not be repeated follows the protocol of the connectors: the work
//! is prepared, a mark is made durable through the journal, and only then is
//! it committed. So an attempt without a durable mark can have no effect, and
//! of one with a mark the server can tell what became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use reprise_engine::{Answer, Input};
use reprise_model::{AttemptId, Elapsed, Fault, FaultKind, Outcome, Plan, TaskIx, Timestamp};
use serde_json::{Value, json};

use super::coverage::{Coverage, Mishap};
use super::faults::Faults;
use super::timeline::{CoordinatorId, Happening, Timeline};
use crate::checks::{Slots, Violation};

/// How long an interrupted attempt may take: the runner's patience.
pub(crate) const GRACE: Duration = Duration::from_secs(15);

/// Time-outs are counted from the entry and acted on when the journal allows:
/// a slow write may lie before either.
pub(crate) const SLACK: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Working,
    /// Waits until its mark is durable.
    Prepared,
    Committing,
    /// Its coordinator is gone, and the server has not decided yet.
    InDoubt,
    Committed,
    Over,
}

struct Attempt {
    owner: CoordinatorId,
    /// The newest mark, for a probe.
    asks: Option<Option<Value>>,
    phase: Phase,
    turn: u32,
    since: Timestamp,
    interrupted: Option<Timestamp>,
    stubborn: bool,
}

/// Everything by which a run is not its plan: shared by all its parts.
pub(crate) struct World {
    pub plan: Arc<Plan>,
    pub rng: StdRng,
    pub faults: Faults,
    pub timeline: Timeline,
    pub coverage: Coverage,
    pub slots: Slots,
    /// How often each task's work became real.
    pub applied: BTreeMap<TaskIx, u32>,
    attempts: BTreeMap<AttemptId, Attempt>,
    /// Coordinators that cannot act at present, or no longer.
    pub unattended: BTreeSet<CoordinatorId>,
    /// A promise that was broken on the way.
    pub broken: Option<Violation>,
}

impl World {
    pub fn new(plan: Arc<Plan>, rng: StdRng, faults: Faults, now: Timestamp) -> Self {
        Self {
            slots: Slots::new(&plan),
            plan,
            rng,
            faults,
            timeline: Timeline::new(now),
            coverage: Coverage::default(),
            applied: BTreeMap::new(),
            attempts: BTreeMap::new(),
            unattended: BTreeSet::new(),
            broken: None,
        }
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.rng.random_bool(probability.min(1.0))
    }

    /// With that probability it happens, and is counted.
    pub fn mishap(&mut self, probability: f64, mishap: Mishap) -> bool {
        let happens = self.chance(probability);
        if happens {
            self.coverage.count(mishap);
        }
        happens
    }

    pub fn draw(&mut self, seconds: std::ops::Range<f64>) -> Duration {
        Duration::from_secs_f64(self.rng.random_range(seconds))
    }

    pub fn start(&mut self, attempt: AttemptId, owner: CoordinatorId) -> Result<(), Violation> {
        let others = self.attempts.range(of_task(attempt.task));
        let busy = |a: &Attempt| a.asks.is_none() && a.phase == Phase::Working;
        if others.into_iter().any(|(_, a)| a.owner != owner && busy(a)) {
            self.coverage.count(Mishap::Overlap);
        }
        let expected = self.plan.expected(attempt.task).as_secs_f64();
        let mut took = expected * self.rng.random_range(0.3..2.0);
        if self.mishap(self.faults.slow, Mishap::Slow) {
            took *= self.rng.random_range(10.0..100.0);
        }
        let hangs = self.mishap(self.faults.hang, Mishap::Hang);
        self.take_off(attempt, owner, None)?;
        if !hangs {
            self.step(attempt, Duration::from_secs_f64(took));
        }
        Ok(())
    }

    pub fn probe(
        &mut self,
        attempt: AttemptId,
        mark: Option<Value>,
        owner: CoordinatorId,
    ) -> Result<(), Violation> {
        let hangs = self.mishap(self.faults.hang, Mishap::Hang);
        self.take_off(attempt, owner, Some(mark))?;
        if !hangs {
            let took = self.draw(0.01..0.2);
            self.step(attempt, took);
        }
        Ok(())
    }

    fn take_off(
        &mut self,
        attempt: AttemptId,
        owner: CoordinatorId,
        asks: Option<Option<Value>>,
    ) -> Result<(), Violation> {
        let stubborn = self.chance(self.faults.stubborn);
        let taken = Attempt {
            owner,
            asks,
            phase: Phase::Working,
            turn: 0,
            since: self.timeline.now,
            interrupted: None,
            stubborn,
        };
        self.attempts.insert(attempt, taken);
        self.slots.take(&self.plan, owner, attempt.task)
    }

    /// Another step of the attempt comes after that time, and none before.
    fn step(&mut self, attempt: AttemptId, wait: Duration) {
        let found = self.attempts.get_mut(&attempt).expect("it took off");
        found.turn += 1;
        let turn = found.turn;
        self.timeline.after(wait, Happening::Step { attempt, turn });
    }

    pub fn stepped(&mut self, attempt: AttemptId, turn: u32) -> Result<(), Violation> {
        let found = &self.attempts[&attempt];
        if found.turn != turn {
            return Ok(());
        }
        let cut = found.interrupted.is_some();
        match (found.phase, &found.asks) {
            (Phase::Working | Phase::Prepared, _) if cut => {
                self.answer(attempt, Err(cancelled()));
            }
            (Phase::Working, None) => self.work_done(attempt),
            (Phase::Working, Some(mark)) => {
                let mark = mark.clone();
                self.look(attempt, mark.as_ref());
            }
            (Phase::Committing, _) => self.commit(attempt)?,
            (Phase::Prepared | Phase::InDoubt | Phase::Committed | Phase::Over, _) => {}
        }
        Ok(())
    }

    fn work_done(&mut self, attempt: AttemptId) {
        if let Some(fault) = self.failure() {
            return self.answer(attempt, Err(fault));
        }
        if !self.plan.step_of(attempt.task).action.may_repeat() {
            self.set_phase(attempt, Phase::Prepared);
            let mark = json!({ "attempt": attempt.number });
            return self.tell(attempt, Input::Marked { attempt, mark });
        }
        if self.mishap(self.faults.lost, Mishap::LostAnswer) {
            if self.rng.random_bool(0.5) {
                self.apply(attempt);
            }
            return self.lose(attempt);
        }
        self.apply(attempt);
        self.answer(attempt, Ok(Outcome::default()));
    }

    fn failure(&mut self) -> Option<Fault> {
        let faults = self.faults;
        let kinds = [
            (faults.temporary, FaultKind::Temporary, Mishap::Temporary),
            (faults.permanent, FaultKind::Permanent, Mishap::Permanent),
            (faults.refused, FaultKind::Refused, Mishap::Refused),
            (faults.validation, FaultKind::Validation, Mishap::Validation),
            (faults.timed_out, FaultKind::TimedOut, Mishap::OwnTimeOut),
            (faults.cancelled, FaultKind::Cancelled, Mishap::Unasked),
        ];
        for (rate, kind, mishap) in kinds {
            if self.mishap(rate, mishap) {
                let mut fault = Fault::new(kind, mishap.as_str());
                if kind == FaultKind::Temporary && self.mishap(0.2, Mishap::RetryAfter) {
                    fault.retry_after = Some(Elapsed::from_secs(self.rng.random_range(1..120)));
                }
                return Some(fault);
            }
        }
        None
    }

    /// The mark is durable: the commit is sent.
    pub fn granted(&mut self, attempt: AttemptId) {
        if self.attempts[&attempt].phase == Phase::Prepared {
            self.set_phase(attempt, Phase::Committing);
            let took = self.draw(0.005..0.5);
            self.step(attempt, took);
        }
    }

    fn commit(&mut self, attempt: AttemptId) -> Result<(), Violation> {
        if self.mishap(self.faults.lost, Mishap::Aborted) {
            self.answer(attempt, Err(Fault::temporary("deadlock found")));
            return Ok(());
        }
        self.set_phase(attempt, Phase::Committed);
        self.applied_once(attempt)?;
        if !self.mishap(self.faults.lost, Mishap::LostCommit) {
            self.answer(attempt, Ok(Outcome::default()));
        } else if self.rng.random_bool(0.5) {
            self.lose(attempt);
        } else {
            self.answer(attempt, Err(Fault::temporary("connection lost")));
        }
        Ok(())
    }

    pub fn settled(&mut self, attempt: AttemptId) -> Result<(), Violation> {
        if self.rng.random_bool(0.5) {
            self.set_phase(attempt, Phase::Over);
            return Ok(());
        }
        self.set_phase(attempt, Phase::Committed);
        self.applied_once(attempt)
    }

    fn applied_once(&mut self, attempt: AttemptId) -> Result<(), Violation> {
        self.apply(attempt);
        let times = self.applied[&attempt.task];
        if times > 1 {
            let task = self.plan.key(attempt.task).to_string();
            return Err(Violation::DoneTwice { task, times });
        }
        Ok(())
    }

    /// A probe looks at what is there.
    fn look(&mut self, attempt: AttemptId, mark: Option<&Value>) {
        let lost = self.faults.lost;
        let unknown = |why: &str| Answer::Unknown {
            why: why.to_owned(),
        };
        let answer = if self.mishap(lost / 2.0, Mishap::FailedProbe) {
            Answer::Failed(Fault::temporary("connection lost"))
        } else if self.mishap(lost, Mishap::UnknownProbe) {
            unknown("the server is starting up")
        } else if self.plan.step_of(attempt.task).action.may_repeat() {
            match self.applied.contains_key(&attempt.task) && self.rng.random_bool(0.7) {
                true => Answer::AsItShouldBe(Outcome::default()),
                false => Answer::NotYet,
            }
        } else {
            match self.phase_of_marked(attempt.task, mark) {
                Some(Phase::Committed) => Answer::AsItShouldBe(Outcome::default()),
                Some(Phase::InDoubt | Phase::Committing) => unknown("still running"),
                // What was marked and did not commit will not commit.
                Some(Phase::Prepared | Phase::Working) => unknown("still running"),
                Some(Phase::Over) | None => Answer::NotYet,
            }
        };
        self.land(attempt);
        self.tell(attempt, Input::Probed { attempt, answer });
    }

    fn phase_of_marked(&self, task: TaskIx, mark: Option<&Value>) -> Option<Phase> {
        let number = mark?.get("attempt")?.as_u64()?;
        let number = u32::try_from(number).ok()?;
        let marked = self.attempts.get(&AttemptId { task, number })?;
        Some(marked.phase)
    }

    /// The attempt is asked to end. Returns how long it has been under way.
    pub fn interrupt(&mut self, attempt: AttemptId) -> Option<f64> {
        let now = self.timeline.now;
        let found = self.attempts.get_mut(&attempt)?;
        if !matches!(
            found.phase,
            Phase::Working | Phase::Prepared | Phase::Committing
        ) {
            return None;
        }
        let seconds = now.seconds_since(found.since);
        let asked = found.interrupted.replace(now).is_some();
        if asked || found.phase == Phase::Committing {
            return Some(seconds);
        }
        let stubborn = found.stubborn;
        let wait = match stubborn {
            true => GRACE,
            false => self.draw(0.01..0.5),
        };
        if stubborn {
            self.coverage.count(Mishap::Stubborn);
        }
        self.step(attempt, wait);
        Some(seconds)
    }

    pub fn is_under_way(&self, owner: CoordinatorId) -> Option<AttemptId> {
        let busy = |attempt: &Attempt| {
            attempt.owner == owner
                && matches!(
                    attempt.phase,
                    Phase::Working | Phase::Prepared | Phase::Committing
                )
        };
        let found = self.attempts.iter().find(|(_, attempt)| busy(attempt));
        found.map(|(id, _)| *id)
    }

    /// The coordinator is gone: what it had under way is not, or nobody knows.
    pub fn cut_off(&mut self, owner: CoordinatorId) {
        self.slots.forget(owner);
        let theirs: Vec<_> = self
            .attempts
            .iter()
            .filter(|(_, attempt)| attempt.owner == owner)
            .map(|(id, attempt)| (*id, attempt.phase, attempt.asks.is_some()))
            .collect();
        for (attempt, phase, probing) in theirs {
            match phase {
                Phase::Working | Phase::Prepared => {
                    // A program that was started may go on to its end.
                    let repeats = self.plan.step_of(attempt.task).action.may_repeat();
                    if repeats && !probing && self.rng.random_bool(0.5) {
                        self.apply(attempt);
                    }
                    self.set_phase(attempt, Phase::Over);
                }
                Phase::Committing => {
                    self.coverage.count(Mishap::InDoubt);
                    self.set_phase(attempt, Phase::InDoubt);
                    let long = self.chance(self.faults.lost);
                    let wait = self.draw(0.0..if long { 60.0 } else { 0.5 });
                    self.timeline.after(wait, Happening::Settle { attempt });
                }
                Phase::InDoubt | Phase::Committed | Phase::Over => {}
            }
        }
    }

    fn set_phase(&mut self, attempt: AttemptId, phase: Phase) {
        let found = self.attempts.get_mut(&attempt).expect("it took off");
        found.phase = phase;
        found.turn += 1;
    }

    fn apply(&mut self, attempt: AttemptId) {
        *self.applied.entry(attempt.task).or_default() += 1;
    }

    fn land(&mut self, attempt: AttemptId) {
        let found = self.attempts.get_mut(&attempt).expect("it took off");
        found.turn += 1;
        if found.phase != Phase::Committed {
            found.phase = Phase::Over;
        }
        let (owner, since, asked) = (found.owner, found.since, found.interrupted);
        self.slots.give_back(&self.plan, owner, attempt.task);
        let seconds = self.timeline.now.seconds_since(since);
        let limit = self.plan.step_of(attempt.task).timeout;
        let over = limit.is_some_and(|limit| seconds > (limit.0 + SLACK).as_secs_f64());
        if over && asked.is_none() && !self.unattended.contains(&owner) {
            let task = self.plan.key(attempt.task).to_string();
            self.broken = Some(Violation::Overdue { task, seconds });
        }
    }

    fn answer(&mut self, attempt: AttemptId, result: Result<Outcome, Fault>) {
        self.land(attempt);
        self.tell(attempt, Input::Finished { attempt, result });
    }

    fn lose(&mut self, attempt: AttemptId) {
        self.land(attempt);
        let why = "no answer".to_owned();
        self.tell(attempt, Input::Lost { attempt, why });
    }

    fn tell(&mut self, attempt: AttemptId, input: Input) {
        let by = self.attempts[&attempt].owner;
        let mark = matches!(input, Input::Marked { .. });
        if !mark && self.mishap(self.faults.duplicate, Mishap::Duplicate) {
            let wait = self.draw(0.0..30.0);
            let input = input.clone();
            self.timeline.after(wait, Happening::Heard { by, input });
        }
        self.timeline
            .after(Duration::ZERO, Happening::Heard { by, input });
    }
}

fn of_task(task: TaskIx) -> std::ops::RangeInclusive<AttemptId> {
    let number = |number| AttemptId { task, number };
    number(0)..=number(u32::MAX)
}

fn cancelled() -> Fault {
    Fault::new(FaultKind::Cancelled, "interrupted")
}
