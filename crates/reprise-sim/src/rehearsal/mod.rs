//! A run in which nothing fails, under virtual time: what the engine would do
//! if each task took as long as it is told here.
//!
//! The engine is the one that restores sites; a calendar stands in for the
//! world. Nothing is journalled, no time-out cuts anything off, a probe finds
//! the work not done, and gates are answered at once unless [`Durations`]
//! says otherwise. The same durations give the same course.

mod course;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use reprise_engine::{Answer, Effect, Engine, Input, Options};
use reprise_model::{
    AttemptId, Command, Epoch, Event, Outcome, Owner, Plan, TaskIx, TaskState, Timestamp,
};

pub use course::Course;

/// What tasks take. A closure from a task to its duration is one.
pub trait Durations {
    /// From the start of the task's attempt to its end.
    fn whole(&mut self, task: TaskIx) -> Duration;

    /// From now to the end of an attempt that has been under way for so long.
    fn left(&mut self, task: TaskIx, passed: Duration) -> Duration {
        self.whole(task).saturating_sub(passed)
    }

    /// How long people take to answer a gate.
    fn answer(&mut self, gate: TaskIx) -> Duration {
        let _ = gate;
        Duration::ZERO
    }
}

impl<F: FnMut(TaskIx) -> Duration> Durations for F {
    fn whole(&mut self, task: TaskIx) -> Duration {
        self(task)
    }
}

/// The moment at which a rehearsal begins that continues no run.
const BEGIN: Timestamp = Timestamp::EPOCH;

/// Drives a new run of the plan to its end.
pub fn rehearse(plan: &Arc<Plan>, durations: impl Durations) -> Course {
    rehearse_with(curtain_up(plan), durations)
}

/// An engine that has not begun. Clones of it save laying out the plan anew
/// for each of many rehearsals.
pub fn curtain_up(plan: &Arc<Plan>) -> Engine {
    let options = Options {
        seed: 0,
        wait_for_people: true,
        reach: Duration::ZERO,
    };
    Engine::create(plan.clone(), options, BEGIN).0
}

/// Drives an engine that has not begun.
pub fn rehearse_with(engine: Engine, durations: impl Durations) -> Course {
    let owner = Owner {
        epoch: Epoch(1),
        host: "rehearsal".to_owned(),
        pid: 0,
        version: String::new(),
    };
    let inbox = Vec::new();
    Rehearsal::new(engine, BEGIN, durations).drive(Input::Begin { owner, inbox })
}

/// Drives a run on from where it stands, as if its coordinator went on:
/// attempts under way continue.
pub fn run_ahead(engine: Engine, now: Timestamp, durations: impl Durations) -> Course {
    let mut rehearsal = Rehearsal::new(engine, now, durations);
    rehearsal.take_over();
    rehearsal.drive(Input::Tick)
}

/// What comes of itself, ordered by task where the moment is the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Coming {
    Finished(AttemptId),
    Probed(AttemptId),
    Answered(TaskIx),
}

struct Rehearsal<D> {
    engine: Engine,
    durations: D,
    now: Timestamp,
    calendar: BinaryHeap<Reverse<(Timestamp, Coming)>>,
    wake: Option<Timestamp>,
    course: Course,
}

impl<D: Durations> Rehearsal<D> {
    fn new(engine: Engine, now: Timestamp, durations: D) -> Self {
        let plan = engine.fold().plan();
        Self {
            course: Course::new(plan, now),
            engine,
            durations,
            now,
            calendar: BinaryHeap::new(),
            wake: None,
        }
    }

    /// Puts what the run has under way into the calendar.
    fn take_over(&mut self) {
        let fold = self.engine.fold();
        let flights: Vec<_> = fold.under_way().collect();
        let plan = fold.plan();
        let gated = |task: &TaskIx| fold.state(*task) == TaskState::Gated;
        let gates: Vec<_> = match fold.count(TaskState::Gated) {
            0 => Vec::new(),
            _ => plan.ixs().filter(gated).collect(),
        };
        for (attempt, probing, since) in flights {
            self.course.begin(attempt.task, since);
            if probing {
                self.expect(Duration::ZERO, Coming::Probed(attempt));
            } else {
                let passed = self.now.as_micros() - since.as_micros();
                let passed = Duration::from_micros(u64::try_from(passed).unwrap_or(0));
                let left = self.durations.left(attempt.task, passed);
                self.expect(left, Coming::Finished(attempt));
            }
        }
        for gate in gates {
            self.open(gate);
        }
    }

    fn drive(mut self, first: Input) -> Course {
        let mut input = Some(first);
        while let Some(next) = input.take() {
            let effects = self.engine.handle(next, self.now);
            for effect in effects {
                self.perform(effect);
            }
            if self.course.stopped.is_none() {
                input = self.next_input();
            }
        }
        self.course
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Journal(entry) => self.note(&entry.event),
            Effect::Probe { attempt, .. } => self.expect(Duration::ZERO, Coming::Probed(attempt)),
            Effect::Start { attempt, .. } => {
                self.course.begin(attempt.task, self.now);
                let whole = self.durations.whole(attempt.task);
                self.expect(whole, Coming::Finished(attempt));
            }
            Effect::Interrupt { .. } => {}
            Effect::Wake { at } => self.wake = Some(at),
            Effect::Stop(end) => self.course.stopped = Some(end),
        }
    }

    /// Of the events, those that no other effect tells of.
    fn note(&mut self, event: &Event) {
        match event {
            Event::GateOpened { task } => self.open(*task),
            Event::WaveOpened { wave } => self.course.open_wave(*wave, self.now),
            Event::Created { .. }
            | Event::Owned(_)
            | Event::Probing { .. }
            | Event::Started { .. }
            | Event::Marked { .. }
            | Event::Ended { .. }
            | Event::Skipped { .. }
            | Event::Halted(_)
            | Event::Commanded { .. }
            | Event::Replanned { .. }
            | Event::Stopped(_) => {}
        }
    }

    fn open(&mut self, gate: TaskIx) {
        self.course.begin(gate, self.now);
        let answer = self.durations.answer(gate);
        self.expect(answer, Coming::Answered(gate));
    }

    fn expect(&mut self, after: Duration, coming: Coming) {
        let at = self.now.saturating_add(after);
        self.calendar.push(Reverse((at, coming)));
    }

    /// Moves the clock to what comes next; nothing when nothing ever will.
    fn next_input(&mut self) -> Option<Input> {
        let coming = self.calendar.peek().map(|Reverse((at, _))| *at);
        let tick = match (self.wake, coming) {
            (Some(wake), Some(coming)) => wake <= coming,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if tick {
            let wake = self.wake.take()?;
            self.now = self.now.max(wake);
            return Some(Input::Tick);
        }
        let Reverse((at, coming)) = self.calendar.pop()?;
        self.now = at;
        Some(self.happen(coming))
    }

    fn happen(&mut self, coming: Coming) -> Input {
        match coming {
            Coming::Finished(attempt) => {
                self.course.finish(attempt.task, self.now);
                Input::Finished {
                    attempt,
                    result: Ok(Outcome::default()),
                }
            }
            Coming::Probed(attempt) => Input::Probed {
                attempt,
                answer: Answer::NotYet,
            },
            Coming::Answered(task) => {
                self.course.finish(task, self.now);
                let command = Command::Answer {
                    task,
                    approved: true,
                    by: String::new(),
                    note: None,
                };
                Input::Commanded { number: 0, command }
            }
        }
    }
}
