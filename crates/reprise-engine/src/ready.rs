//! What wants a slot: one queue for each pool, ordered by wave and critical path.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::time::Duration;

use reprise_model::{Plan, PoolName, TaskIx, Timestamp};

/// Slots for tasks whose step names no pool: a limit, because everything has one.
const SLOTS_WITHOUT_POOL: u32 = 64;

/// A task in the queue, ordered by urgency: earlier waves first, then the
/// heaviest chain of work behind the task, then the order of the plan.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Queued {
    wave: Reverse<u32>,
    rank: u64,
    task: Reverse<TaskIx>,
    /// Attempts made when it was queued; an entry of another number is stale.
    attempts: u32,
}

impl Queued {
    pub fn new(task: TaskIx, wave: u32, rank: u64, attempts: u32) -> Self {
        Self {
            wave: Reverse(wave),
            rank,
            task: Reverse(task),
            attempts,
        }
    }
}

#[derive(Clone)]
struct PoolQueue {
    free: u32,
    slots: u32,
    /// Shortest time between two starts, where the pool has a rate.
    spacing: Option<Duration>,
    next_start: Timestamp,
    heap: BinaryHeap<Queued>,
}

#[derive(Clone)]
pub(crate) struct ReadyQueue {
    pools: Vec<PoolQueue>,
    pool_of_step: Vec<usize>,
    /// Tasks that wait out a delay before they are queued again.
    delayed: BTreeSet<(Timestamp, TaskIx)>,
}

impl ReadyQueue {
    pub fn new(plan: &Plan) -> Self {
        let queue = |slots, rate: Option<f64>| PoolQueue {
            free: slots,
            slots,
            spacing: rate.map(|per_second| Duration::from_secs_f64(1.0 / per_second)),
            next_start: Timestamp::from_micros(i64::MIN),
            heap: BinaryHeap::new(),
        };
        let mut pools: Vec<_> = plan
            .pools
            .iter()
            .map(|pool| queue(pool.slots, pool.rate_per_second))
            .collect();
        pools.push(queue(SLOTS_WITHOUT_POOL, None));
        let without = pools.len() - 1;
        let place = |name: &PoolName| plan.pools.iter().position(|pool| pool.name == *name);
        let pool_of_step = plan
            .steps
            .iter()
            .map(|step| step.pool.as_ref().and_then(place).unwrap_or(without))
            .collect();
        Self {
            pools,
            pool_of_step,
            delayed: BTreeSet::new(),
        }
    }

    pub fn push(&mut self, step: u32, entry: Queued) {
        let pool = self.pool_of_step[step as usize];
        self.pools[pool].heap.push(entry);
    }

    pub fn delay(&mut self, until: Timestamp, task: TaskIx) {
        self.delayed.insert((until, task));
    }

    /// Takes the next task whose delay is over.
    pub fn pop_delayed(&mut self, now: Timestamp) -> Option<TaskIx> {
        let first = *self.delayed.first()?;
        (first.0 <= now).then(|| {
            self.delayed.remove(&first);
            first.1
        })
    }

    /// Takes the most urgent task for which a slot is free now and which
    /// `wanted(task, attempts)` still confirms.
    pub fn pop(&mut self, now: Timestamp, wanted: impl Fn(TaskIx, u32) -> bool) -> Option<TaskIx> {
        for pool in self.pools.iter_mut().filter(|pool| pool.free > 0) {
            while let Some(entry) = pool.heap.peek() {
                if wanted(entry.task.0, entry.attempts) {
                    break;
                }
                pool.heap.pop();
            }
        }
        let best = self
            .pools
            .iter_mut()
            .filter(|pool| pool.free > 0 && pool.next_start <= now)
            .max_by(|a, b| a.heap.peek().cmp(&b.heap.peek()))?;
        best.heap.pop().map(|entry| entry.task.0)
    }

    pub fn take(&mut self, step: u32, at: Timestamp) {
        let pool = &mut self.pools[self.pool_of_step[step as usize]];
        pool.free = pool.free.saturating_sub(1);
        if let Some(spacing) = pool.spacing {
            pool.next_start = at.saturating_add(spacing);
        }
    }

    pub fn give_back(&mut self, step: u32) {
        let pool = &mut self.pools[self.pool_of_step[step as usize]];
        assert!(pool.free < pool.slots, "a slot is given back once");
        pool.free += 1;
    }

    /// When something may become possible without any other input: a delay
    /// ends, or a rate allows the next start.
    pub fn next_wake(&self, now: Timestamp) -> Option<Timestamp> {
        let delay = self.delayed.first().map(|(until, _)| *until);
        let rate = self
            .pools
            .iter()
            .filter(|pool| pool.free > 0 && !pool.heap.is_empty() && pool.next_start > now)
            .map(|pool| pool.next_start)
            .min();
        delay.into_iter().chain(rate).min()
    }
}
