//! Small plans for tests.

use std::sync::Arc;

use reprise_model::{Plan, PlannedTask, Pool, Scope, TaskIx};
use reprise_sim::{Sample, plan};

/// Tasks of the run's scope, each with its pool, its seconds and its needs.
#[allow(dead_code, reason = "not every test sketches plans")]
pub type Sketch = (&'static str, u64, &'static [u32]);

/// A plan of one step for each task, and what its tasks take.
#[allow(dead_code, reason = "not every test sketches plans")]
pub fn sketched(pools: &[(&str, u32, Option<f64>)], tasks: &[Sketch]) -> (Arc<Plan>, Vec<u64>) {
    let mut plan = sample(1, 1, false);
    let mut step = plan.steps[0].clone();
    step.scope = Scope::Run;
    plan.sites.clear();
    plan.waves.clear();
    plan.steps.clear();
    plan.tasks.clear();
    plan.pools = pools
        .iter()
        .map(|(name, slots, rate_per_second)| Pool {
            name: (*name).into(),
            slots: *slots,
            rate_per_second: *rate_per_second,
        })
        .collect();
    for (number, (pool, seconds, needs)) in (0..).zip(tasks) {
        step.name = format!("step-{number}").into();
        step.pool = Some((*pool).into());
        step.expected = reprise_model::Elapsed::from_secs(*seconds);
        plan.steps.push(step.clone());
        plan.tasks.push(PlannedTask {
            step: number,
            site: None,
            shard: None,
            needs: needs.iter().copied().map(TaskIx).collect(),
            expected: None,
        });
    }
    let seconds = tasks.iter().map(|(_, seconds, _)| *seconds).collect();
    (Arc::new(plan.sealed()), seconds)
}

pub fn sample(sites: u32, waves: u32, gates: bool) -> Plan {
    plan(Sample {
        sites,
        shards: 3.min(sites),
        waves,
        gates,
        halt_above: None,
    })
}
