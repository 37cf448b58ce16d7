//! Runs cut at any moment and gone on with under an edited plan: nothing is
//! restored twice, no check is older than what it checked, and the journal
//! tells the same states as the engine that wrote it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use reprise_engine::{Answer, Effect, Engine, Input, Options};
use reprise_model::{
    Action, AttemptId, Command, Elapsed, Entry, Epoch, Event, Fault, Outcome, Owner, Plan,
    PlannedStep, PlannedTask, Plans, RunEnd, Scope, StepName, TaskIx, TaskKey, TaskState,
    Timestamp,
};
use reprise_sim::{Sample, plan};
use serde_json::json;

/// One thing that happens in the world.
#[derive(Clone, Copy, Debug)]
enum Act {
    Mark(AttemptId),
    Do(AttemptId),
    Answer(AttemptId),
    Probe(AttemptId),
}

/// What was done, by key, each with the moment: the count of things done.
#[derive(Default)]
struct World {
    done: BTreeMap<TaskKey, Vec<u64>>,
    attempts: BTreeSet<(TaskKey, u32)>,
    moment: u64,
}

struct Driver<'a> {
    engine: Engine,
    journal: &'a mut Vec<Entry>,
    world: &'a mut World,
    acts: VecDeque<Act>,
    clock: i64,
    /// Whether a task of this key fails for good.
    fails: &'a dyn Fn(&str) -> bool,
}

impl Driver<'_> {
    fn input(&mut self, input: Input) -> Option<RunEnd> {
        self.clock += 1_000;
        let mut end = None;
        for effect in self
            .engine
            .handle(input, Timestamp::from_micros(self.clock))
        {
            match effect {
                Effect::Journal(entry) => self.journal.push(entry),
                Effect::Start { attempt, .. } => self.start(attempt),
                Effect::Probe { attempt, .. } => self.acts.push_back(Act::Probe(attempt)),
                Effect::Wake { at } => self.clock = self.clock.max(at.as_micros()),
                Effect::Stop(stop) => end = Some(stop),
                Effect::Interrupt { .. } => {}
            }
        }
        end
    }

    fn start(&mut self, attempt: AttemptId) {
        let plan = self.engine.fold().plan().clone();
        let key = plan.key(attempt.task);
        for need in &plan.tasks[attempt.task.get()].needs {
            let settled = self.engine.fold().state(*need).is_terminal();
            assert!(settled, "{key} started before {}", plan.key(*need));
        }
        let fresh = self.world.attempts.insert((key.clone(), attempt.number));
        assert!(fresh, "attempt {} of {key} came twice", attempt.number);
        let restore = plan.step_of(attempt.task).action == Action::Restore;
        if restore {
            self.acts.push_back(Act::Mark(attempt));
        }
        self.acts.push_back(Act::Do(attempt));
        self.acts.push_back(Act::Answer(attempt));
    }

    fn key(&self, attempt: AttemptId) -> TaskKey {
        self.engine.fold().plan().key(attempt.task)
    }

    fn act(&mut self, act: Act) -> Option<RunEnd> {
        match act {
            Act::Mark(attempt) => {
                let mark = json!({ "xid": attempt.number });
                self.input(Input::Marked { attempt, mark })
            }
            Act::Do(attempt) => {
                let key = self.key(attempt);
                if !(self.fails)(key.as_str()) {
                    self.world.moment += 1;
                    let moment = self.world.moment;
                    self.world.done.entry(key).or_default().push(moment);
                }
                None
            }
            Act::Answer(attempt) => {
                let failed = (self.fails)(self.key(attempt).as_str());
                let result = match failed {
                    true => Err(Fault::permanent("no such table")),
                    false => Ok(Outcome::default()),
                };
                self.input(Input::Finished { attempt, result })
            }
            Act::Probe(attempt) => {
                let action = self.engine.fold().plan().step_of(attempt.task).action;
                let done = self.world.done.contains_key(&self.key(attempt));
                let answer = match (action, done) {
                    (Action::Restore | Action::Recover, true) => {
                        Answer::AsItShouldBe(Outcome::default())
                    }
                    (Action::Exec, _) => Answer::Unknown {
                        why: "programs cannot be asked".to_owned(),
                    },
                    (_, _) => Answer::NotYet,
                };
                self.input(Input::Probed { attempt, answer })
            }
        }
    }

    /// At most so many things happen; then the coordinator is gone.
    fn drive(&mut self, most: usize) -> Option<RunEnd> {
        let (owner, inbox) = (owner(), Vec::new());
        let mut end = self.input(Input::Begin { owner, inbox });
        for _ in 0..most {
            if end.is_some() {
                return end;
            }
            end = match self.acts.pop_front() {
                Some(act) => self.act(act),
                None => self.input(Input::Tick),
            };
        }
        end
    }
}

