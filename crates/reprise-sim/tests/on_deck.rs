//! Attempts that are journalled before a slot is free for them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use reprise_engine::{Effect, Engine, Fold, FoldError, Input, Options};
use reprise_model::{
    AttemptEnd, AttemptId, Command, Elapsed, Entry, Epoch, Event, Fault, Outcome, Owner, Plan,
    Plans, TaskIx, TaskState, Timestamp,
};
use reprise_sim::{Sample, plan};

/// Longer than a simulated attempt takes here.
const REACH: Duration = Duration::from_millis(50);
const TAKES: Duration = Duration::from_millis(10);

/// One owner's life, an input at a time, with books of its own.
struct Stage {
    engine: Engine,
    plan: Arc<Plan>,
    now: Timestamp,
    journal: Vec<Entry>,
    /// Attempts under way in the world, the oldest first.
    sent: VecDeque<AttemptId>,
    wake: Option<Timestamp>,
}

impl Stage {
    fn new(plan: Plan) -> Self {
        let plan = Arc::new(plan.sealed());
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        let options = Options {
            reach: REACH,
            ..Options::default()
        };
        let (engine, created) = Engine::create(plan.clone(), options, now);
        let mut stage = Self {
            engine,
            plan,
            now,
            journal: vec![created],
            sent: VecDeque::new(),
            wake: None,
        };
        let owner = Owner {
            epoch: Epoch(1),
            host: "test".to_owned(),
            pid: 1,
            version: "0".to_owned(),
        };
        let inbox = Vec::new();
        stage.feed(Input::Begin { owner, inbox });
        stage
    }

    fn feed(&mut self, input: Input) {
        for effect in self.engine.handle(input, self.now) {
            match effect {
                Effect::Journal(entry) => self.journal.push(entry),
                Effect::Start { attempt, after } => {
                    let entry = &self.journal[usize::try_from(after.0).unwrap()];
                    assert_eq!(entry.event, Event::Started { attempt });
                    self.sent.push_back(attempt);
                }
                Effect::Wake { at } => self.wake = Some(at),
                Effect::Stop(_) => {}
                Effect::Interrupt { attempt, .. } => assert!(
                    self.sent.contains(&attempt),
                    "only what was sent off can be interrupted"
                ),
                Effect::Probe { .. } => panic!("{effect:?}"),
            }
        }
        self.check_slots();
    }

    fn finish(&mut self, attempt: AttemptId, result: Result<Outcome, Fault>) {
        self.sent.retain(|sent| *sent != attempt);
        self.feed(Input::Finished { attempt, result });
    }

    /// The oldest attempt ends after it took its time.
    fn step(&mut self) {
        self.now = self.now.saturating_add(TAKES);
        let oldest = *self.sent.front().expect("something is under way");
        self.finish(oldest, Ok(Outcome::default()));
    }

    fn command(&mut self, command: Command) {
        self.feed(Input::Commanded { number: 0, command });
    }

    /// Started, not ended, and not sent off.
    fn on_deck(&self) -> Vec<AttemptId> {
        let mut open = BTreeSet::new();
        for entry in &self.journal {
            match &entry.event {
                Event::Started { attempt } => {
                    open.insert(*attempt);
                }
                Event::Ended { attempt, .. } => {
                    open.remove(attempt);
                }
                _ => {}
            }
        }
        open.retain(|attempt| !self.sent.contains(attempt));
        open.into_iter().collect()
    }

    fn check_slots(&self) {
        let mut used = BTreeMap::new();
        for attempt in &self.sent {
            let pool = self.plan.step_of(attempt.task).pool.as_ref();
            *used.entry(pool).or_insert(0) += 1;
        }
        for pool in &self.plan.pools {
            let used = used.get(&Some(&pool.name)).copied().unwrap_or(0);
            assert!(used <= pool.slots, "{}: {used}", pool.name);
        }
        if let Some(slots) = self.plan.slots {
            assert!(self.sent.len() <= slots as usize, "{}", self.sent.len());
        }
    }

    /// Runs until somebody is on deck, and returns who.
    fn until_on_deck(&mut self) -> Vec<AttemptId> {
        for _ in 0..200 {
            let on_deck = self.on_deck();
            if on_deck.len() > 2 {
                return on_deck;
            }
            self.step();
        }
        panic!("nobody came on deck");
    }

    fn run_to_the_end(&mut self) {
        while self.engine.fold().stopped().is_none() {
            match self.sent.is_empty() {
                true => {
                    self.now = self.wake.take().expect("a rate or a delay ends");
                    self.feed(Input::Tick);
                }
                false => self.step(),
            }
        }
    }
}

