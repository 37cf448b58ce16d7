//! Plans to simulate: the shape of a restore in place, in any size.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reprise_model::{
    Action, BlastRadius, Digest, Elapsed, Layer, Objectives, PLAN_VERSION, Plan, PlannedShard,
    PlannedSite, PlannedStep, PlannedTask, Pool, Retry, Scope, ShardId, SiteId, SourceFile,
    StepName, StoreId, StoreKind, TaskIx, Timestamp,
};
use serde_json::Map;

/// The size and the features of a sample plan.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub sites: u32,
    pub shards: u32,
    pub waves: u32,
    pub gates: bool,
    pub halt_above: Option<u32>,
}

struct StepSketch {
    name: &'static str,
    scope: Scope,
    action: Action,
    needs: &'static [&'static str],
    pool: Option<&'static str>,
    seconds: u64,
}

const STEPS: [StepSketch; 8] = [
    step(
        "recover",
        Scope::Shard,
        Action::Recover,
        &[],
        Some("recover"),
        60,
    ),
    step("record", Scope::Site, Action::Restore, &[], Some("load"), 1),
    step(
        "product",
        Scope::Site,
        Action::Restore,
        &["record", "recover"],
        Some("load"),
        10,
    ),
    step(
        "hook",
        Scope::Site,
        Action::Exec,
        &["product"],
        Some("vendor"),
        2,
    ),
    step(
        "whole",
        Scope::Site,
        Action::Verify,
        &["product"],
        Some("load"),
        3,
    ),
    step(
        "reachable",
        Scope::Site,
        Action::HttpCheck,
        &["whole", "hook"],
        None,
        1,
    ),
    step(
        "handover",
        Scope::Site,
        Action::Gate,
        &["reachable"],
        None,
        0,
    ),
    step("tell", Scope::Run, Action::Exec, &["reachable"], None, 1),
];

const fn step(
    name: &'static str,
    scope: Scope,
    action: Action,
    needs: &'static [&'static str],
    pool: Option<&'static str>,
    seconds: u64,
) -> StepSketch {
    StepSketch {
        name,
        scope,
        action,
        needs,
        pool,
        seconds,
    }
}

/// A plan of that size: one product store on `shards` shards, site `i` on
/// shard `i % shards`, waves of equal size.
pub fn plan(sample: Sample) -> Plan {
    let steps: Vec<_> = STEPS
        .iter()
        .filter(|step| sample.gates || step.action != Action::Gate)
        .collect();
    let mut tasks: Vec<PlannedTask> = Vec::new();
    let mut placed: BTreeMap<(&str, u32), TaskIx> = BTreeMap::new();
    for (at, step) in steps.iter().enumerate() {
        for place in 0..places(step.scope, sample) {
            let needs = needs_of(step, place, sample, &placed);
            placed.insert((step.name, place), TaskIx::at(tasks.len()));
            tasks.push(PlannedTask {
                step: u32::try_from(at).expect("few steps"),
                site: (step.scope == Scope::Site).then_some(place),
                shard: match step.scope {
                    Scope::Site => Some(place % sample.shards),
                    Scope::Shard => Some(place),
                    Scope::Run => None,
                },
                needs,
                expected: None,
            });
        }
    }
    let file = |name: &str| SourceFile {
        name: name.to_owned(),
        path: PathBuf::from(name),
        digest: Digest::of(name.as_bytes()),
    };
    let sites: Vec<_> = (0..sample.sites).map(|ix| site(ix, sample)).collect();
    Plan {
        version: PLAN_VERSION,
        hash: Digest::default(),
        target_time: Timestamp::from_micros(1_700_000_000_000_000),
        incident_time: None,
        drill: false,
        estate: file("estate.yaml"),
        runbook: file("runbook.yaml"),
        objectives: Objectives::default(),
        halt_above: sample.halt_above,
        halt_on_checks: false,
        slots: None,
        pools: vec![
            pool("recover", 2, None),
            pool("load", 8, None),
            pool("vendor", 4, Some(5.0)),
        ],
        shards: (0..sample.shards).map(shard).collect(),
        waves: (0..sample.waves)
            .map(|wave| sites.iter().filter(|site| site.wave == wave).count() as u32)
            .collect(),
        sites,
        steps: steps.iter().map(|step| planned_step(step)).collect(),
        tasks,
        not_planned: Vec::new(),
        blast_radius: BlastRadius::default(),
    }
    .sealed()
}

fn places(scope: Scope, sample: Sample) -> u32 {
    match scope {
        Scope::Run => 1,
        Scope::Shard => sample.shards,
        Scope::Site => sample.sites,
    }
}

fn needs_of(
    step: &StepSketch,
    place: u32,
    sample: Sample,
    placed: &BTreeMap<(&str, u32), TaskIx>,
) -> Vec<TaskIx> {
    let scope_of = |name: &str| STEPS.iter().find(|s| s.name == name).map(|s| s.scope);
    let mut needs = Vec::new();
    for name in step.needs {
        match (step.scope, scope_of(name)) {
            (Scope::Site, Some(Scope::Shard)) => {
                needs.push(placed[&(*name, place % sample.shards)])
            }
            (Scope::Site, Some(Scope::Site)) => needs.push(placed[&(*name, place)]),
            (_, Some(scope)) => {
                needs.extend((0..places(scope, sample)).map(|at| placed[&(*name, at)]));
            }
            (_, None) => {}
        }
    }
    needs
}

fn site(ix: u32, sample: Sample) -> PlannedSite {
    PlannedSite {
        id: SiteId::new(format!("site-{ix:05}")),
        wave: ix * sample.waves / sample.sites,
        attributes: BTreeMap::new(),
        shards: vec![ix % sample.shards],
    }
}

fn shard(ix: u32) -> PlannedShard {
    PlannedShard {
        store: StoreId::new("product"),
        shard: ShardId::new(format!("s{ix:02}")),
        kind: StoreKind::Postgres,
        layer: Layer::Product,
    }
}

fn pool(name: &str, slots: u32, rate_per_second: Option<f64>) -> Pool {
    Pool {
        name: name.into(),
        slots,
        rate_per_second,
    }
}

fn planned_step(step: &StepSketch) -> PlannedStep {
    PlannedStep {
        name: StepName::new(step.name),
        scope: step.scope,
        action: step.action,
        store: step.action.wants_store().then(|| StoreId::new("product")),
        needs: step.needs.iter().map(|need| StepName::new(*need)).collect(),
        pool: step.pool.map(Into::into),
        timeout: Some(Elapsed::from_secs(step.seconds * 20 + 60)),
        retry: Retry::default(),
        expected: Elapsed::from_secs(step.seconds),
        with: Map::new(),
    }
}
