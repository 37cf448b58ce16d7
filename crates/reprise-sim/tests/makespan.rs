//! How good the order of starts is. Time is virtual, so that the figures that
//! are promised can be asserted.

use std::time::Duration;

use reprise_plan::shape::lower_bound;
use reprise_sim::{
    Knowledge, SITES, Skew, Workload, WorkloadOptions, engine_takes, first_come_takes,
};

const SEED: u64 = 883;

fn work(sites: u32, pools: bool, skew: Skew, seed: u64) -> Workload {
    Workload::new(WorkloadOptions {
        sites,
        pools,
        bound: Some(Duration::from_secs(20)),
        skew,
        seed,
    })
}

/// Makespan by lower bound: with cold estimates, learned from one earlier run, known.
fn ratios(work: &Workload) -> [f64; 3] {
    [Knowledge::Cold, Knowledge::Learned, Knowledge::Known]
        .map(|known| engine_takes(work, known).as_secs_f64() / work.bound.as_secs_f64())
}

fn check(pools: bool, skew: Skew, at_most: [f64; 3]) {
    let found = ratios(&work(SITES, pools, skew, SEED));
    let holds = found
        .iter()
        .zip(at_most)
        .all(|(found, most)| *found <= most);
    assert!(holds, "{found:.4?}, at most {at_most:?}, seed {SEED}");
}

#[test]
fn the_comparison_work_takes_little_longer_than_any_order_must() {
    check(true, Skew::None, [1.05, 1.02, 1.02]);
}

#[test]
fn without_pools_next_to_nothing_is_lost() {
    check(false, Skew::None, [1.05, 1.005, 1.005]);
}

#[test]
fn one_giant_site_is_brought_forward() {
    check(true, Skew::GiantSite, [1.05, 1.02, 1.02]);
}

#[test]
fn one_slow_vendor_never_waits() {
    check(true, Skew::SlowVendor, [1.05, 1.02, 1.02]);
}

#[test]
fn a_shard_with_half_of_all_sites_is_no_obstacle() {
    check(true, Skew::HalfOnOneShard, [1.05, 1.02, 1.02]);
}

#[test]
fn nobody_beats_the_lower_bound_and_the_engine_beats_first_come() {
    for seed in 0..12 {
        for skew in [Skew::None, Skew::GiantSite, Skew::HalfOnOneShard] {
            let work = work(15 + seed as u32, true, skew, seed);
            let bound = lower_bound(&work.known()).seconds;
            assert!(
                bound >= work.bound.as_secs_f64() - 1e-3,
                "it is the closer one"
            );
            let first_come = first_come_takes(&work).as_secs_f64();
            let engine = engine_takes(&work, Knowledge::Known).as_secs_f64();
            let told = format!("seed {seed}, {skew:?}: {bound} {engine} {first_come}");
            // Times are rounded to microseconds, some hundred in a chain.
            assert!(
                bound <= engine + 1e-3 && bound <= first_come + 1e-3,
                "{told}"
            );
            assert!(engine <= 1.01 * first_come, "{told}");
        }
    }
}