fn sample() -> Plan {
    let mut plan = plan(Sample {
        sites: 6,
        shards: 2,
        waves: 2,
        gates: false,
        halt_above: None,
    });
    for step in &mut plan.steps {
        step.retry.min = Elapsed::default();
        step.retry.max = Elapsed::default();
        step.timeout = None;
    }
    for pool in &mut plan.pools {
        pool.rate_per_second = None;
    }
    plan.sealed()
}

fn step<'a>(plan: &'a mut Plan, name: &str) -> &'a mut PlannedStep {
    let found = plan
        .steps
        .iter_mut()
        .find(|step| step.name.as_str() == name);
    found.expect("a step of the sample")
}

/// The step's options are others.
fn altered(mut plan: Plan, name: &str) -> Plan {
    let with = json!({ "edited": true });
    step(&mut plan, name).with = with.as_object().expect("an object").clone();
    plan.sealed()
}

/// Without the step; whoever needed it needs what it needed.
fn without(plan: &Plan, name: &str) -> Plan {
    let mut edited = plan.clone();
    let gone = plan
        .steps
        .iter()
        .position(|step| step.name.as_str() == name);
    let gone = gone.expect("a step of the sample") as u32;
    let passed = edited.steps.remove(gone as usize).needs;
    for step in &mut edited.steps {
        if step.needs.iter().any(|need| need.as_str() == name) {
            step.needs.retain(|need| need.as_str() != name);
            step.needs.extend(passed.clone());
        }
    }
    let mut places: Vec<Option<TaskIx>> = Vec::new();
    edited.tasks.clear();
    for task in &plan.tasks {
        if task.step == gone {
            places.push(None);
            continue;
        }
        let mut needs = BTreeSet::new();
        for need in &task.needs {
            match places[need.get()] {
                Some(place) => drop(needs.insert(place)),
                None => needs.extend(
                    plan.tasks[need.get()]
                        .needs
                        .iter()
                        .filter_map(|need| places[need.get()]),
                ),
            }
        }
        places.push(Some(TaskIx::at(edited.tasks.len())));
        edited.tasks.push(PlannedTask {
            step: task.step - u32::from(task.step > gone),
            needs: needs.into_iter().collect(),
            ..task.clone()
        });
    }
    edited.sealed()
}

/// A program for each site, after `after` and before everything that needs it.
fn with_step_after(plan: &Plan, after: &str) -> Plan {
    let mut edited = plan.clone();
    let place = plan
        .steps
        .iter()
        .position(|step| step.name.as_str() == after);
    let place = place.expect("a step of the sample") as u32;
    let new = edited.steps.len() as u32;
    let like = plan.steps.iter().find(|step| step.action == Action::Exec);
    let mut step = like.expect("a program").clone();
    step.name = StepName::new("extra");
    step.scope = Scope::Site;
    step.needs = vec![StepName::new(after)];
    edited.steps.push(step);
    edited.tasks.clear();
    let mut places = Vec::new();
    let mut extra: BTreeMap<TaskIx, TaskIx> = BTreeMap::new();
    for task in &plan.tasks {
        let needs = task.needs.iter();
        let needs = needs.flat_map(|need| {
            let place: TaskIx = places[need.get()];
            [Some(place), extra.get(&place).copied()]
        });
        let needs: BTreeSet<TaskIx> = needs.flatten().collect();
        let here = TaskIx::at(edited.tasks.len());
        places.push(here);
        edited.tasks.push(PlannedTask {
            needs: needs.into_iter().collect(),
            ..task.clone()
        });
        if task.step == place {
            extra.insert(here, TaskIx::at(edited.tasks.len()));
            edited.tasks.push(PlannedTask {
                step: new,
                site: task.site,
                shard: None,
                needs: vec![here],
                expected: None,
            });
        }
    }
    edited.sealed()
}

/// All sites in one wave.
fn in_one_wave(mut plan: Plan) -> Plan {
    plan.waves = vec![plan.sites.len() as u32];
    for site in &mut plan.sites {
        site.wave = 0;
    }
    plan.sealed()
}

