//! What is thought of a plan's tasks: from earlier runs, else from its runbook.

use reprise_model::{Plan, TaskIx};
use reprise_plan::learn::{self, Expectation, Lessons, Moments, Origin};
use reprise_sim::{Belief, Beliefs};
use serde::Serialize;

/// The part of a measured spread that is chance. The rest is tasks waiting for
/// one another inside a store, for a lock or the disk: single times differ by
/// it and their sum does not, so that taken for chance it would make each
/// wave, which waits for its slowest, come out too long. Found by comparing
/// rehearsals of finished runs with what they took (docs/design/forecast.md).
const CHANCE: f64 = 0.5;
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
        let lesson = lesson.zip(lessons.moments_of(&plan.step_of(task).name));
        let seconds = plan.expected(task).as_secs_f64();
        match lesson {
            Some((lesson, moments)) => {
                durations.learned += 1;
                steadied(learned(lesson, moments))
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

/// One task's own last time, or its size, says where its middle is; how far
/// tasks are off, no more than those of the whole step differ. How far a whole
/// step is off cannot be learned from how tasks of one run differ: of that,
/// only the run's own factor is known.
fn learned(lesson: Expectation, step: Moments) -> Belief {
    let whole = Belief::measured(step.mean, step.deviation, step.samples);
    let spread = lesson.sigma.min(whole.spread);
    match lesson.from {
        Origin::Step => whole,
        Origin::Size => Belief {
            seconds: lesson.seconds,
            spread,
            doubt: whole.doubt,
        },
        Origin::Itself => Belief {
            seconds: lesson.seconds / (spread * spread / 2.0).exp(),
            spread,
            doubt: 0.05,
        },
    }
}

/// The same mean, with less chance about it.
fn steadied(belief: Belief) -> Belief {
    let spread = belief.spread * CHANCE;
    let lost = (belief.spread.powi(2) - spread.powi(2)) / 2.0;
    Belief {
        seconds: belief.seconds * lost.exp(),
        spread,
        doubt: belief.doubt,
    }
}

/// Neither an earlier run nor the runbook's author said anything.
fn is_guess(plan: &Plan, task: TaskIx) -> bool {
    let step = plan.step_of(task);
    plan.tasks[task.get()].expected.is_none() && step.expected == learn::usual(step.action)
}
