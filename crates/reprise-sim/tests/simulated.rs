//! Whole runs under virtual time. A failure prints its seed; run it alone with
//! `REPRISE_SIM_SEED=<seed> cargo test -p reprise-sim`.

use std::sync::Arc;

use reprise_model::{AttemptEnd, Event, Plan};
use reprise_sim::{Faults, Report, Sample, plan, simulate};

const FAULTS: Faults = Faults {
    temporary: 0.10,
    permanent: 0.02,
    lost: 0.03,
    hang: 0.02,
    crash: 0.01,
    operator: 0.01,
    until: 3_000,
};

fn sample(seed: u64) -> Arc<Plan> {
    Arc::new(plan(Sample {
        sites: 10 + u32::try_from(seed % 40).expect("small"),
        shards: 1 + u32::try_from(seed % 4).expect("small"),
        waves: 1 + u32::try_from(seed % 5).expect("small"),
        gates: seed.is_multiple_of(3),
        halt_above: seed.is_multiple_of(2).then_some(2),
    }))
}

fn run(seed: u64, faults: Faults) -> Report {
    simulate(sample(seed), seed, faults).unwrap_or_else(|violation| {
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
fn every_promise_holds_under_faults_and_crashes() {
    let mut crashes = 0;
    for seed in seeds(400) {
        crashes += run(seed, FAULTS).crashes;
    }
    assert!(crashes > 0, "the world was too kind to prove anything");
}

#[test]
fn a_seed_replays_byte_for_byte() {
    for seed in seeds(10) {
        let text = |report: Report| serde_json::to_string(&report.journal).expect("plain data");
        assert_eq!(
            text(run(seed, FAULTS)),
            text(run(seed, FAULTS)),
            "seed {seed}"
        );
    }
}

#[test]
fn without_faults_every_task_is_done_at_its_first_attempt() {
    for seed in seeds(10) {
        let report = run(seed, Faults::default());
        let plan = sample(seed);
        let ends = report
            .journal
            .iter()
            .filter_map(|entry| match &entry.event {
                Event::Ended { attempt, end, .. } => Some((attempt, end)),
                _ => None,
            });
        let mut done = 0;
        for (attempt, end) in ends {
            assert!(matches!(end, AttemptEnd::Done(_)), "seed {seed}: {end:?}");
            assert_eq!(attempt.number, 1, "seed {seed}");
            done += 1;
        }
        let gates = report.journal.iter();
        let gates = gates.filter(|e| matches!(e.event, Event::GateOpened { .. }));
        assert_eq!(done + gates.count(), plan.tasks.len(), "seed {seed}");
    }
}
