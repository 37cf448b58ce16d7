//! The recovery points of a site's slices, for `check.consistency`: which
//! tasks measure them, and what they measured.

use std::collections::{BTreeMap, BTreeSet};

use reprise_model::{Action, Plan, SlicePoint, TaskIx, Timestamp};
use serde_json::{Map, Value, json};

/// One site's slice on one shard, and the restores that may have measured it.
#[derive(Debug, Default)]
struct Slice {
    shard: u32,
    restores: Vec<TaskIx>,
}

/// For each step `check.consistency` of a plan, the slices of each site that
/// were restored or verified before it. Empty for a plan without such a step.
#[derive(Debug, Default)]
pub(crate) struct Slices {
    of: BTreeMap<u32, Vec<Vec<Slice>>>,
    /// For each shard the task that recovers it.
    recover: Vec<Option<TaskIx>>,
}

impl Slices {
    pub fn of(plan: &Plan) -> Self {
        let checks = (0u32..).zip(&plan.steps);
        let checks = checks.filter(|(_, step)| step.action == Action::CheckConsistency);
        let of: BTreeMap<_, _> = checks
            .map(|(at, _)| (at, before(plan, &upstream(plan, at))))
            .collect();
        let mut recover = vec![None; plan.shards.len()];
        if !of.is_empty() {
            for task in plan.ixs() {
                let shard = plan.tasks[task.get()].shard;
                if let (Action::Recover, Some(shard)) = (plan.step_of(task).action, shard) {
                    recover[shard as usize] = Some(task);
                }
            }
        }
        Self { of, recover }
    }

    /// The options of the call: what the connector judges.
    pub fn given(
        &self,
        plan: &Plan,
        task: TaskIx,
        measured: &BTreeMap<TaskIx, Timestamp>,
    ) -> Map<String, Value> {
        let planned = &plan.tasks[task.get()];
        let sites = self.of.get(&planned.step);
        let slices = sites
            .zip(planned.site)
            .map(|(sites, at)| &sites[at as usize]);
        let slices = slices.into_iter().flatten().map(|slice| {
            // A restore that measured its own point knows better than the
            // shard's recovery.
            let tasks = slice.restores.iter().copied();
            let mut tasks = tasks.chain(self.recover[slice.shard as usize]);
            let shard = &plan.shards[slice.shard as usize];
            SlicePoint {
                store: shard.store.clone(),
                shard: shard.shard.clone(),
                point: tasks.find_map(|task| measured.get(&task).copied()),
            }
        });
        let slices: Vec<_> = slices.collect();
        Map::from_iter([
            ("moment".to_owned(), json!(plan.moment())),
            ("slices".to_owned(), json!(slices)),
        ])
    }
}

/// Steps that come before `step`, through any others.
fn upstream(plan: &Plan, step: u32) -> BTreeSet<u32> {
    let steps = (0u32..).zip(&plan.steps);
    let places: BTreeMap<_, _> = steps.map(|(at, step)| (&step.name, at)).collect();
    let mut seen = BTreeSet::new();
    let mut todo = vec![step];
    while let Some(at) = todo.pop() {
        let needs = plan.steps[at as usize].needs.iter();
        let needs = needs.filter_map(|need| places.get(need).copied());
        todo.extend(needs.filter(|need| seen.insert(*need)));
    }
    seen
}

/// The slices of each site that the steps restore or verify.
fn before(plan: &Plan, steps: &BTreeSet<u32>) -> Vec<Vec<Slice>> {
    let mut slices: Vec<Vec<Slice>> = plan.sites.iter().map(|_| Vec::new()).collect();
    for task in plan.ixs() {
        let planned = &plan.tasks[task.get()];
        let action = plan.step_of(task).action;
        let works = matches!(action, Action::Restore | Action::Verify);
        let (Some(site), Some(shard)) = (planned.site, planned.shard) else {
            continue;
        };
        if !works || !steps.contains(&planned.step) {
            continue;
        }
        let of_site = &mut slices[site as usize];
        let at = match of_site.iter().position(|slice| slice.shard == shard) {
            Some(at) => at,
            None => {
                of_site.push(Slice {
                    shard,
                    restores: Vec::new(),
                });
                of_site.len() - 1
            }
        };
        if action == Action::Restore {
            of_site[at].restores.push(task);
        }
    }
    slices
}
