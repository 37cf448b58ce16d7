//! Rehearsals in many worlds, on all cores.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use reprise_model::{Plan, TaskIx};

use super::PoolForecast;
use super::belief::Beliefs;
use crate::rehearsal::{Course, curtain_up, rehearse_with};

/// All that could be, numbered.
pub(super) struct Worlds<'a> {
    beliefs: &'a Beliefs,
    seed: u64,
}

/// What is kept of a rehearsal.
pub(super) struct Outcome {
    pub recovery: f64,
    pub makespan: f64,
    pub waves: Vec<f64>,
    /// Half the size, because a forecast of many sites keeps one for each
    /// site and rehearsal; exact to a millisecond over three hours.
    sites: Vec<f32>,
}

impl Outcome {
    fn of(plan: &Plan, course: &Course) -> Self {
        let handovers = course.handovers(plan);
        let seconds = |at| course.seconds_to(at);
        Self {
            recovery: course.recovery(plan),
            makespan: course.makespan(),
            waves: course.waves_done(plan).into_iter().map(seconds).collect(),
            sites: handovers.into_iter().map(|at| seconds(at) as f32).collect(),
        }
    }

    pub fn site(&self, site: usize) -> f64 {
        self.sites[site].into()
    }
}

impl<'a> Worlds<'a> {
    pub fn new(beliefs: &'a Beliefs, seed: u64) -> Self {
        Self { beliefs, seed }
    }

    /// The plan in the first `count` worlds, in their order.
    pub fn rehearse(&self, plan: &Plan, count: u32) -> Vec<Outcome> {
        let plan = Arc::new(plan.clone());
        let engine = curtain_up(&plan);
        let next = AtomicU32::new(0);
        let work = || {
            let mut done = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return done;
                }
                let durations = self.beliefs.draw(&plan, self.seed, number);
                let of = |task: TaskIx| durations[task.get()];
                let course = rehearse_with(engine.clone(), of);
                done.push((number, Outcome::of(&plan, &course)));
            }
        };
        let mut outcomes = std::thread::scope(|scope| {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
            let joined = workers.into_iter().flat_map(|worker| match worker.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            joined.collect::<Vec<_>>()
        });
        outcomes.sort_unstable_by_key(|(number, _)| *number);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }

    /// The course of the plan in one of the worlds.
    pub fn course(&self, plan: &Plan, number: u32) -> Course {
        let durations = self.beliefs.draw(plan, self.seed, number);
        let of = |task: TaskIx| durations[task.get()];
        rehearse_with(curtain_up(&Arc::new(plan.clone())), of)
    }
}

/// The number of the value that comes nearest.
pub(super) fn nearest(values: &[f64], wanted: f64) -> u32 {
    let distance = |value: &f64| (value - wanted).abs();
    let numbered = (0u32..).zip(values);
    let nearest = numbered.min_by(|(_, a), (_, b)| distance(a).total_cmp(&distance(b)));
    nearest.map_or(0, |(number, _)| number)
}

/// How much each pool was used, and waited for.
pub(super) fn pools(plan: &Plan, course: &Course) -> Vec<PoolForecast> {
    let until = course.recovery(plan);
    let of_pool = plan.pools.iter().map(|pool| {
        let (mut tasks, mut busy, mut waited) = (0u32, 0.0, 0.0);
        for task in plan.ixs() {
            if plan.step_of(task).pool.as_ref() != Some(&pool.name) {
                continue;
            }
            let (Some(start), Some(end)) = (course.start(task), course.end(task)) else {
                continue;
            };
            tasks += 1;
            let over = course.seconds_to(Some(end)).min(until);
            busy += (over - course.seconds_to(Some(start))).max(0.0);
            waited += start.seconds_since(course.ready(plan, task)).max(0.0);
        }
        let capacity = f64::from(pool.slots) * until;
        PoolForecast {
            pool: pool.name.clone(),
            slots: pool.slots,
            rate_per_second: pool.rate_per_second,
            tasks,
            busy: if capacity > 0.0 { busy / capacity } else { 0.0 },
            waited: waited / f64::from(tasks.max(1)),
        }
    });
    of_pool.collect()
}
