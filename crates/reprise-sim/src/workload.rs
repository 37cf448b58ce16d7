//! The work on which engines are compared: 883 sites with 34 steps each, on 12
//! shards of three steps, in nine pools and 64 slots: 30,058 tasks.
//!
//! Without durations it asks what an engine costs; with them, how good its
//! order is. Durations are drawn from a seed: sites differ in size (lognormal,
//! sigma 0.8) and the tasks of a site from what its size says (sigma 0.5).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reprise_model::{
    Action, BlastRadius, Digest, Elapsed, Layer, Objectives, PLAN_VERSION, Plan, PlannedShard,
    PlannedSite, PlannedStep, PlannedTask, Pool, PoolName, Retry, Scope, ShardId, SiteId,
    SourceFile, StepName, StoreId, StoreKind, TaskIx, Timestamp,
};
use serde_json::Map;

pub const SITES: u32 = 883;
const SHARDS: u32 = 12;
const SLOTS: u32 = 64;

/// Pools and their slots.
const POOLS: [(&str, u32); 9] = [
    ("scratch", 4),
    ("meta", 16),
    ("identity", 12),
    ("db", 12),
    ("media", 16),
    ("flags", 8),
    ("services", 16),
    ("apps", 8),
    ("validate", 24),
];

/// Name, pool, needs, and the median duration relative to other steps.
type Sketch = (&'static str, &'static str, &'static [&'static str], f64);

const SHARD_STEPS: [Sketch; 3] = [
    ("fetch", "scratch", &[], 8.0),
    ("recover", "scratch", &["fetch"], 25.0),
    ("verify", "scratch", &["recover"], 5.0),
];

const SITE_STEPS: [Sketch; 34] = [
    ("meta.load", "meta", &[], 0.3),
    ("meta.check", "meta", &["meta.load"], 0.3),
    ("id.org", "identity", &["meta.check"], 0.5),
    ("id.users", "identity", &["id.org"], 1.0),
    ("id.groups", "identity", &["id.users"], 0.7),
    ("id.check", "identity", &["id.users", "id.groups"], 0.3),
    ("jira.prepare", "db", &["id.org"], 0.3),
    (
        "jira.copy",
        "db",
        &["jira.prepare", "id.users", "verify"],
        4.0,
    ),
    ("jira.seq", "db", &["jira.copy"], 0.3),
    ("conf.prepare", "db", &["id.org"], 0.3),
    (
        "conf.copy",
        "db",
        &["conf.prepare", "id.users", "verify"],
        3.0,
    ),
    ("conf.seq", "db", &["conf.copy"], 0.3),
    ("jsm.prepare", "db", &["id.org"], 0.3),
    (
        "jsm.copy",
        "db",
        &["jsm.prepare", "id.users", "verify"],
        2.0,
    ),
    ("jsm.seq", "db", &["jsm.copy"], 0.3),
    ("code.prepare", "db", &["id.org"], 0.3),
    (
        "code.copy",
        "db",
        &["code.prepare", "id.users", "verify"],
        2.0,
    ),
    ("code.seq", "db", &["code.copy"], 0.3),
    ("media.list", "media", &["meta.check", "fetch"], 0.5),
    ("media.copy", "media", &["media.list"], 4.0),
    (
        "media.relink",
        "media",
        &["media.copy", "jira.copy", "conf.copy"],
        0.8,
    ),
    ("flags.copy", "flags", &["meta.check"], 0.3),
    ("svc.config", "services", &["meta.check", "flags.copy"], 0.4),
    (
        "svc.perms",
        "services",
        &["id.check", "jira.seq", "conf.seq"],
        0.6,
    ),
    (
        "svc.search",
        "services",
        &["jira.seq", "conf.seq", "jsm.seq", "svc.config"],
        2.0,
    ),
    (
        "svc.automation",
        "services",
        &["jira.seq", "jsm.seq", "svc.config"],
        0.6,
    ),
    ("svc.notify", "services", &["svc.config", "id.check"], 0.3),
    ("apps.install", "apps", &["id.check", "flags.copy"], 0.8),
    (
        "apps.data",
        "apps",
        &["apps.install", "jira.seq", "conf.seq"],
        1.2,
    ),
    (
        "val.db",
        "validate",
        &["jira.seq", "conf.seq", "jsm.seq", "code.seq"],
        1.0,
    ),
    ("val.media", "validate", &["media.relink"], 1.0),
    ("val.identity", "validate", &["id.check", "svc.perms"], 0.5),
    (
        "val.smoke",
        "validate",
        &[
            "val.db",
            "val.media",
            "val.identity",
            "svc.search",
            "svc.automation",
            "svc.notify",
            "apps.data",
        ],
        1.0,
    ),
    ("handover", "meta", &["val.smoke"], 0.3),
];

/// What is unusual about the sites, beside their sizes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Skew {
    None,
    /// One site is a hundred times the median.
    GiantSite,
    /// The pool of the apps has one slot.
    SlowVendor,
    /// Every second site lies on the first shard.
    HalfOnOneShard,
}

