//! Nothing waits in vain: after every input, no slot is idle that a ready task
//! could use, earlier waves go first, and nobody waits longer than the work
//! of its pool. Looked at from outside: of the engine only effects and states
//! are believed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reprise_engine::{Effect, Engine, Input, Options};
use reprise_model::{
    Action, AttemptId, Command, Epoch, Event, Fault, Outcome, Owner, Plan, RunEnd, TaskIx,
    TaskState, Timestamp,
};
use reprise_sim::{Sample, plan};

/// Slots that tasks without a pool share.
const WITHOUT_POOL: u32 = 64;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Coming {
    Finished(AttemptId),
    Answered(TaskIx),
}

struct Stage {
    plan: Arc<Plan>,
    engine: Engine,
    rng: StdRng,
    /// Share of attempts that fail and are tried again.
    failing: f64,
    now: Timestamp,
    calendar: BinaryHeap<Reverse<(Timestamp, Coming)>>,
    wake: Option<Timestamp>,
    pools: Vec<PoolSeen>,
    pool_of: Vec<usize>,
    under_way: u32,
    /// When the task could first have had a slot.
    ready_since: BTreeMap<TaskIx, Timestamp>,
    not_before: BTreeMap<TaskIx, Timestamp>,
    stopped: Option<RunEnd>,
}

struct PoolSeen {
    slots: u32,
    spacing: Option<Duration>,
    under_way: u32,
    last_start: Option<Timestamp>,
    work: Duration,
    longest_wait: Duration,
}

impl Stage {
    fn new(plan: Plan, failing: f64, seed: u64) -> Self {
        let plan = Arc::new(plan.sealed());
        let seen = |slots, rate: Option<f64>| PoolSeen {
            slots,
            spacing: rate.map(|rate| Duration::from_secs_f64(1.0 / rate)),
            under_way: 0,
            last_start: None,
            work: Duration::ZERO,
            longest_wait: Duration::ZERO,
        };
        let named = plan.pools.iter();
        let mut pools: Vec<_> = named.map(|p| seen(p.slots, p.rate_per_second)).collect();
        pools.push(seen(WITHOUT_POOL, None));
        let place = |task: TaskIx| {
            let name = plan.step_of(task).pool.as_ref();
            let found = plan.pools.iter().position(|pool| Some(&pool.name) == name);
            found.unwrap_or(plan.pools.len())
        };
        Self {
            pool_of: plan.ixs().map(place).collect(),
            engine: Engine::create(plan.clone(), Options::default(), Timestamp::EPOCH).0,
            plan,
            rng: StdRng::seed_from_u64(seed),
            failing,
            now: Timestamp::EPOCH,
            calendar: BinaryHeap::new(),
            wake: None,
            pools,
            under_way: 0,
            ready_since: BTreeMap::new(),
            not_before: BTreeMap::new(),
            stopped: None,
        }
    }

    /// Drives the run to its end, looking after every input.
    fn play(mut self) -> Vec<PoolSeen> {
        let owner = Owner {
            epoch: Epoch(1),
            host: "stage".to_owned(),
            pid: 0,
            version: String::new(),
        };
        let inbox = Vec::new();
        let mut input = Input::Begin { owner, inbox };
        loop {
            let effects = self.engine.handle(input, self.now);
            let mut started = Vec::new();
            for effect in effects {
                started.extend(self.perform(effect));
            }
            if self.stopped.is_some() {
                assert_eq!(self.stopped, Some(RunEnd::Finished));
                return self.pools;
            }
            self.look(&started);
            input = self.next_input();
        }
    }

    fn perform(&mut self, effect: Effect) -> Option<TaskIx> {
        match effect {
            Effect::Journal(entry) => match entry.event {
                Event::Ended { attempt, again, .. } => {
                    self.ready_since.remove(&attempt.task);
                    if let Some(again) = again {
                        self.not_before.insert(attempt.task, again);
                    }
                }
                Event::GateOpened { task } => {
                    let after = Duration::from_secs(self.rng.random_range(0..60));
                    self.expect(after, Coming::Answered(task));
                }
                _ => {}
            },
            Effect::Start { attempt, .. } => {
                self.start(attempt);
                return Some(attempt.task);
            }
            Effect::Wake { at } => self.wake = Some(at),
            Effect::Stop(end) => self.stopped = Some(end),
            Effect::Probe { .. } | Effect::Interrupt { .. } => {
                panic!("nothing is unknown here, and nothing takes too long")
            }
        }
        None
    }

