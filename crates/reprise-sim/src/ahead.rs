//! A run's time left: the engine run ahead from where the run stands.
//!
//! [`Ahead`] follows the journal, and learns from the tasks that end how much
//! longer or shorter than expected the tasks of their step take. A
//! [`Prospect`] is how the run stands at one moment; it can be rehearsed any
//! number of times, away from whoever feeds the journal. The coordinator is
//! assumed to stay: attempts under way go on. People answer gates at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reprise_engine::{Engine, Options, Replay};
use reprise_model::{Action, AttemptEnd, Entry, Event, Plan, PlannedStep, TaskIx, Timestamp};

use crate::forecast::{Chance, duration};
use crate::rehearsal::{Durations, run_ahead};

/// Tasks of a step that weigh as much as what was expected of it: little where
/// that was a guess.
const WEIGHT: f64 = 3.0;
const WEIGHT_OF_A_GUESS: f64 = 0.5;

/// By which single tasks differ, as the logarithm's standard deviation, and by
/// which a whole step may be off before one of its tasks has ended.
const SPREAD: f64 = 0.3;
const DOUBT: f64 = 0.3;
const DOUBT_OF_A_GUESS: f64 = 0.7;

/// An attempt that is past its time is thought to want this much more.
const OVERDUE: f64 = 0.2;

/// Progress below this tells nothing yet.
const LEAST_PROGRESS: f64 = 0.05;

/// Follows a run's journal from its first entry.
pub struct Ahead {
    plan: Arc<Plan>,
    /// Gone when the journal could not be followed.
    replay: Option<Replay>,
    /// Since when attempts are under way.
    since: BTreeMap<TaskIx, Timestamp>,
    steps: Vec<StepPace>,
}

/// What the finished tasks of a step took, beside what was expected of them.
#[derive(Clone, Copy, Default)]
struct StepPace {
    /// Nobody said what they take.
    guess: bool,
    /// They wait for people, and take no time here.
    gate: bool,
    expected: f64,
    took: f64,
    tasks: u32,
}

impl Ahead {
    /// `guess` says of which steps nobody knows what their tasks take.
    pub fn new(plan: Arc<Plan>, guess: impl Fn(&PlannedStep) -> bool) -> Self {
        let steps = plan.steps.iter().map(|step| StepPace {
            guess: guess(step),
            gate: step.action == Action::Gate,
            ..StepPace::default()
        });
        Self {
            steps: steps.collect(),
            replay: Some(Replay::begin(plan.clone(), Options::default())),
            since: BTreeMap::new(),
            plan,
        }
    }

    /// Takes the next entry.
    pub fn feed(&mut self, entry: &Entry) {
        let Some(replay) = &mut self.replay else {
            return;
        };
        match &entry.event {
            Event::Started { attempt } => {
                self.since.insert(attempt.task, entry.at);
            }
            Event::Ended { attempt, end, .. } => {
                let since = self.since.remove(&attempt.task);
                let done = since.filter(|_| matches!(end, AttemptEnd::Done(_)));
                if let (Some(since), Some(task)) = (done, self.plan.tasks.get(attempt.task.get())) {
                    let step = &mut self.steps[task.step as usize];
                    step.expected += self.plan.expected(attempt.task).as_secs_f64();
                    step.took += entry.at.seconds_since(since).max(0.0);
                    step.tasks += 1;
                }
            }
            Event::Created { .. }
            | Event::Owned(_)
            | Event::WaveOpened { .. }
            | Event::Probing { .. }
            | Event::Marked { .. }
            | Event::Skipped { .. }
            | Event::GateOpened { .. }
            | Event::Halted(_)
            | Event::Commanded { .. }
            | Event::Replanned { .. }
            | Event::Stopped(_) => {}
        }
        if replay.feed(entry).is_err() {
            self.replay = None;
        }
    }

    /// How the run stands. Absent when its journal could not be followed, or
    /// while there is nothing to go by but guesses.
    pub fn prospect(&self) -> Option<Prospect> {
        let knows = |step: &StepPace| !step.gate && (step.tasks > 0 || !step.guess);
        if !self.steps.iter().any(knows) {
            return None;
        }
        Some(Prospect {
            engine: self.replay.clone()?.finish().ok()?,
            steps: self.steps.clone(),
        })
    }
}

/// How a run stands at one moment, and how fast it has been.
pub struct Prospect {
    engine: Engine,
    steps: Vec<StepPace>,
}

impl Prospect {
    /// Seconds until the run's last task ends, in one of many worlds.
    /// `progress` tells how far attempts are, from 0 to 1.
    pub fn seconds_left(
        &self,
        now: Timestamp,
        progress: &BTreeMap<TaskIx, f64>,
        seed: u64,
        number: u32,
    ) -> f64 {
        let plan = self.engine.fold().plan().clone();
        let mut chance = Chance::new(seed, number);
        let factors = self.steps.iter().map(|step| step.factor(&mut chance));
        let world = World {
            factors: factors.collect(),
            progress,
            chance,
            plan,
        };
        run_ahead(self.engine.clone(), now, world).makespan()
    }

    /// Whether some task that remains rests on a guess.
    pub fn is_rough(&self) -> bool {
        let fold = self.engine.fold();
        let plan = fold.plan();
        let guessed = |task: &TaskIx| {
            let step = &self.steps[plan.tasks[task.get()].step as usize];
            !step.gate && step.guess && step.tasks == 0
        };
        plan.ixs()
            .any(|task| !fold.state(task).is_terminal() && guessed(&task))
    }
}

impl StepPace {
    /// How much longer than expected the tasks of the step take: what the
    /// finished ones took, with some weight left for the expectation, and off
    /// by as much as so few can be.
    fn factor(&self, chance: &mut Chance) -> f64 {
        let (weight, doubt) = match self.guess {
            true => (WEIGHT_OF_A_GUESS, DOUBT_OF_A_GUESS),
            false => (WEIGHT, DOUBT),
        };
        let prior = match self.tasks {
            0 => 1.0,
            tasks => weight * self.expected / f64::from(tasks),
        };
        let mean = match prior + self.expected > 0.0 {
            true => (prior + self.took) / (prior + self.expected),
            false => 1.0,
        };
        let doubt = doubt / (1.0 + f64::from(self.tasks) / weight).sqrt();
        mean * (doubt * chance.normal()).exp()
    }
}

struct World<'a> {
    plan: Arc<Plan>,
    factors: Vec<f64>,
    progress: &'a BTreeMap<TaskIx, f64>,
    chance: Chance,
}

impl World<'_> {
    /// With the mean that was said, since E exp(X) = exp(sigma^2 / 2).
    fn noise(&mut self) -> f64 {
        (SPREAD * self.chance.normal() - SPREAD * SPREAD / 2.0).exp()
    }
}

impl Durations for World<'_> {
    fn whole(&mut self, task: TaskIx) -> Duration {
        let step = self.plan.tasks[task.get()].step as usize;
        let expected = self.plan.expected(task).as_secs_f64();
        duration(expected * self.factors[step] * self.noise())
    }

    fn left(&mut self, task: TaskIx, passed: Duration) -> Duration {
        match self.progress.get(&task) {
            Some(done) if *done > LEAST_PROGRESS => {
                let done = done.min(1.0);
                let rest = passed.as_secs_f64() * (1.0 - done) / done;
                duration(rest * self.noise())
            }
            Some(_) | None => {
                let left = self.whole(task).saturating_sub(passed);
                match left.is_zero() {
                    true => passed.mul_f64(OVERDUE),
                    false => left,
                }
            }
        }
    }
}
