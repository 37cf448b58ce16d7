//! Whole runs under virtual time and faults. A failure prints its seed; run it
//! alone with `REPRISE_SIM_SEED=<seed> cargo test -p reprise-sim`.

use std::sync::Arc;

use reprise_model::{AttemptEnd, Event};
use reprise_sim::{Coverage, Faults, Mishap, Report, Sample, plan, simulate, try_out};

/// Small runs: an optimised build does many more of fifty sites
/// (`make simulate`).
const SITES: u32 = 12;
const RUNS: u64 = 150;

fn run(seed: u64) -> Report {
    try_out(seed, SITES).unwrap_or_else(|violation| {
        panic!("REPRISE_SIM_SEED={seed}: {violation}");
    })
}

fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("REPRISE_SIM_SEED") {
        Ok(seed) => vec![seed.parse().expect("a seed is a number")],
        Err(_) => (0..count).collect(),
    }
}

#[test]
fn every_promise_holds_under_every_fault() {
    let mut coverage = Coverage::default();
    let seeds = seeds(RUNS);
    for seed in &seeds {
        coverage.add(&run(*seed).coverage);
    }
    let common = [
        Mishap::Crash,
        Mishap::PageKept,
        Mishap::PageTorn,
        Mishap::Fenced,
        Mishap::Damage,
        Mishap::ClockBack,
        Mishap::TimedOut,
        Mishap::InDoubt,
        Mishap::ToldTwice,
        Mishap::Halted,
    ];
    for mishap in common {
        let never = coverage.of(mishap) == 0;
        assert!(seeds.len() == 1 || !never, "no {} at all", mishap.as_str());
    }
}

#[test]
fn a_seed_replays_byte_for_byte() {
    for seed in seeds(15) {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
}

#[test]
fn without_faults_every_task_is_done_at_its_first_attempt() {
    for seed in 0..10 {
        let plan = Arc::new(plan(Sample {
            sites: 10 + seed,
            shards: 1 + seed % 4,
            waves: 1 + seed % 5,
            gates: seed.is_multiple_of(3),
            halt_above: None,
        }));
        let report = simulate(plan.clone(), u64::from(seed), Faults::default());
        let report = report.unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
        let mut done = 0;
        for entry in report.journal {
            match entry.event {
                Event::Ended { attempt, end, .. } => {
                    assert!(matches!(end, AttemptEnd::Done(_)), "seed {seed}: {end:?}");
                    assert_eq!(attempt.number, 1, "seed {seed}");
                    done += 1;
                }
                Event::GateOpened { .. } => done += 1,
                _ => {}
            }
        }
        assert_eq!(done, plan.tasks.len(), "seed {seed}");
        assert_eq!(report.sites.restored, 10 + seed);
    }
}