fn sample() -> Plan {
    let mut plan = plan(Sample {
        sites: 60,
        shards: 2,
        waves: 1,
        gates: false,
        halt_above: None,
    });
    for pool in &mut plan.pools {
        pool.rate_per_second = None;
    }
    plan
}

fn by() -> String {
    "test".to_owned()
}

#[test]
fn the_deck_holds_no_more_work_than_is_done_within_reach() {
    let mut stage = Stage::new(sample());
    let mut most = 0;
    while stage.engine.fold().stopped().is_none() {
        let mut of_pool = BTreeMap::new();
        for attempt in stage.on_deck() {
            let pool = stage.plan.step_of(attempt.task).pool.clone();
            *of_pool.entry(pool).or_insert(0u128) += 1;
        }
        for (pool, count) in of_pool {
            let found = stage
                .plan
                .pools
                .iter()
                .find(|p| Some(&p.name) == pool.as_ref());
            let slots = u128::from(found.map_or(64, |pool| pool.slots));
            // One attempt ends each TAKES here, so none takes less.
            let within = slots * REACH.as_micros() / TAKES.as_micros();
            assert!(
                count <= within,
                "{pool:?}: {count} on deck, {within} allowed"
            );
            most = most.max(count);
        }
        stage.step();
    }
    assert!(most > 2, "the deck was used");
    assert_eq!(
        stage.engine.fold().count(TaskState::Done) as usize,
        stage.plan.tasks.len()
    );
}

#[test]
fn nobody_is_on_deck_where_tasks_take_longer_than_the_reach() {
    let mut stage = Stage::new(sample());
    while stage.engine.fold().stopped().is_none() {
        stage.now = stage.now.saturating_add(Duration::from_secs(1));
        assert_eq!(stage.on_deck(), []);
        stage.step();
    }
}

#[test]
fn a_pool_with_a_rate_has_no_deck() {
    let mut plan = sample();
    for pool in &mut plan.pools {
        pool.rate_per_second = Some(1000.0);
    }
    for step in &mut plan.steps {
        step.pool.get_or_insert_with(|| "load".into());
    }
    let mut stage = Stage::new(plan);
    while stage.engine.fold().stopped().is_none() {
        assert_eq!(stage.on_deck(), []);
        match stage.sent.is_empty() {
            true => {
                stage.now = stage.wake.take().expect("the rate allows the next");
                stage.feed(Input::Tick);
            }
            false => stage.step(),
        }
    }
}

#[test]
fn a_pause_or_a_cancel_ends_what_is_on_deck_without_starting_it() {
    for command in [Command::Pause { by: by() }, Command::Cancel { by: by() }] {
        let mut stage = Stage::new(sample());
        let on_deck = stage.until_on_deck();
        let before = stage.journal.len();
        stage.command(command);
        for attempt in &on_deck {
            let end = stage.journal[before..]
                .iter()
                .find_map(|entry| match &entry.event {
                    Event::Ended {
                        attempt: ended,
                        end,
                        ..
                    } if ended == attempt => Some(end),
                    _ => None,
                });
            assert_eq!(end, Some(&AttemptEnd::NotYet), "{attempt}");
            assert_eq!(stage.engine.fold().state(attempt.task), TaskState::Queued);
        }
        assert_eq!(stage.on_deck(), []);
    }
}

#[test]
fn what_was_paused_on_deck_is_done_after_all() {
    let mut stage = Stage::new(sample());
    let on_deck = stage.until_on_deck();
    stage.command(Command::Pause { by: by() });
    let under_way = stage.sent.len();
    for _ in 1..under_way {
        stage.step();
    }
    assert_eq!(stage.sent.len(), 1, "nothing is started while paused");
    stage.command(Command::Continue { by: by() });
    stage.run_to_the_end();
    for attempt in on_deck {
        assert_eq!(stage.engine.fold().state(attempt.task), TaskState::Done);
    }
}

#[test]
fn a_site_that_is_set_aside_is_taken_off_deck() {
    let mut stage = Stage::new(sample());
    let mut found = None;
    while found.is_none() {
        stage.step();
        let on_deck = stage.on_deck();
        let site = |task: TaskIx| stage.plan.tasks[task.get()].site;
        found = stage.sent.iter().find_map(|sent| {
            let check = stage.plan.step_of(sent.task).action.is_check();
            let same = |waiting: &&AttemptId| {
                site(sent.task).is_some() && site(waiting.task) == site(sent.task)
            };
            let waiting = on_deck.iter().find(same).filter(|_| !check)?;
            Some((*sent, *waiting))
        });
    }
    let (sent, waiting) = found.expect("found above");
    stage.finish(sent, Err(Fault::permanent("no such table")));
    assert_eq!(stage.engine.fold().state(waiting.task), TaskState::Skipped);
    stage.run_to_the_end();
    let started = |entry: &Entry| entry.event == Event::Started { attempt: waiting };
    assert_eq!(
        stage.journal.iter().filter(|entry| started(entry)).count(),
        1
    );
    assert_eq!(stage.engine.fold().state(waiting.task), TaskState::Skipped);
}

