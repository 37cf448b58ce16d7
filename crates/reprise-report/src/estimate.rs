//! An honest estimate of the time left.
//!
//! From what finished tasks of each step took, for the tasks that remain: no
//! less than the longest chain of needs among them, no less than the work of
//! each pool over its slots, no less than its starts over its rate. Before
//! any task has finished there is nothing to go by, and none is given. The
//! time that people take at gates is not in it.

use std::collections::BTreeMap;

use reprise_model::{Action, Plan, PoolName, TaskIx, TaskState, Timestamp};
use serde::{Deserialize, Serialize};

use crate::fold::Fold;
use crate::format;

#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Estimate {
    pub seconds_left: f64,
    /// Some step that remains has no finished task yet, so that the runbook's
    /// expectation stands in for a measurement.
    pub rough: bool,
}

impl Estimate {
    /// As of `now`; absent before there is anything to go by.
    pub fn of(fold: &Fold, now: Timestamp) -> Option<Self> {
        let pace = Pace::of(fold);
        if !pace.knows_anything() {
            return None;
        }
        let plan = fold.plan();
        let mut rough = false;
        let mut chain = vec![0.0_f64; plan.tasks.len()];
        let mut pools = PoolLoads::new(plan);
        for task in plan.ixs() {
            let before = plan.tasks[task.get()]
                .needs
                .iter()
                .map(|need| chain[need.get()]);
            let before = before.fold(0.0, f64::max);
            let left = pace.left(fold, task, now);
            rough |= left.rough;
            chain[task.get()] = before + left.seconds;
            if let Some(pool) = &plan.step_of(task).pool {
                pools.add(pool, left);
            }
        }
        let longest = chain.into_iter().fold(0.0, f64::max);
        Some(Self {
            seconds_left: longest.max(pools.busiest()),
            rough,
        })
    }

    /// `about 3m 10s left`.
    pub fn text(estimate: Option<Self>) -> String {
        match estimate {
            None => "time left not known yet".to_owned(),
            Some(Self {
                seconds_left,
                rough,
            }) => {
                let how = if rough { "roughly" } else { "about" };
                format!("{how} {} left", format::seconds(seconds_left.ceil()))
            }
        }
    }
}

/// What one task still takes.
#[derive(Clone, Copy, Default)]
struct Left {
    seconds: f64,
    rough: bool,
    to_start: bool,
}

/// Mean seconds of the finished tasks of each step.
struct Pace {
    means: Vec<Option<f64>>,
}

impl Pace {
    fn of(fold: &Fold) -> Self {
        let plan = fold.plan();
        let mut sums = vec![(0.0, 0_u32); plan.steps.len()];
        for task in plan
            .ixs()
            .filter(|task| fold.state(*task) == TaskState::Done)
        {
            let step = plan.tasks[task.get()].step as usize;
            let person = plan.steps[step].action == Action::Gate;
            if let (Some(seconds), false) = (fold.record(task).last_seconds(), person) {
                sums[step].0 += seconds;
                sums[step].1 += 1;
            }
        }
        let mean = |(sum, count): (f64, u32)| (count > 0).then(|| sum / f64::from(count));
        Self {
            means: sums.into_iter().map(mean).collect(),
        }
    }

    fn knows_anything(&self) -> bool {
        self.means.iter().any(Option::is_some)
    }

    fn left(&self, fold: &Fold, task: TaskIx, now: Timestamp) -> Left {
        let plan = fold.plan();
        let step = plan.tasks[task.get()].step as usize;
        let record = fold.record(task);
        if record.state.is_terminal() && record.state != TaskState::Cancelled
            || plan.steps[step].action == Action::Gate
        {
            return Left::default();
        }
        let mean = self.means[step];
        let whole = mean.unwrap_or(plan.steps[step].expected.0.as_secs_f64());
        let under_way = record.last_start.filter(|_| record.is_under_way());
        let passed = under_way.map_or(0.0, |start| now.seconds_since(start).max(0.0));
        let fraction = record
            .progress
            .as_ref()
            .and_then(|progress| progress.fraction);
        let seconds = match fraction {
            Some(fraction) if fraction > 0.05 => passed / fraction - passed,
            Some(_) | None => (whole - passed).max(0.0),
        };
        Left {
            seconds,
            rough: mean.is_none() && fraction.is_none(),
            to_start: under_way.is_none(),
        }
    }
}

struct PoolLoads<'a> {
    plan: &'a Plan,
    seconds: BTreeMap<&'a PoolName, f64>,
    starts: BTreeMap<&'a PoolName, f64>,
}

impl<'a> PoolLoads<'a> {
    fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            seconds: BTreeMap::new(),
            starts: BTreeMap::new(),
        }
    }

    fn add(&mut self, pool: &'a PoolName, left: Left) {
        *self.seconds.entry(pool).or_default() += left.seconds;
        *self.starts.entry(pool).or_default() += f64::from(u8::from(left.to_start));
    }

    fn busiest(&self) -> f64 {
        let of_pool = self.plan.pools.iter().map(|pool| {
            let load =
                |loads: &BTreeMap<&PoolName, f64>| loads.get(&pool.name).copied().unwrap_or(0.0);
            let by_slots = load(&self.seconds) / f64::from(pool.slots.max(1));
            let by_rate = pool
                .rate_per_second
                .map_or(0.0, |rate| load(&self.starts) / rate);
            by_slots.max(by_rate)
        });
        of_pool.fold(0.0, f64::max)
    }
}