#[derive(Clone, Copy, Debug)]
pub struct WorkloadOptions {
    pub sites: u32,
    /// With pools and slots, or with slots alone.
    pub pools: bool,
    /// Durations are scaled so that the lower bound is this; absent: they are zero.
    pub bound: Option<Duration>,
    pub skew: Skew,
    pub seed: u64,
}

/// A plan, and what its tasks really take.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Knows what its steps take in the median, and nothing of the sites' sizes.
    pub plan: Plan,
    /// By task.
    pub durations: Vec<Duration>,
    /// max(critical path, work / slots, work of a pool / its slots).
    pub bound: Duration,
    options: WorkloadOptions,
    scale: f64,
}

impl Workload {
    pub fn new(options: WorkloadOptions) -> Self {
        let mut plan = plan(options);
        let mut seconds = durations(&plan, options, 0);
        let bare = bound(&plan, &seconds);
        let scale = match options.bound {
            Some(wanted) => wanted.as_secs_f64() / bare,
            None => 0.0,
        };
        for second in &mut seconds {
            *second *= scale;
        }
        for (step, sketch) in plan.steps.iter_mut().zip(sketches()) {
            step.expected = Elapsed(Duration::from_secs_f64(sketch.3 * scale));
        }
        Self {
            plan: plan.sealed(),
            durations: seconds.into_iter().map(Duration::from_secs_f64).collect(),
            bound: Duration::from_secs_f64(bare * scale),
            options,
            scale,
        }
    }

    /// The same sites restored at another time: they are as large as they
    /// were, and each task takes what it takes that time.
    pub fn at_another_time(&self, time: u64) -> Self {
        let mut seconds = durations(&self.plan, self.options, time);
        for second in &mut seconds {
            *second *= self.scale;
        }
        Self {
            plan: self.plan.clone(),
            bound: Duration::from_secs_f64(bound(&self.plan, &seconds)),
            durations: seconds.into_iter().map(Duration::from_secs_f64).collect(),
            ..*self
        }
    }

    /// The plan of somebody who has seen this very work before.
    pub fn known(&self) -> Plan {
        let mut plan = self.plan.clone();
        for (task, took) in plan.tasks.iter_mut().zip(&self.durations) {
            task.expected = Some(Elapsed(*took));
        }
        plan.sealed()
    }
}

fn sketches() -> impl Iterator<Item = &'static Sketch> {
    SHARD_STEPS.iter().chain(&SITE_STEPS)
}

fn plan(options: WorkloadOptions) -> Plan {
    let mut tasks = Vec::new();
    let mut shard_tasks = BTreeMap::new();
    for shard in 0..SHARDS {
        for (at, (name, _, needs, _)) in SHARD_STEPS.iter().enumerate() {
            let needs = needs.iter().map(|need| shard_tasks[&(*need, shard)]);
            let task = planned_task(at, None, shard, needs.collect());
            shard_tasks.insert((*name, shard), TaskIx::at(tasks.len()));
            tasks.push(task);
        }
    }
    for site in 0..options.sites {
        let shard = shard_of(site, options.skew);
        let mut own = BTreeMap::new();
        for (at, (name, _, needs, _)) in SITE_STEPS.iter().enumerate() {
            let find = |need: &&str| {
                let inside = own.get(need).copied();
                inside.unwrap_or_else(|| shard_tasks[&(*need, shard)])
            };
            let needs: Vec<TaskIx> = needs.iter().map(find).collect();
            own.insert(*name, TaskIx::at(tasks.len()));
            let step = SHARD_STEPS.len() + at;
            tasks.push(planned_task(step, Some(site), shard, needs));
        }
    }
    let file = |name: &str| SourceFile {
        name: name.to_owned(),
        path: PathBuf::from(name),
        digest: Digest::of(name.as_bytes()),
    };
    Plan {
        version: PLAN_VERSION,
        hash: Digest::default(),
        target_time: Timestamp::from_micros(1_700_000_000_000_000),
        incident_time: None,
        drill: false,
        estate: file("estate.yaml"),
        runbook: file("runbook.yaml"),
        objectives: Objectives::default(),
        halt_above: None,
        halt_on_checks: false,
        slots: Some(SLOTS),
        pools: pools(options),
        shards: (0..SHARDS).map(planned_shard).collect(),
        sites: (0..options.sites)
            .map(|site| planned_site(site, options.skew))
            .collect(),
        waves: vec![options.sites],
        steps: sketches()
            .enumerate()
            .map(|(at, sketch)| planned_step(at, sketch, options.pools))
            .collect(),
        tasks,
        not_planned: Vec::new(),
        blast_radius: BlastRadius::default(),
    }
}

/// Spreads the sites evenly and without a pattern.
fn shard_of(site: u32, skew: Skew) -> u32 {
    if skew == Skew::HalfOnOneShard && site.is_multiple_of(2) {
        return 0;
    }
    let digest = Digest::of(format!("site-{site:04}").as_bytes());
    u32::from(digest.as_bytes()[0]) % SHARDS
}

