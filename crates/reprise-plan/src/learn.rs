//! What earlier runs teach about how long tasks take.
//!
//! A [`Story`] is read from one run's journal, a [`Learner`] gathers the
//! stories of a few runs, and [`Lessons`] answer, the most specific first:
//!
//! 1. what this very task took when it was last done: its step, for its site
//!    or shard;
//! 2. what its step takes for a site of that size: a straight line through
//!    what others took, by the site's rows or bytes where an earlier run
//!    counted them, or by an attribute such as `users`, if one explains it;
//! 3. what its step takes in the middle of all.
//!
//! Only attempts that did the work are looked at: a probe, a failure, or work
//! that was found done tells nothing of how long the work takes.

mod apply;
mod fit;
mod gather;
mod register;
mod seats;
mod story;

use std::collections::BTreeMap;

use reprise_model::{Plan, PlannedSite, StepName, TaskIx, Volume};

pub use apply::{Sources, expect, usual};
pub use gather::Learner;
pub use story::Story;

use fit::Fit;
use register::{Register, Subject};

/// What a task is expected to take.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Expectation {
    /// The median.
    pub seconds: f64,
    /// How far it may be off: the standard deviation of the logarithm, so
    /// that two of three tasks end between `seconds / e^sigma` and
    /// `seconds * e^sigma`.
    pub sigma: f64,
    /// Attempts that it was learned from.
    pub samples: u32,
    pub from: Origin,
}

/// What the tasks of a step took on the whole. A median says what one task
/// takes; a busy pool adds up means, and only the deviation knows the tails.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Moments {
    pub mean: f64,
    pub deviation: f64,
    pub samples: u32,
}

/// What an expectation was learned from, the most specific first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Origin {
    /// The last time of this very task.
    Itself,
    /// The site's size.
    Size,
    /// All tasks of the step.
    Step,
}

/// What was learned; empty where there was nothing to learn from.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Lessons {
    runs: u32,
    steps: BTreeMap<StepName, StepLesson>,
    register: Register,
    /// Of sites whose volume an earlier run counted.
    sizes: BTreeMap<Subject, Volume>,
}

/// What was learned about one step.
#[derive(Clone, PartialEq, Debug)]
struct StepLesson {
    whole: Expectation,
    moments: Moments,
    /// The best first.
    fits: Vec<Fit>,
    /// Seconds of the last time, by subject.
    last: BTreeMap<Subject, f32>,
    /// How much a task's time differs from its own last one.
    own_sigma: f64,
}

impl Lessons {
    /// Earlier runs that taught something.
    pub fn runs(&self) -> u32 {
        self.runs
    }

    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// What the step's tasks take; absent where none was ever done.
    pub fn of_step(&self, step: &StepName) -> Option<Expectation> {
        Some(self.steps.get(step)?.whole)
    }

    /// Mean and deviation of the step's tasks; absent where none was ever done.
    pub fn moments_of(&self, step: &StepName) -> Option<Moments> {
        Some(self.steps.get(step)?.moments)
    }

    /// What the task is expected to take; absent where its step was never done.
    pub fn of(&self, plan: &Plan, task: TaskIx) -> Option<Expectation> {
        let lesson = self.steps.get(&plan.step_of(task).name)?;
        let subject = self.register.subject(plan, task);
        if let Some(seconds) = subject.and_then(|subject| lesson.last.get(&subject)) {
            return Some(Expectation {
                seconds: f64::from(*seconds),
                sigma: lesson.own_sigma,
                samples: 1,
                from: Origin::Itself,
            });
        }
        let by_size = plan
            .site_of(task)
            .and_then(|site| self.by_size(lesson, site));
        Some(by_size.unwrap_or(lesson.whole))
    }

    fn by_size(&self, lesson: &StepLesson, site: &PlannedSite) -> Option<Expectation> {
        let subject = self.register.site(&site.id);
        let volume = subject.and_then(|subject| self.sizes.get(&subject));
        let known = |fit: &Fit| {
            let size = fit.predictor.size(&site.attributes, volume)?;
            Some(fit.at(size))
        };
        lesson.fits.iter().find_map(known)
    }
}

#[cfg(test)]
mod tests;
