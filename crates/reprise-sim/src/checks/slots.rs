//! Pools, rates and slots over all, as the world sees them.

use std::collections::BTreeMap;

use reprise_model::{Plan, PlannedStep, PoolName, TaskIx, Timestamp};

use super::Violation;

/// Rates are a share of a second, and time is in whole microseconds.
const ROUNDING_MICROS: f64 = 1.0;

/// What is under way for one owner, by pool. An owner that lost its claim has
/// slots of its own until it notices: the bound is one for each coordinator.
pub(crate) struct Slots {
    pool_of_step: Vec<usize>,
    in_use: BTreeMap<u64, Vec<u32>>,
    last_start: Vec<Option<Timestamp>>,
}

impl Slots {
    pub fn new(plan: &Plan) -> Self {
        let place = |name: &PoolName| plan.pools.iter().position(|pool| pool.name == *name);
        let without = plan.pools.len();
        let of_step = |step: &PlannedStep| step.pool.as_ref().and_then(place).unwrap_or(without);
        Self {
            pool_of_step: plan.steps.iter().map(of_step).collect(),
            in_use: BTreeMap::new(),
            last_start: vec![None; without + 1],
        }
    }

    /// The engine asks for a start now, which counts against the pool's rate.
    pub fn ask(&mut self, plan: &Plan, task: TaskIx, now: Timestamp) -> Result<(), Violation> {
        let place = self.place(plan, task);
        let last = self.last_start[place].replace(now);
        let Some(pool) = plan.pools.get(place) else {
            return Ok(());
        };
        if let (Some(rate), Some(last)) = (pool.rate_per_second, last) {
            let gap_micros = now.as_micros() - last.as_micros();
            if (gap_micros as f64) < 1e6 / rate - ROUNDING_MICROS {
                let pool = pool.name.to_string();
                return Err(Violation::OverRate { pool, gap_micros });
            }
        }
        Ok(())
    }

    pub fn take(&mut self, plan: &Plan, owner: u64, task: TaskIx) -> Result<(), Violation> {
        let place = self.place(plan, task);
        let pools = plan.pools.len() + 1;
        let in_use = self.in_use.entry(owner).or_insert_with(|| vec![0; pools]);
        in_use[place] += 1;
        let over = |pool: String, slots, used| Violation::OverPool { pool, slots, used };
        if let Some(pool) = plan.pools.get(place)
            && in_use[place] > pool.slots
        {
            return Err(over(pool.name.to_string(), pool.slots, in_use[place]));
        }
        let all: u32 = in_use.iter().sum();
        match plan.slots {
            Some(slots) if all > slots => Err(over("of all".to_owned(), slots, all)),
            Some(_) | None => Ok(()),
        }
    }

    pub fn give_back(&mut self, plan: &Plan, owner: u64, task: TaskIx) {
        let place = self.place(plan, task);
        if let Some(in_use) = self.in_use.get_mut(&owner) {
            in_use[place] -= 1;
        }
    }

    pub fn forget(&mut self, owner: u64) {
        self.in_use.remove(&owner);
    }

    fn place(&self, plan: &Plan, task: TaskIx) -> usize {
        self.pool_of_step[plan.tasks[task.get()].step as usize]
    }
}
