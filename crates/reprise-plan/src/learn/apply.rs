//! Expected durations of a plan's steps and tasks.
//!
//! What was measured outranks what was written: `expect:` was written before
//! anybody had measured, and nobody keeps it up to date. It still decides for
//! a step that was done fewer than [`ENOUGH`] times, unless the task itself
//! was measured.

use std::time::Duration;

use reprise_model::{Action, Elapsed, Plan, Step};

use super::{Expectation, Lessons, Origin};

/// Tasks of a step that outweigh what its author expects.
const ENOUGH: u32 = 3;
/// Closer to the step's than this, a task needs no expectation of its own. A
/// plan of a million tasks is not to double in size for what changes no order.
const SAME: f64 = 0.05;

/// Where the expectations of a plan's steps come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sources {
    /// Earlier runs that taught.
    pub runs: u32,
    /// Steps whose expectation was learned, written, or is a guess.
    pub learned: u32,
    pub written: u32,
    pub guessed: u32,
}

impl Sources {
    /// What a task of the step takes, counted by where that comes from.
    pub(crate) fn expect_step(&mut self, step: &Step, lessons: Option<&Lessons>) -> Elapsed {
        let lesson = lessons.and_then(|lessons| lessons.of_step(&step.name));
        let told = match (lesson, step.expect) {
            (Some(lesson), None) => Some(lesson),
            (Some(lesson), Some(_)) if lesson.samples >= ENOUGH => Some(lesson),
            (Some(_) | None, _) => None,
        };
        match (told, step.expect) {
            (Some(lesson), _) => {
                self.learned += 1;
                rounded(lesson.seconds)
            }
            (None, Some(written)) => {
                self.written += 1;
                written
            }
            (None, None) => {
                self.guessed += 1;
                usual(step.action)
            }
        }
    }
}

/// Gives every task of which more is known than its step says an expectation
/// of its own.
pub fn expect(plan: &mut Plan, lessons: &Lessons) {
    for task in plan.ixs() {
        let learned = lessons.of(plan, task);
        let of_step = plan.step_of(task).expected.0.as_secs_f64();
        let own = learned.filter(|own| tells_more(own, of_step));
        plan.tasks[task.get()].expected = own.map(|own| rounded(own.seconds));
    }
}

fn tells_more(own: &Expectation, of_step: f64) -> bool {
    match own.from {
        Origin::Itself | Origin::Size => (own.seconds - of_step).abs() > SAME * of_step,
        Origin::Step => false,
    }
}

/// To two digits, in whole microseconds: more is never known, and equal
/// numbers pack well.
fn rounded(seconds: f64) -> Elapsed {
    let micros = (seconds * 1e6).max(1.0);
    let unit = 10_f64.powi((micros.log10().floor() as i32 - 1).max(0));
    let micros = (micros / unit).round() * unit;
    Elapsed(Duration::from_micros(micros as u64))
}

/// What a task takes when neither an earlier run nor the author says. Rough,
/// and only good for the order of starts: recovery of a shard is long, the
/// slice of a site short, and a person's time is not ours to guess.
pub fn usual(action: Action) -> Elapsed {
    Elapsed(match action {
        Action::Recover => Duration::from_secs(300),
        Action::Restore => Duration::from_secs(10),
        Action::Verify => Duration::from_secs(5),
        Action::Release => Duration::from_secs(5),
        Action::Exec => Duration::from_secs(30),
        Action::HttpCheck | Action::TcpCheck => Duration::from_secs(1),
        Action::CheckConsistency => Duration::from_millis(10),
        Action::CheckReferences => Duration::from_secs(2),
        Action::Gate => Duration::ZERO,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_to_two_digits() {
        let check = |seconds, expect: f64| assert_eq!(rounded(seconds).0.as_secs_f64(), expect);
        check(1234.5, 1200.0);
        check(0.029_961, 0.03);
        check(9.96, 10.0);
        check(0.000_012_3, 0.000_012);
        check(0.0, 0.000_001);
    }
}
