//! Forecasts of plans whose answer is known, and whether the bands hold what
//! they promise.

mod common;

use std::sync::Arc;

use common::{sample, sketched};
use reprise_model::{Elapsed, Plan, TaskIx};
use reprise_sim::{Belief, Beliefs, Binding, Change, Forecast, forecast, rehearse, scaled};

const SEED: u64 = 7;

/// What the plan says, without any doubt.
fn certain(plan: &Plan) -> Beliefs {
    Beliefs::of(plan, |task| Belief {
        seconds: plan.expected(task).as_secs_f64(),
        spread: 0.0,
        doubt: 0.0,
    })
}

fn doubtful(plan: &Plan) -> Beliefs {
    Beliefs::of(plan, |task| {
        let seconds = plan.expected(task).as_secs_f64();
        Belief::measured(seconds, 0.4 * seconds, 10)
    })
}

/// Shares in whole percent, largest first.
fn bound_by(forecast: &Forecast) -> Vec<(Binding, u32)> {
    let shares = forecast.bound_by.iter();
    let percent = shares.map(|share| (share.binding.clone(), (share.share * 100.0).round() as u32));
    percent.collect()
}

/// Of the same run a little slower or faster: only the run's own factor is left.
fn forecast_of(pools: &[(&str, u32, Option<f64>)], tasks: &[common::Sketch]) -> Forecast {
    let (plan, _) = sketched(pools, tasks);
    forecast(&plan, &certain(&plan), SEED, 0.0)
}

#[test]
fn what_binds_is_the_path_a_pool_or_a_rate() {
    let chain = forecast_of(&[("p", 9, None)], &[("p", 3, &[]), ("p", 4, &[0])]);
    assert_eq!(bound_by(&chain), [(Binding::Path, 100)]);

    // Four tasks of ten seconds, one at a time: three of them are waited for.
    let pool = forecast_of(
        &[("p", 1, None), ("q", 9, None)],
        &[
            ("p", 10, &[]),
            ("p", 10, &[]),
            ("p", 10, &[]),
            ("p", 10, &[]),
            ("q", 5, &[]),
        ],
    );
    let shares = bound_by(&pool);
    assert_eq!(
        shares,
        [
            (Binding::Pool { pool: "p".into() }, 75),
            (Binding::Path, 25)
        ]
    );
    let gain = |change: &Change| {
        let found = pool.changes.iter().find(|gain| gain.change == *change);
        found.expect("every pool is doubled").share
    };
    let double = |pool: &str, slots| Change::Pool {
        pool: pool.into(),
        slots,
    };
    assert_eq!(pool.changes[0].change, double("p", 2));
    assert!((gain(&double("p", 2)) - 0.5).abs() < 1e-6);
    assert_eq!(gain(&double("q", 18)), 0.0);
    assert!((pool.pools[0].busy - 1.0).abs() < 1e-6);
    assert_eq!(pool.pools[1].waited, 0.0);

    // A start every ten seconds, five times; the last takes one.
    let rate = forecast_of(
        &[("p", 9, Some(0.1))],
        &[
            ("p", 1, &[]),
            ("p", 1, &[]),
            ("p", 1, &[]),
            ("p", 1, &[]),
            ("p", 1, &[]),
        ],
    );
    let shares = bound_by(&rate);
    assert_eq!(
        shares,
        [(Binding::Rate { pool: "p".into() }, 98), (Binding::Path, 2)]
    );
    assert_eq!(
        rate.changes[0].change,
        Change::Rate {
            pool: "p".into(),
            rate_per_second: 0.2
        }
    );
}

#[test]
fn what_binds_adds_up_to_the_recovery_time() {
    let plan = sample(30, 4, true);
    let forecast = forecast(&plan, &doubtful(&plan), SEED, 0.0);
    let seconds: f64 = forecast.bound_by.iter().map(|share| share.seconds).sum();
    // The median of an even number lies between two rehearsals.
    assert!(
        (seconds / forecast.recovery.median - 1.0).abs() < 0.02,
        "{seconds}"
    );
    let waves = |share: &&reprise_sim::Share| share.binding == Binding::Waves;
    assert!(forecast.bound_by.iter().any(|share| waves(&share)));
}

#[test]
fn the_same_seed_gives_the_same_forecast() {
    let plan = sample(20, 2, false);
    let beliefs = doubtful(&plan);
    let one = forecast(&plan, &beliefs, SEED, 0.0);
    assert_eq!(one, forecast(&plan, &beliefs, SEED, 0.0));
    assert_ne!(one.recovery, forecast(&plan, &beliefs, 8, 0.0).recovery);
    let last = one.waves.last().expect("two waves");
    assert_eq!(last.done, one.recovery);
    let handovers = one.sites.iter().map(|site| site.handover.median);
    assert!(handovers.fold(0.0, f64::max) <= one.recovery.median);
}