#[test]
fn slots_over_all_pools_bound_them_together() {
    let mut plan = sample();
    plan.slots = Some(3);
    let mut stage = Stage::new(plan);
    let mut most = 0;
    while stage.engine.fold().stopped().is_none() {
        most = most.max(stage.sent.len());
        stage.step();
    }
    assert_eq!(most, 3);
    assert_eq!(
        stage.engine.fold().count(TaskState::Done) as usize,
        stage.plan.tasks.len()
    );
}

#[test]
fn a_time_out_counts_from_the_moment_of_sending_off() {
    let mut plan = sample();
    let limit = Duration::from_millis(60);
    for step in &mut plan.steps {
        step.timeout = Some(Elapsed(limit));
    }
    let mut stage = Stage::new(plan);
    let waiting = stage.until_on_deck()[0];
    while !stage.sent.contains(&waiting) {
        stage.step();
    }
    let journalled = stage
        .journal
        .iter()
        .find_map(|entry| (entry.event == Event::Started { attempt: waiting }).then_some(entry.at));
    assert!(journalled.expect("it was") < stage.now);
    // Everything else ends; only the attempt from the deck goes on.
    let sent_at = stage.now;
    stage.command(Command::Pause { by: by() });
    let others: Vec<_> = stage
        .sent
        .iter()
        .copied()
        .filter(|a| *a != waiting)
        .collect();
    for other in others {
        stage.finish(other, Ok(Outcome::default()));
    }
    assert_eq!(stage.wake, Some(sent_at.saturating_add(limit)));
}

/// A follower of the run, such as the estimate, has only its journal; the plan
/// in force may have more tasks than the first one.
#[test]
fn a_run_is_followed_on_from_its_journal_also_after_a_new_plan() {
    let gated = |gates| Sample {
        sites: 12,
        shards: 2,
        waves: 1,
        gates,
        halt_above: None,
    };
    let first = Arc::new(plan(gated(false)));
    let second = Arc::new(plan(gated(true)));
    assert!(second.tasks.len() > first.tasks.len());
    let now = Timestamp::from_micros(1_800_000_000_000_000);
    let options = Options::default();
    let (mut engine, created) = Engine::create(first.clone(), options, now);
    let (replanning, entries) = engine.replan(&[], &second, now);
    assert!(!replanning.is_refused());
    let mut journal = vec![created];
    journal.extend(entries);
    let owner = Owner {
        epoch: Epoch(1),
        host: "test".to_owned(),
        pid: 1,
        version: "0".to_owned(),
    };
    let inbox = Vec::new();
    for effect in engine.handle(Input::Begin { owner, inbox }, now) {
        if let Effect::Journal(entry) = effect {
            journal.push(entry);
        }
    }
    let mut plans = Plans::new(first);
    plans.add(second);
    let mut followed = Engine::replay(plans, options, &journal).expect("the journal is whole");
    let under_way: Vec<_> = followed.fold().under_way().collect();
    assert_eq!(
        under_way.len(),
        engine.fold().under_way().count(),
        "the follower knows what is under way"
    );
    for (attempt, ..) in under_way {
        let result = Ok(Outcome::default());
        followed.handle(Input::Finished { attempt, result }, now);
        assert_eq!(followed.fold().state(attempt.task), TaskState::Done);
    }
}

/// A journal that says so is damaged: a probe that is under way holds the
/// task's slot, and its answer decides.
#[test]
fn no_attempt_begins_while_a_probe_is_under_way() {
    let plan = Arc::new(plan(Sample {
        sites: 1,
        shards: 1,
        waves: 1,
        gates: false,
        halt_above: None,
    }));
    let mut fold = Fold::new(plan.clone());
    let queued = plan.ixs().find(|it| fold.state(*it) == TaskState::Queued);
    let task = queued.expect("a recovery waits for nothing");
    let attempt = |number| AttemptId { task, number };
    let now = Timestamp::default();
    fold.apply(
        &Event::Probing {
            attempt: attempt(1),
        },
        now,
    )
    .expect("it is queued");
    for event in [
        Event::Started {
            attempt: attempt(2),
        },
        Event::Probing {
            attempt: attempt(2),
        },
    ] {
        let refused = fold.apply(&event, now);
        assert!(
            matches!(refused, Err(FoldError::Illegal { .. })),
            "{refused:?}"
        );
    }
}