    fn expect(&mut self, after: Duration, coming: Coming) {
        let at = self.now.saturating_add(after);
        self.calendar.push(Reverse((at, coming)));
    }

    fn start(&mut self, attempt: AttemptId) {
        let expected = self.plan.expected(attempt.task);
        let takes = expected.mul_f64(self.rng.random_range(0.2..3.0));
        self.expect(takes, Coming::Finished(attempt));
        self.under_way += 1;
        let pool = &mut self.pools[self.pool_of[attempt.task.get()]];
        pool.under_way += 1;
        pool.last_start = Some(self.now);
        pool.work += takes;
        let since = self.ready_since.remove(&attempt.task);
        let waited = self.now.seconds_since(since.unwrap_or(self.now));
        let waited = Duration::from_secs_f64(waited);
        pool.longest_wait = pool.longest_wait.max(waited);
    }

    fn look(&mut self, started: &[TaskIx]) {
        let slots_left = self.plan.slots.is_none_or(|slots| self.under_way < slots);
        for task in self.plan.ixs() {
            let early = self.not_before.get(&task).is_some_and(|at| *at > self.now);
            if self.engine.fold().state(task) != TaskState::Queued || early {
                continue;
            }
            self.ready_since.entry(task).or_insert(self.now);
            let place = self.pool_of[task.get()];
            let pool = &self.pools[place];
            let allowed = match (pool.last_start, pool.spacing) {
                (Some(last), Some(spacing)) => last.saturating_add(spacing) <= self.now,
                (Some(_) | None, _) => true,
            };
            let key = self.plan.key(task);
            let idle = slots_left && pool.under_way < pool.slots && allowed;
            assert!(!idle, "{key} waits beside an idle slot at {}", self.now);
            let wave = |task| self.plan.site_of(task).map_or(0, |site| site.wave);
            let overtaken = started
                .iter()
                .find(|other| self.pool_of[other.get()] == place && wave(**other) > wave(task));
            assert_eq!(overtaken, None, "{key} of an earlier wave waits");
        }
    }

    fn next_input(&mut self) -> Input {
        let next = self.calendar.peek().map(|Reverse((at, _))| *at);
        if let Some(wake) = self.wake
            && next.is_none_or(|next| wake <= next)
        {
            self.wake = None;
            self.now = self.now.max(wake);
            return Input::Tick;
        }
        let Reverse((at, coming)) = self.calendar.pop().expect("something comes");
        self.now = at;
        let attempt = match coming {
            Coming::Finished(attempt) => attempt,
            Coming::Answered(task) => {
                let command = Command::Answer {
                    task,
                    approved: true,
                    by: "stage".to_owned(),
                    note: None,
                };
                return Input::Commanded { number: 0, command };
            }
        };
        self.under_way -= 1;
        self.pools[self.pool_of[attempt.task.get()]].under_way -= 1;
        let failed = self.rng.random_bool(self.failing);
        let result = match failed && attempt.number < 4 {
            true => Err(Fault::temporary("lost")),
            false => Ok(Outcome::default()),
        };
        Input::Finished { attempt, result }
    }
}

/// A plan whose sites wait for a person first, so that waves overlap: what
/// comes after a gate holds no wave back.
fn sample(sites: u32, waves: u32) -> Plan {
    let mut plan = plan(Sample {
        sites,
        shards: 3,
        waves,
        gates: false,
        halt_above: None,
    });
    for step in &mut plan.steps {
        step.timeout = None;
        step.retry.attempts = 5;
        // A retry without a probe: what is asked here is only the order.
        step.action = match step.name.as_str() {
            "record" => Action::Gate,
            _ => Action::Exec,
        };
    }
    plan
}

#[test]
fn no_slot_is_idle_while_a_ready_task_could_use_it() {
    for seed in 0..20 {
        for slots in [None, Some(5), Some(1)] {
            let mut plan = sample(25, 3);
            plan.slots = slots;
            Stage::new(plan, 0.3, seed).play();
        }
    }
}

#[test]
fn nobody_waits_longer_than_the_work_of_its_pool() {
    for seed in 0..20 {
        let mut plan = sample(40, 2);
        for pool in &mut plan.pools {
            pool.rate_per_second = None;
        }
        // Retries come back all the time, and rank before what waits behind them.
        for pool in Stage::new(plan, 0.6, seed).play() {
            let share = pool.work.div_f64(f64::from(pool.slots));
            let longest = Duration::from_secs(180);
            assert!(pool.longest_wait <= share + longest, "seed {seed}");
        }
    }
}