/// Worlds of another seed stand for what really happens.
#[test]
fn bands_hold_as_many_worlds_as_they_say() {
    let plan = sample(12, 3, false);
    let beliefs = doubtful(&plan);
    let forecast_ = forecast(&plan, &beliefs, SEED, 0.0);
    let mut inside = [0_u32; 3];
    let worlds = 400_u32;
    let plan = Arc::new(plan);
    for world in 0..worlds {
        let durations = beliefs.draw(&plan, 1_000 + u64::from(world), 0);
        let took = rehearse(&plan, |task: TaskIx| durations[task.get()]).recovery(&plan);
        for (count, band) in inside.iter_mut().zip(&forecast_.recovery.bands) {
            *count += u32::from(band.from <= took && took <= band.to);
        }
    }
    for (count, band) in inside.into_iter().zip(&forecast_.recovery.bands) {
        let share = f64::from(count) / f64::from(worlds) * 100.0;
        let off = (share - f64::from(band.percent)).abs();
        assert!(off < 8.0, "{share} % lie in the band of {} %", band.percent);
    }
}

#[test]
fn what_all_tasks_share_does_not_average_out() {
    let width = |doubt| {
        let plan = sample(60, 1, false);
        let beliefs = Beliefs::of(&plan, |task| Belief {
            seconds: plan.expected(task).as_secs_f64(),
            spread: 0.4,
            doubt,
        });
        let forecast = forecast(&plan, &beliefs, SEED, 0.0);
        let band = forecast.recovery.band(90);
        (band.to - band.from) / forecast.recovery.median
    };
    // A normal factor of ten percent spans a third with ninety percent.
    assert!(width(0.0) > 0.25, "{}", width(0.0));
    assert!(width(0.5) > 2.0 * width(0.0));
}

#[test]
fn objectives_count_from_the_incident() {
    let mut plan = sample(20, 1, false);
    let beliefs = doubtful(&plan);
    let median = forecast(&plan, &beliefs, SEED, 0.0).recovery.median;
    plan.objectives.rto = Some(Elapsed::from_secs(median as u64 + 100));
    let within = |from_incident| forecast(&plan, &beliefs, SEED, from_incident).within_rto;
    assert_eq!(within(100.0).map(|share| (share * 10.0).round()), Some(5.0));
    assert_eq!(within(1e6), Some(0.0));
    assert!(within(0.0) > within(100.0));
}

#[test]
fn more_sites_take_as_much_longer_as_the_pool_that_binds_says() {
    let plan = sample(30, 1, false);
    let (larger, origins) = scaled(&plan, &[300], SEED);
    assert_eq!(larger.sites.len(), 300);
    assert_eq!(larger.waves, [300]);
    assert_eq!(origins.len(), larger.tasks.len());
    for (task, origin) in larger.ixs().zip(&origins) {
        assert_eq!(larger.tasks[task.get()].step, plan.tasks[origin.get()].step);
        let needs = &larger.tasks[task.get()].needs;
        assert!(needs.iter().all(|need| need < &task));
    }
    let shards = |plan: &Plan| {
        let recover = plan
            .ixs()
            .filter(|task| plan.tasks[task.get()].site.is_none());
        recover.count()
    };
    assert_eq!(shards(&larger), shards(&plan));
    let tell = larger.ixs().last().expect("the run's own task comes last");
    assert_eq!(larger.tasks[tell.get()].needs.len(), 300);
    // A site has 14 seconds of work for the eight slots of the pool that binds.
    let took = |plan: &Plan| {
        let plan = Arc::new(plan.clone());
        rehearse(&plan, |task: TaskIx| plan.expected(task)).recovery(&plan)
    };
    let (largest, _) = scaled(&plan, &[3_000], SEED);
    let ratio = (took(&largest) - took(&larger)) / (2_700.0 * 14.0 / 8.0);
    assert!((ratio - 1.0).abs() < 0.01, "{ratio}");
}

#[test]
fn a_shard_that_loses_all_its_sites_is_not_recovered() {
    let plan = sample(30, 2, false);
    let (one, _) = scaled(&plan, &[1], SEED);
    let of_shards = one
        .tasks
        .iter()
        .filter(|task| task.site.is_none() && task.shard.is_some());
    assert_eq!(of_shards.count(), 1);
    assert!(one.sites[0].id.as_str().ends_with("~0"));
    let course = rehearse(&Arc::new(one.clone()), |task: TaskIx| one.expected(task));
    assert!(one.ixs().all(|task| course.end(task).is_some()));
}
