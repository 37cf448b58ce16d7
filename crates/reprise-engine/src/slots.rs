//! Slots, as the world uses them: whose attempts are under way, and who is on
//! deck.
//!
//! A slot is free once its attempt has ended, not once the end is durable. So
//! that it does not stand idle for a commit before the next attempt may start,
//! some attempts are journalled before a slot is free for them; they wait *on
//! deck*, durable by then, and are sent off in the order of the journal. The
//! deck holds as much work as its pool gets done in [`ENTRIES_AHEAD`] times
//! what entries take to be durable, and in [`Options::reach`] at most: where
//! tasks take seconds nobody is on it, and nowhere does a more urgent task wait
//! longer than that for those that were journalled before it.
//!
//! All of this is a matter of one owner's life: the journal knows of starts and
//! ends alone, and an attempt on deck at a crash is one that was started.
//!
//! [`Options::reach`]: crate::Options::reach

use std::collections::VecDeque;
use std::time::Duration;

use reprise_model::{Plan, Seq, TaskIx, Timestamp};

use crate::by_task::ByTask;
use crate::fold::Flight;
use crate::topology::Topology;

/// Attempts on one pool's deck: bounds what a crash leaves to be probed.
const ON_DECK_AT_MOST: usize = 4096;

/// Weight of the newest sample in a mean, as a divisor: high enough to follow
/// a change within some ten samples.
const NEWEST_OF: f64 = 8.0;

/// The deck has to last while the page that is being written is committed and
/// the next one after it; once more for a disk that is slow for a moment.
const ENTRIES_AHEAD: f64 = 3.0;

/// An attempt that was journalled ahead of its slot.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct OnDeck {
    pub task: TaskIx,
    /// Its entry in the journal.
    pub after: Seq,
    /// Microseconds that it is expected to take.
    expected: f64,
}

/// An attempt that has a slot.
#[derive(Clone, Copy)]
struct Sent {
    at: Timestamp,
    after: Seq,
    /// When its entry was durable, so that it could begin: what it took counts
    /// from here. Absent while it waits, and where nobody tells.
    began: Option<Timestamp>,
}

#[derive(Clone)]
struct Pool {
    slots: u32,
    in_use: u32,
    deck: VecDeque<OnDeck>,
    /// Microseconds of work on deck.
    ahead: f64,
    /// Slots whose work may be on deck: none under a rate.
    ahead_for: f64,
}

/// How long entries take to be durable, told by one at a time.
#[derive(Clone, Default)]
struct Lag {
    watched: Option<(Seq, Timestamp)>,
    mean: Option<f64>,
}

impl Lag {
    fn note_recorded(&mut self, entry: Seq, at: Timestamp) {
        self.watched.get_or_insert((entry, at));
    }

    fn note_durable(&mut self, next: Seq, now: Timestamp) {
        if let Some((_, at)) = self.watched.take_if(|(entry, _)| *entry < next) {
            follow(&mut self.mean, microseconds(at, now));
        }
    }
}

#[derive(Clone)]
pub(crate) struct Slots {
    pools: Vec<Pool>,
    /// Free over all pools.
    free: u32,
    on_deck: usize,
    sent: ByTask<Sent>,
    /// Every entry before this one is durable, as far as was told.
    durable: Seq,
    lag: Lag,
    /// Microseconds that the deck may last at most.
    reach: f64,
    /// Microseconds that attempts of each step took lately.
    means: Vec<Option<f64>>,
}

impl Slots {
    pub fn new(topology: &Topology, reach: Duration) -> Self {
        let plan: &Plan = &topology.plan;
        let pools = topology.pools.iter().map(|pool| Pool {
            slots: pool.slots,
            in_use: 0,
            deck: VecDeque::new(),
            ahead: 0.0,
            ahead_for: match pool.spacing {
                Some(_) => 0.0,
                None => f64::from(pool.slots),
            },
        });
        Self {
            pools: pools.collect(),
            free: plan.slots.unwrap_or(u32::MAX),
            on_deck: 0,
            sent: ByTask::new(plan.tasks.len()),
            durable: Seq(0),
            lag: Lag::default(),
            reach: reach.as_secs_f64() * 1e6,
            means: vec![None; plan.steps.len()],
        }
    }

    /// Takes over the attempts that a journal has under way, so that a run can
    /// be followed on from there. Which of them were on deck it does not tell:
    /// those that came last, as far as there are no slots for them.
    pub fn of_flights(topology: &Topology, reach: Duration, flights: &ByTask<Flight>) -> Self {
        let mut slots = Self::new(topology, reach);
        let mut flights: Vec<_> = flights.values().collect();
        flights.sort_unstable_by_key(|flight| (flight.since, flight.attempt));
        for flight in flights {
            let task = flight.attempt.task;
            if slots.is_free(topology.pool(task)) {
                slots.send_off(topology.pool(task), task, Seq(0), flight.since);
            } else {
                slots.put_on_deck(topology, task, Seq(0));
            }
        }
        slots
    }

    pub fn is_free(&self, pool: usize) -> bool {
        let pool = &self.pools[pool];
        self.free > 0 && pool.in_use < pool.slots
    }

    /// Attempts of the pool that the journal takes to be under way.
    pub fn journalled(&self, pool: usize) -> usize {
        self.pools[pool].in_use as usize + self.pools[pool].deck.len()
    }

