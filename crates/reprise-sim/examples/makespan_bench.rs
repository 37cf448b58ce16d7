//! How close the engine's order comes to what no order can beat, in virtual
//! time: by shape of the work and by what is known of it beforehand.
//!
//! `cargo run --release -p reprise-sim --example makespan_bench [-- SEEDS]`

use std::time::{Duration, Instant};

use reprise_plan::shape::lower_bound;
use reprise_sim::{
    Knowledge, SITES, Skew, Workload, WorkloadOptions, engine_takes, first_come_takes,
};

/// Name, with pools or with slots alone, skew.
const SHAPES: [(&str, bool, Skew); 5] = [
    ("W2", true, Skew::None),
    ("W2g: slots alone", false, Skew::None),
    ("one giant site", true, Skew::GiantSite),
    ("one slow vendor", true, Skew::SlowVendor),
    ("a shard with half of all sites", true, Skew::HalfOnOneShard),
];

const FIRST_SEED: u64 = 883;

fn main() {
    let seeds = std::env::args().nth(1);
    let seeds: u64 = seeds.map_or(9, |text| text.parse().expect("a number of seeds"));
    let begun = Instant::now();
    println!("makespan / lower bound: median (worst) of {seeds} seeds, {SITES} sites, bound 20 s");
    println!("| shape | closer bound | first come | cold | learned | known |");
    println!("|---|---|---|---|---|---|");
    for (name, pools, skew) in SHAPES {
        let works: Vec<_> = (FIRST_SEED..FIRST_SEED + seeds)
            .map(|seed| work(pools, skew, seed))
            .collect();
        let engine = |knowledge| move |work: &Workload| engine_takes(work, knowledge);
        println!(
            "| {name} | {} | {} | {} | {} | {} |",
            ratios(&works, closer_bound),
            ratios(&works, first_come_takes),
            ratios(&works, engine(Knowledge::Cold)),
            ratios(&works, engine(Knowledge::Learned)),
            ratios(&works, engine(Knowledge::Known)),
        );
    }
    println!("({:.1} s of real time)", begun.elapsed().as_secs_f64());
}

fn work(pools: bool, skew: Skew, seed: u64) -> Workload {
    Workload::new(WorkloadOptions {
        sites: SITES,
        pools,
        bound: Some(Duration::from_secs(20)),
        skew,
        seed,
    })
}

/// With what must come before and after the work of a pool.
fn closer_bound(work: &Workload) -> Duration {
    Duration::from_secs_f64(lower_bound(&work.known()).seconds)
}

fn ratios(works: &[Workload], takes: impl Fn(&Workload) -> Duration) -> String {
    let ratio = |work: &Workload| takes(work).as_secs_f64() / work.bound.as_secs_f64();
    let mut ratios: Vec<f64> = works.iter().map(ratio).collect();
    ratios.sort_by(f64::total_cmp);
    match (ratios.get(ratios.len() / 2), ratios.last()) {
        (Some(median), Some(worst)) => format!("{median:.4} ({worst:.4})"),
        _ => "-".to_owned(),
    }
}