fn edits() -> Vec<(&'static str, Plan)> {
    let plan = sample();
    vec![
        ("verify altered", altered(plan.clone(), "whole")),
        ("program altered", altered(plan.clone(), "hook")),
        ("restore altered", altered(plan.clone(), "product")),
        ("recovery altered", altered(plan.clone(), "recover")),
        ("program dropped", without(&plan, "hook")),
        ("restore dropped", without(&plan, "record")),
        ("program added", with_step_after(&plan, "product")),
        ("added before a restore", with_step_after(&plan, "record")),
        ("one wave", in_one_wave(plan.clone())),
        (
            "all at once",
            in_one_wave(altered(
                with_step_after(&without(&plan, "hook"), "product"),
                "whole",
            )),
        ),
    ]
}

/// Every check is newer than all the work before it.
fn assert_checks_are_new(plan: &Plan, engine: &Engine, world: &World, name: &str) {
    let last = |task: TaskIx| {
        let done = world.done.get(&plan.key(task));
        done.and_then(|moments| moments.last().copied())
    };
    let mut newest: Vec<u64> = Vec::new();
    for task in plan.ixs() {
        let needs = &plan.tasks[task.get()].needs;
        let before = needs
            .iter()
            .map(|need| newest[need.get()])
            .max()
            .unwrap_or(0);
        let action = plan.step_of(task).action;
        if action.is_check() && engine.fold().state(task) == TaskState::Done {
            let checked = last(task).expect("a check that was done");
            assert!(checked > before, "{name}: {} is outdated", plan.key(task));
        }
        let works = matches!(action, Action::Restore | Action::Recover | Action::Exec);
        newest.push(before.max(last(task).filter(|_| works).unwrap_or(0)));
    }
}

#[test]
fn a_run_cut_anywhere_goes_on_with_an_edited_plan() {
    let plan = Arc::new(sample());
    let (mut replanned, mut refused) = (0, 0);
    for (name, edited) in edits() {
        let edited = Arc::new(edited);
        for failing in [
            None,
            Some("product/site-00001"),
            Some("whole/site-00000"),
            Some("hook/site-00002"),
        ] {
            for most in 0..160 {
                let mut journal = Vec::new();
                let mut world = World::default();
                let (engine, created) =
                    Engine::create(plan.clone(), Options::default(), Timestamp::default());
                journal.push(created);
                let mut first = Driver {
                    engine,
                    journal: &mut journal,
                    world: &mut world,
                    acts: VecDeque::new(),
                    clock: 0,
                    fails: &|key| Some(key) == failing,
                };
                first.drive(most);
                let clock = first.clock;
                let name = format!("{name}, {failing:?} fails, cut after {most}");
                let engine = Engine::replay(plan.clone(), Options::default(), &journal);
                let mut engine = engine.expect("a journal of this plan");
                let now = Timestamp::from_micros(clock);
                let (replanning, entries) = engine.replan(&[], &edited, now);
                if replanning.is_refused() {
                    refused += 1;
                    assert!(entries.is_empty(), "{name}");
                    continue;
                }
                replanned += 1;
                journal.extend(entries);
                assert_replays(&plan, &edited, &engine, &journal, &name);
                let mut second = Driver {
                    engine,
                    journal: &mut journal,
                    world: &mut world,
                    acts: VecDeque::new(),
                    clock,
                    fails: &|_| false,
                };
                let end = second.drive(10_000);
                assert_eq!(end, Some(RunEnd::Finished), "{name}");
                let engine = second.engine;
                assert_replays(&plan, &edited, &engine, &journal, &name);
                for task in edited
                    .ixs()
                    .filter(|t| edited.step_of(*t).action == Action::Restore)
                {
                    let times = world.done.get(&edited.key(task)).map_or(0, Vec::len);
                    assert!(times <= 1, "{name}: {} {times} times", edited.key(task));
                }
                assert_checks_are_new(&edited, &engine, &world, &name);
                if failing.is_none() {
                    let done = engine.fold().count(TaskState::Done)
                        + engine.fold().count(TaskState::Satisfied);
                    assert_eq!(done as usize, edited.tasks.len(), "{name}");
                }
            }
        }
    }
    assert!(replanned > 3000 && refused > 10, "{replanned} {refused}");
}

/// The journal alone tells where every task stands.
fn assert_replays(
    plan: &Arc<Plan>,
    edited: &Arc<Plan>,
    engine: &Engine,
    journal: &[Entry],
    name: &str,
) {
    let mut plans = Plans::new(plan.clone());
    plans.add(edited.clone());
    let replayed = Engine::replay(plans, Options::default(), journal);
    let replayed = replayed.unwrap_or_else(|error| panic!("{name}: {error}"));
    let (ours, theirs) = (engine.fold(), replayed.fold());
    assert_eq!(ours.plan().hash, theirs.plan().hash, "{name}");
    for task in ours.plan().ixs() {
        assert_eq!(
            (ours.state(task), ours.status(task)),
            (theirs.state(task), theirs.status(task)),
            "{name}: {}",
            ours.plan().key(task)
        );
    }
    let replans = journal.iter();
    let replans = replans.filter(|entry| matches!(entry.event, Event::Replanned { .. }));
    assert_eq!(replans.count(), 1, "{name}");
}

