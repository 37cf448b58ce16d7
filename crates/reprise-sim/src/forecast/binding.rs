//! What a rehearsal was bound by: the chain of tasks that determined its end,
//! each with the reason why it did not start earlier.
//!
//! From the task that ended last, back: the time before a task's start belongs
//! to what it waited for last. That is a need that ended just then (the path
//! itself), an earlier wave, a slot of its pool or of the run, or the pool's
//! rate. Nothing is left over: the parts add up to the whole.

use std::collections::BTreeMap;

use reprise_model::{Plan, PoolName, TaskIx};
use serde::Serialize;

use crate::rehearsal::Course;

/// Moments are whole microseconds, but a rate's spacing is rounded.
const ROUNDING: i64 = 2;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Binding {
    /// Work that was done one after another because it needs each other: no
    /// slot would have helped.
    Path,
    /// Sites that waited for those of an earlier wave.
    Waves,
    /// Work that waited for a slot of this pool.
    Pool { pool: PoolName },
    /// Work without a pool of its own that waited for others without one.
    NoPool,
    /// Starts that the pool's rate held back.
    Rate { pool: PoolName },
    /// Work that waited for a slot of the run.
    Slots,
}

/// How much of the recovery time something was the reason for.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Share {
    #[serde(flatten)]
    pub binding: Binding,
    pub seconds: f64,
    /// Of the whole, from 0 to 1.
    pub share: f64,
}

/// Where the time until the last hand-over went, the largest share first.
pub(crate) fn shares(plan: &Plan, course: &Course) -> Vec<Share> {
    let sheet = Sheet::of(plan, course);
    let mut seconds: BTreeMap<Binding, f64> = BTreeMap::new();
    let mut whole = 0.0;
    let mut add = |binding, micros: i64| {
        *seconds.entry(binding).or_default() += micros as f64 / 1e6;
        whole += micros as f64 / 1e6;
    };
    let mut at = sheet.last(plan);
    if let Some(last) = at {
        add(Binding::Path, last.end - last.start);
    }
    while let Some(link) = at {
        let (binding, before) = sheet.reason(plan, course, link);
        let from = before.map_or(sheet.begun, |before| before.start.min(link.start));
        add(binding, link.start - from);
        at = before.filter(|before| before.start < link.start || before.task < link.task);
    }
    let mut shares: Vec<_> = seconds
        .into_iter()
        .filter(|(_, seconds)| *seconds > 0.0)
        .map(|(binding, seconds)| Share {
            binding,
            seconds,
            share: seconds / whole,
        })
        .collect();
    shares.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    shares
}

#[derive(Clone, Copy)]
struct Span {
    task: TaskIx,
    start: i64,
    end: i64,
}

/// The rehearsal's spans, sorted for questions about a moment.
struct Sheet {
    begun: i64,
    spans: Vec<Option<Span>>,
    /// For each pool, and last for tasks without one.
    pools: Vec<Lane>,
    all: Lane,
    pool_of_step: Vec<usize>,
}

#[derive(Default)]
struct Lane {
    starts: Vec<(i64, TaskIx)>,
    ends: Vec<(i64, TaskIx)>,
}

impl Lane {
    fn sort(&mut self) {
        self.starts.sort_unstable();
        self.ends.sort_unstable();
    }

    /// A task that ended at that moment.
    fn ended_at(&self, moment: i64) -> Option<TaskIx> {
        let place = self.ends.partition_point(|(end, _)| *end < moment);
        let found = self.ends.get(place);
        found.filter(|(end, _)| *end == moment).map(|found| found.1)
    }

    /// Tasks under way just before that moment.
    fn in_use_before(&self, moment: i64) -> usize {
        let begun = self.starts.partition_point(|(start, _)| *start < moment);
        let over = self.ends.partition_point(|(end, _)| *end < moment);
        begun - over.min(begun)
    }

    /// The last to start before that moment.
    fn started_before(&self, moment: i64) -> Option<(i64, TaskIx)> {
        let place = self.starts.partition_point(|(start, _)| *start < moment);
        place.checked_sub(1).map(|before| self.starts[before])
    }
}

