//! One simulated run: coordinators that come and go over one journal.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use reprise_engine::{Effect, Engine, Fold, Input, Options};
use reprise_model::{Command, Entry, Epoch, Owner, Plan, RunEnd, TaskState, Timestamp};

use crate::checks::{Books, Violation};
use crate::world::World;

/// Probabilities of what goes wrong, until the quiet phase begins.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub temporary: f64,
    pub permanent: f64,
    /// An answer is lost, or a probe cannot tell.
    pub lost: f64,
    /// An attempt never ends by itself.
    pub hang: f64,
    /// The coordinator dies before performing an effect.
    pub crash: f64,
    /// The operator does something, at each input.
    pub operator: f64,
    /// Inputs after which the faults stop.
    pub until: u64,
}

/// Simulated tasks take seconds: with the reach that is meant for commits
/// nobody would ever be on deck. Every third run goes without.
fn reach_of(seed: u64) -> Duration {
    Duration::from_secs(seed % 3 * 20)
}

/// What a run came to.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    pub journal: Vec<Entry>,
    pub end: RunEnd,
    pub crashes: u64,
    /// Virtual seconds from the first to the last event.
    pub seconds: f64,
}

/// A bound on inputs to one run: far above what convergence takes.
const INPUTS_AT_MOST: u64 = 2_000_000;

/// Runs the plan to its end, under faults first and then without.
pub fn simulate(plan: Arc<Plan>, seed: u64, faults: Faults) -> Result<Report, Violation> {
    let mut run = Run {
        books: Books::new(plan.clone()),
        world: World::new(seed, faults),
        plan,
        seed,
        journal: Vec::new(),
        now: Timestamp::from_micros(1_800_000_000_000_000),
        inputs: 0,
        crashes: 0,
        epoch: 0,
        inbox: Vec::new(),
    };
    let begun = run.now;
    loop {
        let end = run.coordinate()?;
        if end == Some(RunEnd::Finished) {
            let seconds = run.now.seconds_since(begun);
            return Ok(run.finish(seconds));
        }
    }
}

struct Run {
    plan: Arc<Plan>,
    seed: u64,
    books: Books,
    world: World,
    journal: Vec<Entry>,
    now: Timestamp,
    inputs: u64,
    crashes: u64,
    epoch: u64,
    /// What people asked for while nobody owned the run.
    inbox: Vec<Command>,
}

/// Why one coordinator is gone.
enum Gone {
    Crashed,
    Stopped(RunEnd),
}

impl Run {
    /// One coordinator from its start to its end; `None` when it crashed.
    fn coordinate(&mut self) -> Result<Option<RunEnd>, Violation> {
        let mut engine = self.engine()?;
        self.epoch += 1;
        let owner = Owner {
            epoch: Epoch(self.epoch),
            host: "sim".to_owned(),
            pid: 1,
            version: "0".to_owned(),
        };
        let mut wake = None;
        let inbox = std::mem::take(&mut self.inbox);
        let inbox = inbox.into_iter().map(|command| (0, command)).collect();
        let mut input = Input::Begin { owner, inbox };
        loop {
            self.inputs += 1;
            if self.inputs > INPUTS_AT_MOST {
                return Err(Violation::Endless(self.inputs));
            }
            if self.inputs > self.world.faults.until {
                self.world.faults = Faults::default();
            }
            let effects = engine.handle(input, self.now);
            match self.perform(effects, &mut wake)? {
                Some(Gone::Crashed) => {
                    self.crashes += 1;
                    self.world.crash();
                    self.books.forget_flights();
                    return Ok(None);
                }
                Some(Gone::Stopped(end)) => {
                    self.same_as_journal(engine.fold())?;
                    self.operator_after(end, engine.fold());
                    return Ok(Some(end));
                }
                None => {}
            }
            input = self.next_input(engine.fold(), &mut wake);
        }
    }

    fn engine(&mut self) -> Result<Engine, Violation> {
        let options = Options {
            seed: self.seed,
            wait_for_people: false,
            reach: reach_of(self.seed),
        };
        if self.journal.is_empty() {
            let (engine, created) = Engine::create(self.plan.clone(), options, self.now);
            self.journal.push(created);
            return Ok(engine);
        }
        Engine::replay(self.plan.clone(), options, &self.journal)
            .map_err(|error| Violation::Replay(error.to_string()))
    }