/// A run of `plan` that has come to its end, read back; `fails` fails for good.
fn finished(plan: &Arc<Plan>, fails: &dyn Fn(&str) -> bool) -> Engine {
    let (engine, created) = Engine::create(plan.clone(), Options::default(), Timestamp::default());
    let mut journal = vec![created];
    drive_on(engine, &mut journal, fails);
    Engine::replay(plan.clone(), Options::default(), &journal).expect("a journal of this plan")
}

fn drive_on(engine: Engine, journal: &mut Vec<Entry>, fails: &dyn Fn(&str) -> bool) -> Engine {
    let mut driver = Driver {
        engine,
        journal,
        world: &mut World::default(),
        acts: VecDeque::new(),
        clock: 0,
        fails,
    };
    driver.drive(10_000);
    driver.engine
}

fn task(plan: &Plan, key: &str) -> TaskIx {
    let found = plan.ixs().find(|task| plan.key(*task).as_str() == key);
    found.expect("a task of the plan")
}

#[test]
fn a_restore_that_was_dropped_does_not_come_back() {
    let plan = Arc::new(sample());
    let mut engine = finished(&plan, &|_| false);
    let (dropped, other) = (
        without(&plan, "record"),
        altered(plan.as_ref().clone(), "hook"),
    );
    for edited in [dropped.clone(), altered(dropped, "whole")] {
        let (replanning, entries) = engine.replan(&[], &Arc::new(edited), Timestamp::default());
        assert!(!replanning.is_refused() && !entries.is_empty());
    }
    for back in [plan, Arc::new(other)] {
        let (replanning, entries) = engine.replan(&[], &back, Timestamp::default());
        assert!(replanning.is_refused() && entries.is_empty());
    }
}

#[test]
fn a_restore_under_a_name_that_stood_for_something_else_is_a_twin() {
    let plan = Arc::new(sample());
    let mut engine = finished(&plan, &|_| false);
    let mut swapped = plan.as_ref().clone();
    let exec = step(&mut swapped, "hook").clone();
    let restore = step(&mut swapped, "product").clone();
    for (name, like) in [("hook", &restore), ("product", &exec)] {
        let step = step(&mut swapped, name);
        step.action = like.action;
        step.store = like.store.clone();
        step.with = like.with.clone();
    }
    let place = |name: &str| plan.steps.iter().position(|s| s.name.as_str() == name);
    let (hook, product) = (place("hook"), place("product"));
    let shard_of = |site| task(&plan, &format!("product/{site}"));
    for ix in 0..swapped.tasks.len() {
        let at = Some(swapped.tasks[ix].step as usize);
        if at == hook {
            let site = plan.site_of(TaskIx::at(ix)).expect("a site's").id.clone();
            swapped.tasks[ix].shard = plan.tasks[shard_of(site).get()].shard;
        } else if at == product {
            swapped.tasks[ix].shard = None;
        }
    }
    let swapped = Arc::new(swapped.sealed());
    let (replanning, _) = engine.replan(&[], &swapped, Timestamp::default());
    assert!(replanning.is_refused());
}

#[test]
fn a_retry_waits_for_what_was_added_before_a_restore_that_is_done() {
    let plan = Arc::new(sample());
    let key = "hook/site-00000";
    let mut engine = finished(&plan, &|it| it == key);
    let mut edited = with_step_after(&plan, "record");
    let extra = step(&mut edited, "extra");
    (extra.action, extra.pool) = (Action::Gate, None);
    let edited = Arc::new(edited.sealed());
    let (gate, hook) = (task(&edited, "extra/site-00000"), task(&edited, key));
    let (_, entries) = engine.replan(&[], &edited, Timestamp::default());
    assert!(!entries.is_empty());
    assert_eq!(engine.fold().state(hook), TaskState::Failed);
    let retry = Command::Retry {
        by: "ops".to_owned(),
        tasks: vec![hook],
    };
    let owner = owner();
    let inbox = vec![(1, retry)];
    engine.handle(Input::Begin { owner, inbox }, Timestamp::from_micros(1));
    assert_eq!(engine.fold().state(gate), TaskState::Gated);
    assert_eq!(engine.fold().state(hook), TaskState::Waiting);
}

