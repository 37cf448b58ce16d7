//! The least time that a plan can take, whatever the order: what the critical
//! path, the slots and the rates allow.
//!
//! The work of a pool, shared evenly among its slots, is a bound, and seldom a
//! close one: before the pool's first task can start something else has to be
//! done, and after its last one more follows. For any set of a pool's tasks
//!
//! > least head + work / slots + least tail
//!
//! is a bound, too (Carlier, 1982, for one slot), where a task's head is the
//! heaviest chain that must end before it starts and its tail the heaviest
//! that follows it. Of all sets, those with a tail of at least so much, and
//! those with a head of at least so much, are tried: a sort for each pool.

use reprise_model::{Plan, Pool, PoolName, TaskIx};

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
    /// Work of the pool, shared evenly among its slots.
    Slots(PoolName),
    /// All work, shared evenly among the slots over all pools.
    AllSlots,
    /// All tasks of the pool, started at its rate.
    Rate(PoolName),
}

/// Microseconds before, in and after a task.
#[derive(Clone, Copy)]
struct Part {
    head: u64,
    cost: u64,
    tail: u64,
}

/// A plan file may expect any time of a task: sums stop at the greatest number.
impl Part {
    fn end(&self) -> u64 {
        self.head.saturating_add(self.cost)
    }

    fn rest(&self) -> u64 {
        self.cost.saturating_add(self.tail)
    }

    fn whole(&self) -> u64 {
        self.head.saturating_add(self.rest())
    }
}

/// The greatest of: the critical path; for each pool and for all slots, the
/// work with what must come before and after; each pool's starts by its rate.
/// Waves, retries and probes are not counted, so that it holds for any run.
pub fn lower_bound(plan: &Plan) -> LowerBound {
    let parts = parts(plan);
    let longest = parts.iter().map(Part::whole);
    let mut best = LowerBound {
        seconds: longest.max().unwrap_or(0) as f64 / 1e6,
        binding: Binding::CriticalPath,
    };
    let mut raise = |micros: f64, binding: Binding| {
        if micros / 1e6 > best.seconds {
            let seconds = micros / 1e6;
            best = LowerBound { seconds, binding };
        }
    };
    for pool in &plan.pools {
        let inside = |task: &TaskIx| plan.step_of(*task).pool.as_ref() == Some(&pool.name);
        let mut own: Vec<Part> = plan.ixs().filter(inside).map(|t| parts[t.get()]).collect();
        raise(by_rate(&own, pool), Binding::Rate(pool.name.clone()));
        let slots = by_slots(&mut own, pool.slots);
        raise(slots, Binding::Slots(pool.name.clone()));
    }
    if let Some(slots) = plan.slots {
        let mut all = parts;
        raise(by_slots(&mut all, slots), Binding::AllSlots);
    }
    best
}

fn parts(plan: &Plan) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::with_capacity(plan.tasks.len());
    let ranks = ranks(plan);
    for (task, rank) in plan.ixs().zip(ranks) {
        let needs = plan.tasks[task.get()].needs.iter();
        let ends = needs.map(|need| parts[need.get()].end());
        let cost = cost(plan, task);
        parts.push(Part {
            head: ends.max().unwrap_or(0),
            cost,
            tail: rank - cost,
        });
    }
    parts
}

/// Microseconds, over the sets that the head of this module names.
fn by_slots(parts: &mut Vec<Part>, slots: u32) -> f64 {
    // A gate takes no slot.
    parts.retain(|part| part.cost > 0);
    parts.sort_unstable_by_key(|part| std::cmp::Reverse(part.tail));
    let by_tail = greatest(parts, slots, |part| part.head, |part| part.tail);
    parts.sort_unstable_by_key(|part| std::cmp::Reverse(part.head));
    by_tail.max(greatest(parts, slots, |part| part.tail, |part| part.head))
}

/// The greatest bound of any beginning of the list, which is sorted by what
/// `least_is_last` tells, descending.
fn greatest(
    parts: &[Part],
    slots: u32,
    other_end: impl Fn(&Part) -> u64,
    least_is_last: impl Fn(&Part) -> u64,
) -> f64 {
    let (mut work, mut least, mut greatest) = (0.0, u64::MAX, 0.0_f64);
    for part in parts {
        work += part.cost as f64 / f64::from(slots.max(1));
        least = least.min(other_end(part));
        greatest = greatest.max(work + least.saturating_add(least_is_last(part)) as f64);
    }
    greatest
}

/// Microseconds for the starts of all tasks, the first of which waits for its
/// head alone, and the last of which still has to be done.
fn by_rate(parts: &[Part], pool: &Pool) -> f64 {
    let Some(rate) = pool.rate_per_second.filter(|rate| *rate > 0.0) else {
        return 0.0;
    };
    let head = parts.iter().map(|part| part.head).min().unwrap_or(0);
    let rest = parts.iter().map(Part::rest).min();
    let starts = parts.len().saturating_sub(1) as f64 / rate;
    starts * 1e6 + head.saturating_add(rest.unwrap_or(0)) as f64
}
