//! What is thought of a task's duration before it has run, and how durations
//! are drawn from it.
//!
//! Durations are lognormal: positive, skewed, and made by factors that
//! multiply. What many tasks share must be drawn once for all of them, because
//! independent noise averages out over a thousand tasks and would promise an
//! exactness that nobody has. The logarithm of a duration is
//!
//! ```text
//! ln middle + run + doubt(step) + spread (sqrt(R) owner + sqrt(1 - R) own)
//! ```
//!
//! with `run`, `step`, `owner` (the task's site or shard) and `own` normal and
//! independent. Its median is `middle`; the mean, which is what a busy pool
//! adds up, lies exp(variance / 2) above. A factor common to all activities of
//! a project is the "linear association" of Trietsch, Mazmanyan, Gevorgyan and
//! Baker, European Journal of Operational Research 216 (2012).

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reprise_model::{Plan, TaskIx};

/// How much one whole run differs from the next: other neighbours, other disks.
const RUN: f64 = 0.1;

/// The part of the spread that a task shares with the others of its site or shard.
const SHARED: f64 = 0.5;

/// Of one task. `spread` and `doubt` are standard deviations of the logarithm:
/// 0.1 is about ten percent, 0.7 a factor of two either way.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Belief {
    /// Half of such tasks take less, half more.
    pub seconds: f64,
    /// By which single tasks differ.
    pub spread: f64,
    /// How wrong `seconds` may be, for all tasks of the step alike.
    pub doubt: f64,
}

impl Belief {
    /// Nobody has measured or said anything.
    pub fn guessed(seconds: f64) -> Self {
        Self {
            seconds,
            spread: 0.5,
            doubt: 0.7,
        }
    }

    /// The runbook's author says so.
    pub fn said(seconds: f64) -> Self {
        Self {
            seconds,
            spread: 0.4,
            doubt: 0.3,
        }
    }

    /// Measured so many times, with that mean and standard deviation in
    /// seconds: the lognormal law that has both (Aitchison and Brown, The
    /// Lognormal Distribution, 1957).
    pub fn measured(mean: f64, deviation: f64, samples: u32) -> Self {
        let relative = if mean > 0.0 { deviation / mean } else { 0.0 };
        let spread = (1.0 + relative * relative).ln().sqrt();
        let error = spread / f64::from(samples.max(1)).sqrt();
        Self {
            seconds: mean / (spread * spread / 2.0).exp(),
            spread,
            doubt: error.max(0.05),
        }
    }
}

/// What is thought of each task of a plan.
#[derive(Clone, Debug)]
pub struct Beliefs(pub Vec<Belief>);

impl Beliefs {
    pub fn of(plan: &Plan, of_task: impl FnMut(TaskIx) -> Belief) -> Self {
        Self(plan.ixs().map(of_task).collect())
    }

    pub fn get(&self, task: TaskIx) -> Belief {
        self.0[task.get()]
    }

    /// One possible world: the duration of every task, whatever the order in
    /// which they will run. The same seed and number give the same world.
    pub fn draw(&self, plan: &Plan, seed: u64, number: u32) -> Vec<Duration> {
        let mut chance = Chance::new(seed, number);
        let run = chance.normal() * RUN;
        let steps = chance.normals(plan.steps.len());
        let shards = chance.normals(plan.shards.len());
        let sites = chance.normals(plan.sites.len());
        let (shared, own) = (SHARED.sqrt(), (1.0 - SHARED).sqrt());
        let tasks = plan.tasks.iter().zip(&self.0);
        let draw = |(task, belief): (&reprise_model::PlannedTask, &Belief)| {
            let owner = match (task.site, task.shard) {
                (Some(site), _) => sites[site as usize],
                (None, Some(shard)) => shards[shard as usize],
                (None, None) => 0.0,
            };
            let noise = belief.spread * (shared * owner + own * chance.normal());
            let doubt = belief.doubt * steps[task.step as usize];
            let factor = (run + doubt + noise).exp();
            duration(belief.seconds * factor)
        };
        tasks.map(draw).collect()
    }
}

/// No task of a year is rehearsed any better than one that never ends.
const LONGEST: f64 = 3.2e7;

pub(crate) fn duration(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(0.0, LONGEST))
}

/// Normal deviates by the method of Box and Muller (1958), two at a time.
pub(crate) struct Chance {
    rng: StdRng,
    spare: Option<f64>,
}

impl Chance {
    pub fn new(seed: u64, number: u32) -> Self {
        // Neighbouring seeds must not share worlds: an odd multiplier mixes
        // the number into the high bits.
        let number = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self {
            rng: StdRng::seed_from_u64(seed ^ number),
            spare: None,
        }
    }

    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * (1.0 - self.rng.random::<f64>()).ln()).sqrt();
        let angle = std::f64::consts::TAU * self.rng.random::<f64>();
        self.spare = Some(radius * angle.sin());
        radius * angle.cos()
    }

    fn normals(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.normal()).collect()
    }
}
