//! What is thought of a plan's tasks: from earlier runs, else from its runbook.

use reprise_model::{Plan, TaskIx};
use reprise_plan::learn::{self, Expectation, Lessons, Origin};
use reprise_sim::{Belief, Beliefs};
use serde::Serialize;

/// Tasks of a step that outweigh what the plan says.
const ENOUGH: u32 = 3;

/// Where the durations come from, in tasks of the plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Durations {
    /// Earlier runs that taught something.
    pub runs: u32,
    pub learned: u32,
    /// The plan says so, and its runbook did.
    pub said: u32,
    pub guessed: u32,
}

pub fn beliefs(plan: &Plan, lessons: &Lessons) -> (Beliefs, Durations) {
    let mut durations = Durations {
        runs: lessons.runs(),
        ..Durations::default()
    };
    let beliefs = Beliefs::of(plan, |task| {
        let lesson = lessons.of(plan, task).filter(outweighs);
        let seconds = plan.expected(task).as_secs_f64();
        match lesson {
            Some(lesson) => {
                durations.learned += 1;
                learned(lesson)
            }
            None if is_guess(plan, task) => {
                durations.guessed += 1;
                Belief::guessed(seconds)
            }
            None => {
                durations.said += 1;
                Belief::said(seconds)
            }
        }
    });
    (beliefs, durations)
}

fn outweighs(lesson: &Expectation) -> bool {
    match lesson.from {
        Origin::Itself => true,
        Origin::Size | Origin::Step => lesson.samples >= ENOUGH,
    }
}

/// How far a task is from its own last time says nothing of how far a whole
/// step is off: of that, only the run's own factor is known.
fn learned(lesson: Expectation) -> Belief {
    let samples = match lesson.from {
        Origin::Itself => u32::MAX,
        Origin::Size | Origin::Step => lesson.samples,
    };
    Belief::measured(lesson.seconds, lesson.sigma, samples)
}

/// Neither an earlier run nor the runbook's author said anything.
fn is_guess(plan: &Plan, task: TaskIx) -> bool {
    let step = plan.step_of(task);
    plan.tasks[task.get()].expected.is_none() && step.expected == learn::usual(step.action)
}