    fn perform(
        &mut self,
        effects: Vec<Effect>,
        wake: &mut Option<Timestamp>,
    ) -> Result<Option<Gone>, Violation> {
        for effect in effects {
            if self.world.chance(self.world.faults.crash) {
                return Ok(Some(Gone::Crashed));
            }
            match effect {
                Effect::Journal(entry) => self.write(entry)?,
                Effect::Probe { attempt, .. } => {
                    self.books.take_off(attempt, true, self.now)?;
                    self.world.probe(attempt, self.now);
                }
                Effect::Start { attempt, .. } => {
                    self.books.take_off(attempt, false, self.now)?;
                    let once = !self.books.may_repeat(attempt.task);
                    if once && self.world.applied.contains_key(&attempt.task) {
                        let task = self.plan.key(attempt.task).to_string();
                        return Err(Violation::Twice { task });
                    }
                    let expected = self.plan.step_of(attempt.task).expected.0.as_secs_f64();
                    self.world.start(attempt, expected, once, self.now);
                }
                Effect::Interrupt { attempt, .. } => self.world.interrupt(attempt, self.now),
                Effect::Wake { at } => *wake = Some(at),
                Effect::Stop(end) => return Ok(Some(Gone::Stopped(end))),
            }
        }
        Ok(None)
    }

    fn write(&mut self, entry: Entry) -> Result<(), Violation> {
        self.books.read(&entry.event)?;
        self.journal.push(entry);
        Ok(())
    }

    fn next_input(&mut self, fold: &Fold, wake: &mut Option<Timestamp>) -> Input {
        if self.world.chance(self.world.faults.operator) {
            return self.operator(fold);
        }
        let tick = match (*wake, self.world.next_at()) {
            (Some(at), Some(next)) => at <= next,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if tick {
            self.now = self.now.max(wake.take().unwrap_or(self.now));
            return Input::Tick;
        }
        self.now = self.now.max(self.world.next_at().unwrap_or(self.now));
        self.world.next().map_or(Input::Tick, |coming| coming.input)
    }

    fn operator(&mut self, fold: &Fold) -> Input {
        let by = "operator".to_owned();
        let in_state = |state| {
            let tasks = self
                .plan
                .ixs()
                .filter(move |task| fold.state(*task) == state);
            tasks.collect::<Vec<_>>()
        };
        let command = match self.world.rng.random_range(0..6) {
            0 => Command::Pause { by },
            1 => Command::Cancel { by },
            2 => Command::Continue { by },
            3 => Command::Retry {
                tasks: in_state(TaskState::Failed),
                by,
            },
            _ => match in_state(TaskState::Gated).first() {
                Some(task) => Command::Answer {
                    task: *task,
                    approved: self.world.rng.random_bool(0.9),
                    by,
                    note: None,
                },
                None => Command::Continue { by },
            },
        };
        Input::Commanded { number: 0, command }
    }

    /// What a person does when the coordinator has stopped: answers gates,
    /// lifts halts, and resumes.
    fn operator_after(&mut self, end: RunEnd, fold: &Fold) {
        let by = || "operator".to_owned();
        match end {
            RunEnd::Finished | RunEnd::Paused | RunEnd::Cancelled => {}
            RunEnd::Halted => self.inbox.push(Command::Continue { by: by() }),
            RunEnd::AtGates => {
                let gated = self
                    .plan
                    .ixs()
                    .filter(|t| fold.state(*t) == TaskState::Gated);
                self.inbox.extend(gated.map(|task| Command::Answer {
                    task,
                    approved: true,
                    by: by(),
                    note: None,
                }));
            }
        }
    }

    fn same_as_journal(&self, live: &Fold) -> Result<(), Violation> {
        let mut folded = Fold::new(self.plan.clone());
        for entry in &self.journal {
            folded
                .apply(&entry.event, entry.at)
                .map_err(|error| Violation::Replay(error.to_string()))?;
        }
        for task in self.plan.ixs() {
            if folded.state(task) != live.state(task) {
                return Err(Violation::FoldDiffers {
                    task: self.plan.key(task).to_string(),
                    folded: folded.state(task).as_str(),
                    engine: live.state(task).as_str(),
                });
            }
        }
        Ok(())
    }

    fn finish(self, seconds: f64) -> Report {
        Report {
            journal: self.journal,
            end: RunEnd::Finished,
            crashes: self.crashes,
            seconds,
        }
    }
}