fn owner() -> Owner {
    Owner {
        epoch: Epoch(1),
        host: "host".to_owned(),
        pid: 1,
        version: "0".to_owned(),
    }
}

/// A run that was killed after its first `acts`.
fn killed(plan: &Arc<Plan>, acts: usize) -> Engine {
    let (engine, created) = Engine::create(plan.clone(), Options::default(), Timestamp::default());
    let mut journal = vec![created];
    let mut driver = Driver {
        engine,
        journal: &mut journal,
        world: &mut World::default(),
        acts: VecDeque::new(),
        clock: 0,
        fails: &|_| false,
    };
    driver.drive(acts);
    Engine::replay(plan.clone(), Options::default(), &journal).expect("a journal of this plan")
}

fn begin(engine: &mut Engine) -> Vec<Effect> {
    let (owner, inbox) = (owner(), Vec::new());
    engine.handle(Input::Begin { owner, inbox }, Timestamp::from_micros(1))
}

#[test]
fn what_an_operator_stops_before_a_new_plan_stays_stopped() {
    let plan = Arc::new(sample());
    let edited = Arc::new(altered(plan.as_ref().clone(), "whole"));
    let by = || "ann".to_owned();
    let stops = [
        (Command::Pause { by: by() }, RunEnd::Paused),
        (Command::Cancel { by: by() }, RunEnd::Cancelled),
    ];
    for (command, expected) in stops {
        let mut engine = killed(&plan, 0);
        let inbox = [(1, command)];
        engine.replan(&inbox, &edited, Timestamp::default());
        let effects = begin(&mut engine);
        assert!(effects.contains(&Effect::Stop(expected)), "{effects:?}");

        // What the owner before was told is lifted.
        let mut engine = killed(&plan, 0);
        let [(number, command)] = inbox;
        engine.handle(
            Input::Commanded { number, command },
            Timestamp::from_micros(1),
        );
        engine.replan(&[], &edited, Timestamp::default());
        let effects = begin(&mut engine);
        assert!(!effects.contains(&Effect::Stop(expected)), "{effects:?}");
    }
}

/// The edit moves a site, whose restore was under way, into a later wave: it
/// is asked about, and not begun before its wave.
#[test]
fn a_restore_that_was_cut_off_waits_for_the_wave_it_is_moved_to() {
    let plan = Arc::new(sample());
    let under_way = |engine: &Engine| {
        let mut flights = engine.fold().under_way();
        let found = flights.find(|(attempt, ..)| {
            let plan = engine.fold().plan();
            plan.step_of(attempt.task).action == Action::Restore
        });
        found.map(|(attempt, ..)| attempt.task)
    };
    let found = (0..200).find_map(|acts| {
        let engine = killed(&plan, acts);
        under_way(&engine).map(|task| (acts, task))
    });
    let (acts, restore) = found.expect("restores take a while");
    let key = plan.key(restore);
    let mut edited = plan.as_ref().clone();
    let moved = plan.tasks[restore.get()].site.expect("a site's") as usize;
    let (from, to) = (edited.sites[moved].wave, 1);
    assert_eq!(from, 0, "only the first wave is open");
    edited.sites[moved].wave = to;
    edited.waves[0] -= 1;
    edited.waves[1] += 1;
    let edited = Arc::new(edited.sealed());

    let mut journal = Vec::new();
    let mut engine = killed(&plan, acts);
    let (replanning, _) = engine.replan(&[], &edited, Timestamp::default());
    assert!(!replanning.is_refused());
    let mut driver = Driver {
        engine,
        journal: &mut journal,
        world: &mut World::default(),
        acts: VecDeque::new(),
        clock: 1_000_000_000,
        fails: &|_| false,
    };
    assert_eq!(driver.drive(10_000), Some(RunEnd::Finished));
    let place = |wanted: &dyn Fn(&Event) -> bool| journal.iter().position(|it| wanted(&it.event));
    let is_it = |attempt: &AttemptId| edited.key(attempt.task) == key;
    let probed = place(&|it| matches!(it, Event::Probing { attempt } if is_it(attempt)));
    let opened = place(&|it| matches!(it, Event::WaveOpened { wave } if *wave == to));
    let started = place(&|it| matches!(it, Event::Started { attempt } if is_it(attempt)));
    assert!(probed.is_some() && probed < opened, "{probed:?} {opened:?}");
    assert!(opened < started, "{opened:?} {started:?}");
}
