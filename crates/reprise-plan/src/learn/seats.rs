//! When attempts really began. The journal tells when each was recorded as
//! started, and that may be a while before a slot was free for it; who had a
//! slot follows from the order of starts and ends.

use std::collections::BTreeMap;

use reprise_model::{AttemptId, Plan, PlannedStep, TaskIx, Timestamp};

use crate::shape::SLOTS_WITHOUT_POOL;

#[derive(Debug)]
pub(super) struct Seats {
    pool_of_step: Vec<usize>,
    step_of_task: Vec<u32>,
    pools: Vec<Pool>,
    /// Free over all pools.
    free: u32,
    under_way: BTreeMap<TaskIx, Attempt>,
    recorded: u64,
}

#[derive(Debug)]
struct Pool {
    slots: u32,
    in_use: u32,
    /// Those without a slot, in the order of the journal.
    waiting: BTreeMap<u64, TaskIx>,
}

#[derive(Debug)]
struct Attempt {
    id: AttemptId,
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Waiting(u64),
    Seated(Timestamp),
}

impl Seats {
    pub fn of(plan: &Plan) -> Self {
        let named = plan.pools.iter().map(|pool| pool.slots);
        let pools = named.chain([SLOTS_WITHOUT_POOL]).map(|slots| Pool {
            slots,
            in_use: 0,
            waiting: BTreeMap::new(),
        });
        let place = |step: &PlannedStep| {
            let pool = step.pool.as_ref();
            let found = plan.pools.iter().position(|it| Some(&it.name) == pool);
            found.unwrap_or(plan.pools.len())
        };
        Self {
            pool_of_step: plan.steps.iter().map(place).collect(),
            step_of_task: plan.tasks.iter().map(|task| task.step).collect(),
            pools: pools.collect(),
            free: plan.slots.unwrap_or(u32::MAX),
            under_way: BTreeMap::new(),
            recorded: 0,
        }
    }

    /// Another owner: what was under way is not any more.
    pub fn clear(&mut self) {
        self.under_way.clear();
        for pool in &mut self.pools {
            self.free += pool.in_use;
            pool.in_use = 0;
            pool.waiting.clear();
        }
    }

    /// The attempt is recorded as started. A probe as well: it takes a slot.
    pub fn start(&mut self, id: AttemptId, at: Timestamp) {
        let Some(pool) = self.pool_of(id.task) else {
            return;
        };
        // Two starts without an end between them are no journal of ours.
        self.end(id, at);
        self.recorded += 1;
        let pool = &mut self.pools[pool];
        let place = if self.free > 0 && pool.in_use < pool.slots {
            pool.in_use += 1;
            self.free -= 1;
            Place::Seated(at)
        } else {
            pool.waiting.insert(self.recorded, id.task);
            Place::Waiting(self.recorded)
        };
        self.under_way.insert(id.task, Attempt { id, place });
    }

    /// The attempt has ended: returns when it had got a slot.
    pub fn end(&mut self, id: AttemptId, at: Timestamp) -> Option<Timestamp> {
        let pool = self.pool_of(id.task)?;
        let attempt = self.under_way.remove(&id.task)?;
        let seated = match attempt.place {
            Place::Waiting(number) => {
                self.pools[pool].waiting.remove(&number);
                None
            }
            Place::Seated(since) => {
                self.pools[pool].in_use -= 1;
                self.free += 1;
                self.seat_who_waits(at);
                Some(since)
            }
        };
        seated.filter(|_| attempt.id == id)
    }

    fn seat_who_waits(&mut self, at: Timestamp) {
        while self.free > 0 {
            let pools = self.pools.iter_mut();
            let able = pools.filter(|pool| pool.in_use < pool.slots && !pool.waiting.is_empty());
            let Some(pool) = able.min_by_key(|pool| pool.waiting.keys().next().copied()) else {
                return;
            };
            let Some((_, task)) = pool.waiting.pop_first() else {
                return;
            };
            pool.in_use += 1;
            self.free -= 1;
            if let Some(attempt) = self.under_way.get_mut(&task) {
                attempt.place = Place::Seated(at);
            }
        }
    }

    fn pool_of(&self, task: TaskIx) -> Option<usize> {
        let step = *self.step_of_task.get(task.get())?;
        self.pool_of_step.get(step as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_slots(slots: u32) -> Seats {
        let waiting = BTreeMap::new();
        let in_use = 0;
        Seats {
            pool_of_step: vec![0],
            step_of_task: vec![0; 8],
            pools: vec![Pool {
                slots,
                in_use,
                waiting,
            }],
            free: u32::MAX,
            under_way: BTreeMap::new(),
            recorded: 0,
        }
    }

    fn id(task: u32) -> AttemptId {
        AttemptId {
            task: TaskIx(task),
            number: 1,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    #[test]
    fn an_attempt_recorded_ahead_begins_when_a_slot_is_free() {
        let mut seats = of_slots(2);
        for task in 0..4 {
            seats.start(id(task), at(0));
        }
        assert_eq!(seats.end(id(1), at(5)), Some(at(0)));
        assert_eq!(seats.end(id(2), at(6)), Some(at(5)));
        assert_eq!(seats.end(id(0), at(7)), Some(at(0)));
        assert_eq!(seats.end(id(3), at(9)), Some(at(6)));
        assert_eq!(seats.end(id(3), at(9)), None);
    }

    #[test]
    fn one_that_never_got_a_slot_takes_none_along() {
        let mut seats = of_slots(1);
        for task in 0..3 {
            seats.start(id(task), at(0));
        }
        assert_eq!(seats.end(id(1), at(1)), None);
        assert_eq!(seats.end(id(0), at(2)), Some(at(0)));
        assert_eq!(seats.end(id(2), at(3)), Some(at(2)));
    }
}
