//! A run whose world is a fuzzer: every answer, loss, command and crash is a
//! choice. What the engine journals must be read back and replayed to the
//! same states.

use std::sync::Arc;
use std::time::Duration;

use reprise_engine::{Answer, Effect, Engine, Input, Options};
use reprise_model::{
    AttemptId, Command, Elapsed, Entry, Epoch, Fault, FaultKind, Outcome, Owner, Plan, TaskIx,
    Timestamp,
};

use crate::choices::Choices;

/// Inputs to one run; a plan of the sample's size needs fewer.
const INPUTS: usize = 300;

const KINDS: [FaultKind; 6] = [
    FaultKind::Temporary,
    FaultKind::Permanent,
    FaultKind::Refused,
    FaultKind::Validation,
    FaultKind::TimedOut,
    FaultKind::Cancelled,
];

/// Runs the plan by the choices; returns the journal.
pub fn run(plan: &Arc<Plan>, choices: &mut Choices<'_>) -> Vec<Entry> {
    let mut run = Run::begin(plan.clone(), choices);
    for _ in 0..INPUTS {
        if run.stopped {
            break;
        }
        match choices.byte() % 32 {
            31 => run.crash(),
            30 => run.now = run.now.saturating_add(Duration::from_secs(86_400 * 400)),
            _ => run.step(choices),
        }
    }
    run.crash();
    run.entries
}

/// Takes up a run from any entries, or learns why it cannot be; what was
/// taken up goes on without a panic.
pub fn resume(
    plan: &Arc<Plan>,
    entries: &[Entry],
    choices: &mut Choices<'_>,
) -> Result<(), String> {
    let engine = Engine::replay(plan.clone(), options(), entries);
    let mut run = Run {
        engine: engine.map_err(|error| error.to_string())?,
        now: entries.last().map_or(Timestamp::default(), |last| last.at),
        plan: plan.clone(),
        entries: entries.to_vec(),
        flights: Vec::new(),
        epoch: 9,
        stopped: false,
    };
    run.own(Vec::new());
    for _ in 0..INPUTS {
        if run.stopped {
            break;
        }
        run.step(choices);
    }
    Ok(())
}

struct Run {
    plan: Arc<Plan>,
    engine: Engine,
    entries: Vec<Entry>,
    flights: Vec<(AttemptId, bool)>,
    now: Timestamp,
    epoch: u64,
    stopped: bool,
}

fn options() -> Options {
    Options {
        seed: 7,
        wait_for_people: true,
        ..Options::default()
    }
}

impl Run {
    fn begin(plan: Arc<Plan>, choices: &mut Choices<'_>) -> Self {
        let now = Timestamp::from_micros(1_700_000_100_000_000);
        let (engine, created) = Engine::create(plan.clone(), options(), now);
        let mut run = Self {
            plan,
            engine,
            entries: vec![created],
            flights: Vec::new(),
            now,
            epoch: 0,
            stopped: false,
        };
        let inbox = match choices.yes() {
            true => vec![(1, command(&run.plan, choices))],
            false => Vec::new(),
        };
        run.own(inbox);
        run
    }

    fn own(&mut self, inbox: Vec<(u64, Command)>) {
        self.epoch += 1;
        let owner = Owner {
            epoch: Epoch(self.epoch),
            host: "host".to_owned(),
            pid: 1,
            version: "0".to_owned(),
        };
        self.tell(Input::Begin { owner, inbox });
    }

    /// The coordinator dies; the next one has the journal, as it is stored.
    fn crash(&mut self) {
        let stored = serde_json::to_vec(&self.entries).expect("entries are plain data");
        let read: Vec<Entry> = serde_json::from_slice(&stored)
            .unwrap_or_else(|error| panic!("the journal cannot be read back: {error}"));
        assert_eq!(read, self.entries, "the journal is read back differently");
        let taken_up = Engine::replay(self.plan.clone(), options(), &read)
            .unwrap_or_else(|error| panic!("the journal cannot be replayed: {error}"));
        let states = |engine: &Engine| -> Vec<_> {
            let tasks = self.plan.ixs();
            tasks.map(|task| engine.fold().state(task)).collect()
        };
        assert_eq!(states(&taken_up), states(&self.engine), "other states");
        self.engine = taken_up;
        self.flights.clear();
        if !self.stopped {
            self.own(Vec::new());
        }
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        self.now = self.now.saturating_add(Duration::from_millis(10));
        let what = choices.byte();
        let input = match (what % 16, self.flights.is_empty()) {
            (15, _) => Input::Commanded {
                number: self.entries.len() as u64,
                command: command(&self.plan, choices),
            },
            (14, _) => Input::Finished {
                attempt: stray(&self.plan, choices),
                result: Ok(Outcome::default()),
            },
            (13, _) | (_, true) => {
                self.now = self.now.saturating_add(Duration::from_secs(600));
                Input::Tick
            }
            (what, false) => self.answer(what, choices),
        };
        self.tell(input);
    }

    fn answer(&mut self, what: u8, choices: &mut Choices<'_>) -> Input {
        let at = choices.below(self.flights.len());
        let (attempt, probe) = self.flights[at];
        if what == 12 {
            let mark = serde_json::json!({ "note": choices.byte() });
            return Input::Marked { attempt, mark };
        }
        self.flights.swap_remove(at);
        let why = "contact was lost".to_owned();
        match (what, probe) {
            (11, _) => Input::Lost { attempt, why },
            (0..=6, false) => Input::Finished {
                attempt,
                result: Ok(Outcome::default()),
            },
            (_, false) => Input::Finished {
                attempt,
                result: Err(fault(choices)),
            },
            (what, true) => Input::Probed {
                attempt,
                answer: match what % 4 {
                    0 => Answer::NotYet,
                    1 => Answer::AsItShouldBe(Outcome::default()),
                    2 => Answer::Unknown { why },
                    _ => Answer::Failed(fault(choices)),
                },
            },
        }
    }

    fn tell(&mut self, input: Input) {
        for effect in self.engine.handle(input, self.now) {
            match effect {
                Effect::Journal(entry) => self.entries.push(entry),
                Effect::Start { attempt, .. } => self.flights.push((attempt, false)),
                Effect::Probe { attempt, .. } => self.flights.push((attempt, true)),
                Effect::Interrupt { .. } | Effect::Wake { .. } => {}
                Effect::Stop(_) => self.stopped = true,
            }
        }
    }
}

/// With what a hostile vendor may ask for.
fn fault(choices: &mut Choices<'_>) -> Fault {
    let mut fault = Fault::new(choices.of(&KINDS), "it did not work");
    fault.retry_after = match choices.byte() {
        0..128 => None,
        128..250 => Some(Elapsed::from_secs(1)),
        250.. => Some(Elapsed(Duration::MAX)),
    };
    fault
}

fn command(plan: &Plan, choices: &mut Choices<'_>) -> Command {
    let by = "ann".to_owned();
    match choices.byte() % 6 {
        0 => Command::Pause { by },
        1 => Command::Cancel { by },
        2 => Command::Retry {
            tasks: vec![stray(plan, choices).task, stray(plan, choices).task],
            by,
        },
        3 => Command::Continue { by },
        _ => Command::Answer {
            task: stray(plan, choices).task,
            approved: choices.yes(),
            by,
            note: None,
        },
    }
}

/// Any task, sometimes one that is not there.
fn stray(plan: &Plan, choices: &mut Choices<'_>) -> AttemptId {
    let task = choices.below(plan.tasks.len() + 2);
    AttemptId {
        task: TaskIx::at(task),
        number: u32::from(choices.byte() % 4),
    }
}
