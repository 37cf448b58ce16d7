//! The least time that a plan can take, whatever the order: what the pools
//! and the critical path allow.

use reprise_model::{Plan, Pool, PoolName};

use super::{cost, ranks};

#[derive(Clone, PartialEq, Debug)]
pub struct LowerBound {
    pub seconds: f64,
    /// What to change in order to lower it.
    pub binding: Binding,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Binding {
    /// The heaviest chain of tasks: more slots would not help.
    CriticalPath,
    /// All work of the pool, shared evenly among its slots.
    Slots(PoolName),
    /// All tasks of the pool, started at its rate.
    Rate(PoolName),
}

/// The greatest of: the critical path, each pool's work by its slots, each
/// pool's starts by its rate.
pub fn lower_bound(plan: &Plan) -> LowerBound {
    let heaviest = ranks(plan).into_iter().max().unwrap_or(0);
    let path = LowerBound {
        seconds: heaviest as f64 / 1e6,
        binding: Binding::CriticalPath,
    };
    plan.pools
        .iter()
        .flat_map(|pool| of_pool(plan, pool))
        .fold(path, |best, bound| {
            if bound.seconds > best.seconds {
                bound
            } else {
                best
            }
        })
}

fn of_pool(plan: &Plan, pool: &Pool) -> Vec<LowerBound> {
    let mut tasks = 0u64;
    let mut work = 0u64;
    for task in plan.ixs() {
        if plan.step_of(task).pool.as_ref() == Some(&pool.name) {
            tasks += 1;
            work = work.saturating_add(cost(plan, task));
        }
    }
    let slots = LowerBound {
        seconds: work as f64 / 1e6 / f64::from(pool.slots.max(1)),
        binding: Binding::Slots(pool.name.clone()),
    };
    let rate = pool.rate_per_second.filter(|rate| *rate > 0.0);
    let rate = rate.map(|rate| LowerBound {
        // The first start waits for nothing.
        seconds: tasks.saturating_sub(1) as f64 / rate,
        binding: Binding::Rate(pool.name.clone()),
    });
    std::iter::once(slots).chain(rate).collect()
}