impl Sheet {
    fn of(plan: &Plan, course: &Course) -> Self {
        let place = |name: &PoolName| plan.pools.iter().position(|pool| pool.name == *name);
        let pool_of = plan.steps.iter().map(|step| {
            let pool = step.pool.as_ref().and_then(place);
            pool.unwrap_or(plan.pools.len())
        });
        let mut sheet = Self {
            begun: course.begun.as_micros(),
            spans: Vec::with_capacity(plan.tasks.len()),
            pools: (0..=plan.pools.len()).map(|_| Lane::default()).collect(),
            all: Lane::default(),
            pool_of_step: pool_of.collect(),
        };
        for task in plan.ixs() {
            sheet.add(plan, course, task);
        }
        sheet.pools.iter_mut().for_each(Lane::sort);
        sheet.all.sort();
        sheet
    }

    fn add(&mut self, plan: &Plan, course: &Course, task: TaskIx) {
        let moments = course.start(task).zip(course.end(task));
        self.spans.push(moments.map(|(start, end)| Span {
            task,
            start: start.as_micros(),
            end: end.as_micros(),
        }));
        let gate = plan.step_of(task).action == reprise_model::Action::Gate;
        if let (Some((start, end)), false) = (moments, gate) {
            let pool = self.pool_of_step[plan.tasks[task.get()].step as usize];
            for lane in [&mut self.pools[pool], &mut self.all] {
                lane.starts.push((start.as_micros(), task));
                lane.ends.push((end.as_micros(), task));
            }
        }
    }

    fn span(&self, task: TaskIx) -> Option<Span> {
        self.spans[task.get()]
    }

    /// The last hand-over of a site, or the last end where there are no sites.
    fn last(&self, plan: &Plan) -> Option<Span> {
        let counts =
            |span: &&Span| plan.sites.is_empty() || plan.tasks[span.task.get()].site.is_some();
        let spans = self.spans.iter().flatten().filter(counts);
        spans.max_by_key(|span| (span.end, span.task)).copied()
    }

    /// Why a task did not start earlier, and the task that stood in its way.
    fn reason(&self, plan: &Plan, course: &Course, link: Span) -> (Binding, Option<Span>) {
        let task = &plan.tasks[link.task.get()];
        let ready = course.ready(plan, link.task).as_micros();
        if link.start > ready {
            return self.held_back(plan, link);
        }
        let needs = task.needs.iter().filter_map(|need| self.span(*need));
        match needs.max_by_key(|need| (need.end, need.task)) {
            Some(need) if need.end == ready => (Binding::Path, Some(need)),
            Some(_) | None if ready > self.begun => {
                (Binding::Waves, self.last_of_earlier_waves(ready))
            }
            Some(_) | None => (Binding::Path, None),
        }
    }

    /// Whose end opened a wave.
    fn last_of_earlier_waves(&self, opened: i64) -> Option<Span> {
        let task = self.all.ended_at(opened);
        task.and_then(|task| self.span(task))
    }

    /// Ready, and not started: by its pool's slots or rate, or by the run's slots.
    fn held_back(&self, plan: &Plan, link: Span) -> (Binding, Option<Span>) {
        let place = self.pool_of_step[plan.tasks[link.task.get()].step as usize];
        let lane = &self.pools[place];
        let pool = plan.pools.get(place);
        let spacing = pool.and_then(|pool| pool.rate_per_second);
        let spacing = spacing.map(|rate| (1e6 / rate) as i64);
        if let (Some(pool), Some(spacing)) = (pool, spacing)
            && let Some((start, before)) = lane.started_before(link.start)
            && (link.start - start - spacing).abs() <= ROUNDING
        {
            let pool = pool.name.clone();
            return (Binding::Rate { pool }, self.span(before));
        }
        let ended = lane.ended_at(link.start).and_then(|task| self.span(task));
        let slots = pool.map(|pool| pool.slots as usize);
        let full = slots.is_none_or(|slots| lane.in_use_before(link.start) >= slots);
        match (pool, ended) {
            (Some(pool), Some(_)) if full => {
                let pool = pool.name.clone();
                (Binding::Pool { pool }, ended)
            }
            (None, Some(_)) if plan.slots.is_none() => (Binding::NoPool, ended),
            (Some(_) | None, _) => {
                let ended = self.all.ended_at(link.start);
                (Binding::Slots, ended.and_then(|task| self.span(task)))
            }
        }
    }
}