    /// When the task's attempt was sent off, if one is under way.
    pub fn sent(&self, task: TaskIx) -> Option<Timestamp> {
        self.sent.get(task).map(|sent| sent.at)
    }

    pub fn send_off(&mut self, pool: usize, task: TaskIx, after: Seq, now: Timestamp) {
        let pool = &mut self.pools[pool];
        assert!(self.free > 0 && pool.in_use < pool.slots, "a slot is free");
        pool.in_use += 1;
        self.free -= 1;
        let began = (after < self.durable).then_some(now);
        let at = now;
        self.sent.insert(task, Sent { at, after, began });
    }

    pub fn note_recorded(&mut self, entry: Seq, at: Timestamp) {
        self.lag.note_recorded(entry, at);
    }

    pub fn note_durable(&mut self, next: Seq, now: Timestamp) {
        self.durable = next;
        self.lag.note_durable(next, now);
        for sent in self.sent.values_mut() {
            if sent.began.is_none() && sent.after < next {
                sent.began = Some(now);
            }
        }
    }

    /// The attempt has ended: its slot is free from now on. Returns when it
    /// had been sent off.
    pub fn land(&mut self, topology: &Topology, task: TaskIx, now: Timestamp) -> Timestamp {
        let sent = self.sent.remove(task).expect("an attempt ends once");
        let pool = &mut self.pools[topology.pool(task)];
        pool.in_use = pool.in_use.checked_sub(1).expect("one slot an attempt");
        self.free += 1;
        let began = sent.began.unwrap_or(sent.at);
        let mean = &mut self.means[topology.plan.tasks[task.get()].step as usize];
        follow(mean, microseconds(began, now));
        sent.at
    }

    /// Whether the pool's deck has room for the task. Nobody is taken on deck
    /// of whom it is not known how long they take.
    pub fn has_room(&self, topology: &Topology, pool: usize, task: TaskIx) -> bool {
        let pool = &self.pools[pool];
        let Some(expected) = self.expected(topology, task) else {
            return false;
        };
        let lag = self.lag.mean;
        let reach = match pool.deck.is_empty() {
            // Less than one would be too few, but for tasks that take seconds.
            true => self.reach,
            false => lag.map_or(self.reach, |lag| self.reach.min(lag * ENTRIES_AHEAD)),
        };
        pool.deck.len() < ON_DECK_AT_MOST && pool.ahead + expected <= reach * pool.ahead_for
    }

    fn expected(&self, topology: &Topology, task: TaskIx) -> Option<f64> {
        let planned = &topology.plan.tasks[task.get()];
        let mean = self.means[planned.step as usize]?;
        let own = planned
            .expected
            .map_or(0.0, |own| own.0.as_secs_f64() * 1e6);
        Some(mean.max(own))
    }

    pub fn put_on_deck(&mut self, topology: &Topology, task: TaskIx, after: Seq) {
        let expected = self.expected(topology, task).unwrap_or_default();
        let pool = &mut self.pools[topology.pool(task)];
        pool.ahead += expected;
        pool.deck.push_back(OnDeck {
            task,
            after,
            expected,
        });
        self.on_deck += 1;
    }

    /// Takes the attempt that waits longest among those with a free slot: of
    /// all on deck its entry is durable first.
    pub fn next_on_deck(&mut self) -> Option<OnDeck> {
        if self.on_deck == 0 || self.free == 0 {
            return None;
        }
        let pools = self.pools.iter_mut();
        let with_slot = pools.filter(|pool| pool.in_use < pool.slots && !pool.deck.is_empty());
        let pool = with_slot.min_by_key(|pool| pool.deck.front().map(|first| first.after))?;
        self.on_deck -= 1;
        pool.take(0)
    }

    /// Takes the task's attempt off deck, if it is there.
    pub fn recall(&mut self, topology: &Topology, task: TaskIx) -> Option<OnDeck> {
        if self.on_deck == 0 {
            return None;
        }
        let pool = &mut self.pools[topology.pool(task)];
        let place = pool.deck.iter().position(|found| found.task == task)?;
        self.on_deck -= 1;
        pool.take(place)
    }

    /// Takes all attempts off deck, in the order of the journal.
    pub fn recall_all(&mut self) -> Vec<OnDeck> {
        self.on_deck = 0;
        let mut all = Vec::new();
        for pool in &mut self.pools {
            all.extend(pool.deck.drain(..));
            pool.ahead = 0.0;
        }
        all.sort_unstable_by_key(|found| found.after);
        all
    }
}

impl Pool {
    fn take(&mut self, place: usize) -> Option<OnDeck> {
        let taken = self.deck.remove(place)?;
        // From nothing, so that rounding does not add up over a long run.
        self.ahead = match self.deck.is_empty() {
            true => 0.0,
            false => self.ahead - taken.expected,
        };
        Some(taken)
    }
}

fn microseconds(from: Timestamp, to: Timestamp) -> f64 {
    (to.as_micros() - from.as_micros()).max(0) as f64
}

fn follow(mean: &mut Option<f64>, sample: f64) {
    *mean = Some(mean.map_or(sample, |mean| mean + (sample - mean) / NEWEST_OF));
}
