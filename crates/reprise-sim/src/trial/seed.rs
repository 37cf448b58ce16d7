//! From a seed alone: a plan, a mix of faults, and the run.

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reprise_model::Plan;

use super::{Faults, Report, simulate};
use crate::checks::Violation;
use crate::sample::{Sample, plan};

/// Tells the draws of the plan from those of the run.
const OF_THE_PLAN: u64 = 0x7265_7072_6973_6500;

/// Draws plan and faults, and runs. The same seed gives the same run, byte
/// for byte.
pub fn try_out(seed: u64, sites: u32) -> Result<Report, Violation> {
    let mut rng = StdRng::seed_from_u64(seed ^ OF_THE_PLAN);
    let plan = drawn_plan(&mut rng, sites);
    let faults = Faults::drawn(&mut rng);
    simulate(Arc::new(plan), seed, faults)
}

fn drawn_plan(rng: &mut StdRng, sites: u32) -> Plan {
    let mut plan = plan(Sample {
        sites,
        shards: rng.random_range(1..=4).min(sites),
        waves: rng.random_range(1..=5).min(sites),
        gates: rng.random_bool(0.4),
        halt_above: rng.random_bool(0.5).then(|| rng.random_range(0..4)),
    });
    plan.halt_on_checks = rng.random_bool(0.5);
    plan.slots = rng.random_bool(0.5).then(|| rng.random_range(1..12));
    plan.sealed()
}
