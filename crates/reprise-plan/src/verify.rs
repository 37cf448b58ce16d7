//! Whether a plan read from a file is one that a run may trust. Nothing in it
//! is believed before it was looked at, and nonsense never panics.

use std::collections::BTreeSet;
use std::time::Duration;

use reprise_model::{Digest, PLAN_VERSION, Plan, PlannedTask, Pool, Scope};

#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum PlanFault {
    #[error("the plan has format version {found}, newer than the {known} that this version reads")]
    Newer { found: u32, known: u32 },
    #[error("the plan has format version {found}, which there never was")]
    NoSuchVersion { found: u32 },
    #[error(
        "the plan was changed after it was made: it carries hash {}, its content has {}",
        carried.short(),
        computed.short()
    )]
    Changed { carried: Digest, computed: Digest },
    #[error("the plan is malformed: {what}")]
    Malformed { what: String },
}

/// Version first, because another version's hash may be another one; then the
/// hash; then everything that the engine takes for granted.
pub fn verify_plan(plan: &Plan) -> Result<(), PlanFault> {
    match plan.version {
        PLAN_VERSION => {}
        0 => return Err(PlanFault::NoSuchVersion { found: 0 }),
        found => {
            return Err(PlanFault::Newer {
                found,
                known: PLAN_VERSION,
            });
        }
    }
    let computed = plan.computed_hash();
    if computed != plan.hash {
        return Err(PlanFault::Changed {
            carried: plan.hash,
            computed,
        });
    }
    structure(plan).map_err(|what| PlanFault::Malformed { what })
}

fn structure(plan: &Plan) -> Result<(), String> {
    steps(plan)?;
    sites(plan)?;
    let mut keys = Vec::with_capacity(plan.tasks.len());
    for (at, task) in plan.tasks.iter().enumerate() {
        self::task(plan, at, task)?;
        keys.push((task.step, subject(plan, task), at));
    }
    // Sorted, because a set of a million keys takes ten times as long.
    keys.sort_unstable();
    let same = |pair: &&[Key]| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1);
    match keys.windows(2).find(same) {
        Some(pair) => Err(format!("task {} is there twice", pair[1].2)),
        None => Ok(()),
    }
}

/// Step, subject and place of a task.
type Key = (u32, Option<u32>, usize);

fn steps(plan: &Plan) -> Result<(), String> {
    let pools: BTreeSet<_> = plan.pools.iter().map(|pool| &pool.name).collect();
    if pools.len() < plan.pools.len() {
        return Err("two pools have the same name".to_owned());
    }
    if plan.slots == Some(0) {
        return Err("it has no slots over all pools".to_owned());
    }
    if let Some(pool) = plan.pools.iter().find(|pool| pool.slots == 0) {
        return Err(format!("pool {} has no slots", pool.name));
    }
    if let Some(pool) = plan.pools.iter().find(|pool| !has_usable_rate(pool)) {
        return Err(format!("pool {} has a rate that is none", pool.name));
    }
    let names: BTreeSet<_> = plan.steps.iter().map(|step| &step.name).collect();
    if names.len() < plan.steps.len() {
        return Err("two steps have the same name".to_owned());
    }
    for step in &plan.steps {
        let pool = step.pool.as_ref().filter(|pool| !pools.contains(pool));
        if let Some(pool) = pool {
            return Err(format!(
                "step {} names pool {pool}, which is not there",
                step.name
            ));
        }
        if step.store.is_none() && (step.action.wants_store() || step.scope == Scope::Shard) {
            return Err(format!("step {} names no store", step.name));
        }
    }
    Ok(())
}

/// Whether the time between two starts is a time.
fn has_usable_rate(pool: &Pool) -> bool {
    let between = |rate: f64| Duration::try_from_secs_f64(1.0 / rate);
    pool.rate_per_second
        .is_none_or(|rate| between(rate).is_ok())
}

fn sites(plan: &Plan) -> Result<(), String> {
    let shards: BTreeSet<_> = plan.shards.iter().map(|s| (&s.store, &s.shard)).collect();
    if shards.len() < plan.shards.len() {
        return Err("a shard is there twice".to_owned());
    }
    let ids: BTreeSet<_> = plan.sites.iter().map(|site| &site.id).collect();
    if ids.len() < plan.sites.len() {
        return Err("a site is there twice".to_owned());
    }
    let in_waves: u64 = plan.waves.iter().map(|&size| u64::from(size)).sum();
    if in_waves != plan.sites.len() as u64 {
        let sites = plan.sites.len();
        return Err(format!(
            "the waves hold {in_waves} sites, and the plan {sites}"
        ));
    }
    for (site, wave) in plan.sites.iter().zip(crate::wave::numbers(&plan.waves)) {
        if site.wave != wave {
            let (id, found) = (&site.id, site.wave);
            return Err(format!(
                "site {id} says wave {found} and stands in wave {wave}"
            ));
        }
        if site
            .shards
            .iter()
            .any(|&at| at as usize >= plan.shards.len())
        {
            return Err(format!(
                "site {} lies on a shard that is not there",
                site.id
            ));
        }
    }
    Ok(())
}

fn task(plan: &Plan, at: usize, task: &PlannedTask) -> Result<(), String> {
    let Some(step) = plan.steps.get(task.step as usize) else {
        return Err(format!("task {at} is of a step that is not there"));
    };
    let fits = match step.scope {
        Scope::Run => task.site.is_none() && task.shard.is_none(),
        Scope::Shard => task.site.is_none() && task.shard.is_some(),
        Scope::Site => task.site.is_some() && task.shard.is_some() == step.store.is_some(),
    };
    if !fits {
        let (name, scope) = (&step.name, step.scope.as_str());
        return Err(format!(
            "task {at} does not fit its step {name} of scope {scope}"
        ));
    }
    if task
        .site
        .is_some_and(|site| site as usize >= plan.sites.len())
    {
        return Err(format!("task {at} is for a site that is not there"));
    }
    if let Some(shard) = task.shard {
        let shard = plan.shards.get(shard as usize);
        if shard.map(|shard| &shard.store) != step.store.as_ref() {
            return Err(format!(
                "task {at} is for a shard that its store does not have"
            ));
        }
    }
    match task.needs.iter().find(|need| need.get() >= at) {
        Some(need) => Err(format!(
            "task {at} needs task {}, which does not come before it",
            need.0
        )),
        None => Ok(()),
    }
}

/// What tells two tasks of a step apart.
fn subject(plan: &Plan, task: &PlannedTask) -> Option<u32> {
    match plan.steps[task.step as usize].scope {
        Scope::Run => None,
        Scope::Shard => task.shard,
        Scope::Site => task.site,
    }
}
