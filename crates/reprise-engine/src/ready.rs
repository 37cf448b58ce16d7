//! What wants a slot: one queue for each pool, ordered by wave and critical path.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use reprise_model::{TaskIx, Timestamp};

use crate::topology::{PoolShape, Topology};

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
    /// Attempts that were started and have not ended.
    under_way: usize,
    next_start: Timestamp,
    heap: BinaryHeap<Queued>,
}

#[derive(Clone)]
pub(crate) struct ReadyQueue {
    pools: Vec<PoolQueue>,
    /// Tasks that wait out a delay before they are queued again.
    delayed: BTreeSet<(Timestamp, TaskIx)>,
    /// The same by task: each waits for one moment only.
    until: BTreeMap<TaskIx, Timestamp>,
}

impl ReadyQueue {
    pub fn new(topology: &Topology) -> Self {
        let pools = topology.pools.iter().map(|_| PoolQueue {
            under_way: 0,
            next_start: Timestamp::from_micros(i64::MIN),
            heap: BinaryHeap::new(),
        });
        Self {
            pools: pools.collect(),
            delayed: BTreeSet::new(),
            until: BTreeMap::new(),
        }
    }

    pub fn push(&mut self, pool: usize, entry: Queued) {
        self.pools[pool].heap.push(entry);
    }

    pub fn delay(&mut self, until: Timestamp, task: TaskIx) {
        self.forget_delay(task);
        self.delayed.insert((until, task));
        self.until.insert(task, until);
    }

    /// The task does not wait any more: it is under way. A journal that is
    /// read back has no other way to tell that a delay is over.
    pub fn forget_delay(&mut self, task: TaskIx) {
        if let Some(until) = self.until.remove(&task) {
            self.delayed.remove(&(until, task));
        }
    }

    pub fn is_delayed(&self, task: TaskIx) -> bool {
        self.until.contains_key(&task)
    }

    /// Tasks that wait out a delay, each with its moment.
    pub fn delayed(&self) -> impl Iterator<Item = (Timestamp, TaskIx)> + '_ {
        self.delayed.iter().copied()
    }

    /// Takes the next task whose delay is over.
    pub fn pop_delayed(&mut self, now: Timestamp) -> Option<TaskIx> {
        let first = *self.delayed.first()?;
        (first.0 <= now).then(|| {
            self.forget_delay(first.1);
            first.1
        })
    }

    /// A new owner, with a clock of its own: one set back must not hold up
    /// what waits, and one set forward must not send off two starts at once.
    pub fn change_clock(&mut self, shapes: &[PoolShape], latest: Timestamp, now: Timestamp) {
        for (pool, shape) in self.pools.iter_mut().zip(shapes) {
            if let Some(spacing) = shape.spacing {
                pool.next_start = now.saturating_add(spacing);
            }
        }
        let back = latest.as_micros().saturating_sub(now.as_micros());
        if back > 0 {
            let back = Duration::from_micros(back.unsigned_abs());
            for (until, task) in std::mem::take(&mut self.delayed) {
                self.delay(until.saturating_sub(back), task);
            }
        }
    }

    /// Takes the most urgent task that `wanted(task, attempts)` still
    /// confirms, that its pool's rate allows now, and that `admitted(pool,
    /// task)`. Of each pool only the most urgent comes into question.
    pub fn pop(
        &mut self,
        now: Timestamp,
        wanted: impl Fn(TaskIx, u32) -> bool,
        admitted: impl Fn(usize, TaskIx) -> bool,
    ) -> Option<TaskIx> {
        let mut best: Option<(Queued, usize)> = None;
        for (at, pool) in self.pools.iter_mut().enumerate() {
            let Some(first) = pool.first_wanted(&wanted) else {
                continue;
            };
            let better = best.is_none_or(|(best, _)| first > best);
            if better && pool.next_start <= now && admitted(at, first.task.0) {
                best = Some((first, at));
            }
        }
        let (entry, pool) = best?;
        self.pools[pool].heap.pop();
        Some(entry.task.0)
    }

    pub fn take(&mut self, pool: usize, shape: PoolShape, at: Timestamp) {
        let pool = &mut self.pools[pool];
        pool.under_way += 1;
        if let Some(spacing) = shape.spacing {
            pool.next_start = at.saturating_add(spacing);
        }
    }

    pub fn give_back(&mut self, pool: usize) {
        let under_way = &mut self.pools[pool].under_way;
        *under_way = under_way
            .checked_sub(1)
            .expect("what was taken is given back once");
    }

    pub fn under_way(&self, pool: usize) -> usize {
        self.pools[pool].under_way
    }

    /// When something may become possible without any other input: a delay
    /// ends, or a rate allows the next start in a pool with a free slot.
    pub fn next_wake(&self, now: Timestamp, is_free: impl Fn(usize) -> bool) -> Option<Timestamp> {
        let delay = self.delayed.first().map(|(until, _)| *until);
        let rate = self
            .pools
            .iter()
            .enumerate()
            .filter(|(at, pool)| !pool.heap.is_empty() && pool.next_start > now && is_free(*at))
            .map(|(_, pool)| pool.next_start)
            .min();
        delay.into_iter().chain(rate).min()
    }
}

impl PoolQueue {
    /// The most urgent task, after those that nobody wants any more are gone.
    fn first_wanted(&mut self, wanted: impl Fn(TaskIx, u32) -> bool) -> Option<Queued> {
        loop {
            let first = *self.heap.peek()?;
            if wanted(first.task.0, first.attempts) {
                return Some(first);
            }
            self.heap.pop();
        }
    }
}
