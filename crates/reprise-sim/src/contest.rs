//! How long the engine takes for a workload, by what it knows of it, and how
//! long the plainest scheduler takes.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use reprise_model::{AttemptEnd, AttemptId, Entry, Event, Outcome, Plan, PlannedStep, Seq, TaskIx};
use reprise_plan::learn::{self, Learner, Story};

use crate::rehearsal::{Course, rehearse};
use crate::workload::Workload;

/// What the engine knows of the workload before the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Knowledge {
    /// What each step takes in the median, and nothing of the sites.
    Cold,
    /// What an earlier run over the same sites took.
    Learned,
    /// What each task will take.
    Known,
}

/// The engine's makespan, in virtual time.
pub fn engine_takes(work: &Workload, knowledge: Knowledge) -> Duration {
    let plan = match knowledge {
        Knowledge::Cold => work.plan.clone(),
        Knowledge::Learned => learned(work),
        Knowledge::Known => work.known(),
    };
    Duration::from_secs_f64(course(plan, &work.durations).makespan())
}

fn course(plan: Plan, durations: &[Duration]) -> Course {
    rehearse(&Arc::new(plan), |task: TaskIx| durations[task.get()])
}

/// The plan of somebody who has run it once, with what its tasks took then.
pub fn learned(work: &Workload) -> Plan {
    let earlier = work.at_another_time(1);
    let mut learner = Learner::default();
    learner.add(&story(&earlier));
    let lessons = learner.finish();
    let mut plan = work.plan.clone();
    learn::expect(&mut plan, &lessons);
    plan.sealed()
}

/// What the journal of a run says about times.
fn story(work: &Workload) -> Story {
    let course = course(work.plan.clone(), &work.durations);
    let mut story = Story::of(work.plan.clone());
    for task in work.plan.ixs() {
        let (Some(start), Some(end)) = (course.start(task), course.end(task)) else {
            continue;
        };
        let attempt = AttemptId { task, number: 1 };
        let done = Event::Ended {
            attempt,
            end: AttemptEnd::Done(Outcome::default()),
            again: None,
        };
        for (at, event) in [(start, Event::Started { attempt }), (end, done)] {
            let seq = Seq(0);
            story.feed(&Entry { seq, at, event });
        }
    }
    story
}

/// The makespan of first come, first served: of all that waits for a slot,
/// whatever has waited longest and can have one.
pub fn first_come_takes(work: &Workload) -> Duration {
    let plan = &work.plan;
    let mut bare = Bare::new(plan);
    let mut calendar = BinaryHeap::new();
    let mut now = Duration::ZERO;
    loop {
        while let Some(task) = bare.start() {
            calendar.push(Reverse((now + work.durations[task.get()], task)));
        }
        let Some(Reverse((at, task))) = calendar.pop() else {
            return now;
        };
        now = at;
        bare.end(task);
    }
}

/// Slots, and those who wait for them.
struct Bare<'a> {
    plan: &'a Plan,
    dependents: Vec<Vec<TaskIx>>,
    needs_left: Vec<usize>,
    slots: u32,
    pools: Vec<u32>,
    /// By pool, in the order in which they came, with their number in it.
    waiting: Vec<VecDeque<(u64, TaskIx)>>,
    came: u64,
}

impl<'a> Bare<'a> {
    fn new(plan: &'a Plan) -> Self {
        let mut bare = Self {
            plan,
            dependents: vec![Vec::new(); plan.tasks.len()],
            needs_left: plan.tasks.iter().map(|task| task.needs.len()).collect(),
            slots: plan.slots.unwrap_or(u32::MAX),
            pools: plan.pools.iter().map(|pool| pool.slots).collect(),
            waiting: vec![VecDeque::new(); plan.pools.len()],
            came: 0,
        };
        for task in plan.ixs() {
            for need in &plan.tasks[task.get()].needs {
                bare.dependents[need.get()].push(task);
            }
            if bare.needs_left[task.get()] == 0 {
                bare.wait(task);
            }
        }
        bare
    }

    fn pool(&self, step: &PlannedStep) -> usize {
        let place = |pool: &reprise_model::Pool| step.pool.as_ref() == Some(&pool.name);
        let found = self.plan.pools.iter().position(place);
        found.expect("every step of the workload has a pool")
    }

    fn wait(&mut self, task: TaskIx) {
        let pool = self.pool(self.plan.step_of(task));
        self.waiting[pool].push_back((self.came, task));
        self.came += 1;
    }

    fn start(&mut self) -> Option<TaskIx> {
        let free = (0..self.pools.len()).filter(|pool| self.slots > 0 && self.pools[*pool] > 0);
        let first = free.filter_map(|pool| Some((self.waiting[pool].front()?.0, pool)));
        let (_, pool) = first.min()?;
        self.slots -= 1;
        self.pools[pool] -= 1;
        self.waiting[pool].pop_front().map(|(_, task)| task)
    }

    fn end(&mut self, task: TaskIx) {
        let pool = self.pool(self.plan.step_of(task));
        self.slots += 1;
        self.pools[pool] += 1;
        for dependent in std::mem::take(&mut self.dependents[task.get()]) {
            self.needs_left[dependent.get()] -= 1;
            if self.needs_left[dependent.get()] == 0 {
                self.wait(dependent);
            }
        }
    }
}
