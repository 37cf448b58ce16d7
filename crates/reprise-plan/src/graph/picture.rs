//! What every format shows: boxes and arrows, with the critical path marked.

use std::collections::{BTreeMap, BTreeSet};

use reprise_model::{Action, Plan, PlannedStep, Scope, TaskIx, format_duration};

use crate::shape::critical_path;

/// Up to how many tasks a plan is shown task by task.
const TASKS_AT_MOST: usize = 60;

#[derive(Debug)]
pub(super) struct Picture {
    pub title: String,
    /// Boxes in topological order.
    pub boxes: Vec<Box>,
    pub arrows: Vec<Arrow>,
}

#[derive(Debug)]
pub(super) struct Box {
    pub name: String,
    /// Smaller text below the name.
    pub lines: Vec<String>,
    pub scope: Scope,
    pub gate: bool,
    pub critical: bool,
}

/// From a need to what needs it, by places in `boxes`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Arrow {
    pub from: usize,
    pub to: usize,
    pub critical: bool,
}

impl Picture {
    pub(super) fn of(plan: &Plan) -> Self {
        if plan.tasks.len() > TASKS_AT_MOST {
            by_step(plan)
        } else {
            by_task(plan)
        }
    }
}

fn title(plan: &Plan, path_seconds: f64) -> String {
    let path = std::time::Duration::try_from_secs_f64(path_seconds).unwrap_or_default();
    format!(
        "{} to {}: {}, {}, critical path {}",
        plan.estate.name,
        plan.target_time,
        count(plan.sites.len(), "site"),
        count(plan.tasks.len(), "task"),
        format_duration(path),
    )
}

fn count(number: usize, of: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {of}{plural}")
}

fn by_task(plan: &Plan) -> Picture {
    let path = critical_path(plan);
    let on_path: BTreeSet<TaskIx> = path.tasks.iter().copied().collect();
    let hops: BTreeSet<_> = path.tasks.windows(2).map(|two| (two[0], two[1])).collect();
    let boxes = plan.ixs().map(|task| {
        let step = plan.step_of(task);
        Box {
            name: plan.key(task).to_string(),
            lines: vec![work(step), cost(step)],
            scope: step.scope,
            gate: step.action == Action::Gate,
            critical: on_path.contains(&task),
        }
    });
    let arrows = plan.ixs().flat_map(|to| {
        let hops = &hops;
        let needs = plan.tasks[to.get()].needs.iter();
        needs.map(move |&from| Arrow {
            from: from.get(),
            to: to.get(),
            critical: hops.contains(&(from, to)),
        })
    });
    Picture {
        title: title(plan, path.seconds),
        boxes: boxes.collect(),
        arrows: arrows.collect(),
    }
}

fn by_step(plan: &Plan) -> Picture {
    let step_of = |task: TaskIx| plan.tasks[task.get()].step;
    let path = critical_path(plan);
    let on_path: BTreeSet<u32> = path.tasks.iter().map(|&task| step_of(task)).collect();
    let hops = path.tasks.windows(2);
    let hops: BTreeSet<_> = hops.map(|two| (step_of(two[0]), step_of(two[1]))).collect();
    let mut boxes = Vec::new();
    let mut places = BTreeMap::new();
    for (step, tasks) in steps_in_order(plan) {
        places.insert(step, boxes.len());
        boxes.push(step_box(
            &plan.steps[step as usize],
            tasks,
            on_path.contains(&step),
        ));
    }
    let mut pairs = BTreeSet::new();
    for task in &plan.tasks {
        pairs.extend(task.needs.iter().map(|&need| (step_of(need), task.step)));
    }
    let arrows = pairs.into_iter().map(|pair| Arrow {
        from: places[&pair.0],
        to: places[&pair.1],
        critical: hops.contains(&pair),
    });
    let mut arrows: Vec<Arrow> = arrows.collect();
    arrows.sort_unstable();
    Picture {
        title: title(plan, path.seconds),
        boxes,
        arrows,
    }
}

/// Steps with at least one task, in the order of their first, with the number.
fn steps_in_order(plan: &Plan) -> Vec<(u32, usize)> {
    let mut tasks = vec![0; plan.steps.len()];
    let mut order = Vec::new();
    for task in &plan.tasks {
        if tasks[task.step as usize] == 0 {
            order.push(task.step);
        }
        tasks[task.step as usize] += 1;
    }
    order
        .into_iter()
        .map(|step| (step, tasks[step as usize]))
        .collect()
}

fn step_box(step: &PlannedStep, tasks: usize, critical: bool) -> Box {
    let number = match step.scope {
        Scope::Run => "once".to_owned(),
        Scope::Shard => count(tasks, "shard"),
        Scope::Site => count(tasks, "site"),
    };
    Box {
        name: step.name.to_string(),
        lines: vec![work(step), format!("{number} · {}", cost(step))],
        scope: step.scope,
        gate: step.action == Action::Gate,
        critical,
    }
}

fn work(step: &PlannedStep) -> String {
    let store = step.store.as_ref().map(|store| format!(" {store}"));
    format!("{}{}", step.action.as_str(), store.unwrap_or_default())
}

fn cost(step: &PlannedStep) -> String {
    let time = match step.action {
        Action::Gate => "a person".to_owned(),
        _ => format_duration(step.expected.0),
    };
    match &step.pool {
        Some(pool) => format!("{time} · pool {pool}"),
        None => time,
    }
}