fn pools(options: WorkloadOptions) -> Vec<Pool> {
    let slots = |name, slots| match (name, options.skew) {
        ("apps", Skew::SlowVendor) => 1,
        _ => slots,
    };
    let pools = POOLS.iter().filter(|_| options.pools);
    let pools = pools.map(|(name, count)| Pool {
        name: PoolName::new(*name),
        slots: slots(*name, *count),
        rate_per_second: None,
    });
    // Without pools, everything shares one of as many slots as there are.
    let whole = (!options.pools).then(|| Pool {
        name: PoolName::new("all"),
        slots: SLOTS,
        rate_per_second: None,
    });
    pools.chain(whole).collect()
}

fn planned_task(step: usize, site: Option<u32>, shard: u32, needs: Vec<TaskIx>) -> PlannedTask {
    PlannedTask {
        step: u32::try_from(step).expect("few steps"),
        site,
        shard: Some(shard),
        needs,
        expected: None,
    }
}

fn planned_shard(shard: u32) -> PlannedShard {
    PlannedShard {
        store: StoreId::new("product"),
        shard: ShardId::new(format!("s{shard:02}")),
        kind: StoreKind::Postgres,
        layer: Layer::Product,
    }
}

fn planned_site(site: u32, skew: Skew) -> PlannedSite {
    PlannedSite {
        id: SiteId::new(format!("site-{site:04}")),
        wave: 0,
        attributes: BTreeMap::new(),
        shards: vec![shard_of(site, skew)],
    }
}

fn planned_step(at: usize, (name, pool, needs, _): &Sketch, pools: bool) -> PlannedStep {
    let scope = if at < SHARD_STEPS.len() {
        Scope::Shard
    } else {
        Scope::Site
    };
    PlannedStep {
        name: StepName::new(*name),
        scope,
        action: Action::Exec,
        store: Some(StoreId::new("product")),
        needs: needs.iter().map(|need| StepName::new(*need)).collect(),
        pool: Some(PoolName::new(if pools { *pool } else { "all" })),
        timeout: None,
        retry: Retry::default(),
        expected: Elapsed::default(),
        with: Map::new(),
    }
}

/// In units of a step's median weight.
fn durations(plan: &Plan, options: WorkloadOptions, time: u64) -> Vec<f64> {
    let mut rng = StdRng::seed_from_u64(options.seed);
    let sizes: Vec<f64> = (0..options.sites)
        .map(|_| lognormal(&mut rng, 0.8))
        .collect();
    if time > 0 {
        rng = StdRng::seed_from_u64(options.seed.wrapping_mul(1_000_003).wrapping_add(time));
    }
    let size_of = |site: u32| match (options.skew, site) {
        (Skew::GiantSite, 7) => 100.0,
        _ => sizes[site as usize],
    };
    let weights: Vec<f64> = sketches().map(|sketch| sketch.3).collect();
    let mut seconds = Vec::with_capacity(plan.tasks.len());
    for task in &plan.tasks {
        let size = task.site.map_or(1.0, size_of);
        seconds.push(weights[task.step as usize] * size * lognormal(&mut rng, 0.5));
    }
    seconds
}

/// exp(sigma * Z), with Z standard normal by the method of Box and Muller (1958).
fn lognormal(rng: &mut StdRng, sigma: f64) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    let angle = std::f64::consts::TAU * rng.random::<f64>();
    (sigma * radius * angle.cos()).exp()
}

/// What no order of the tasks can beat, in the unit of `seconds`.
fn bound(plan: &Plan, seconds: &[f64]) -> f64 {
    let mut path = vec![0.0_f64; seconds.len()];
    let mut work = vec![0.0; plan.pools.len()];
    for (at, task) in plan.tasks.iter().enumerate() {
        let before = task.needs.iter().map(|need| path[need.get()]);
        path[at] = before.fold(0.0, f64::max) + seconds[at];
        let pool = plan.steps[task.step as usize].pool.as_ref();
        let place = plan.pools.iter().position(|p| Some(&p.name) == pool);
        work[place.expect("every step has a pool")] += seconds[at];
    }
    let total: f64 = seconds.iter().sum();
    let slots = |pool: &Pool| f64::from(pool.slots);
    let of_pools = work
        .iter()
        .zip(&plan.pools)
        .map(|(w, pool)| w / slots(pool));
    path.into_iter()
        .chain(of_pools)
        .fold(total / f64::from(SLOTS), f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_work_that_others_were_measured_on() {
        let work = Workload::new(WorkloadOptions {
            sites: SITES,
            pools: true,
            bound: Some(Duration::from_secs(20)),
            skew: Skew::None,
            seed: 883,
        });
        let edges: usize = work.plan.tasks.iter().map(|task| task.needs.len()).sum();
        assert_eq!((work.plan.tasks.len(), edges), (30_058, 59_185));
        assert!((work.bound.as_secs_f64() - 20.0).abs() < 1e-6);
        assert_eq!(work.durations.len(), work.plan.tasks.len());
    }
}
