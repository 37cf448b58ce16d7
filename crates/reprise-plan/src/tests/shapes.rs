//! Ranks, the critical path and the lower bound, against plain reckoning.

use reprise_model::{Elapsed, PoolName, TaskIx};

use crate::fixture::{compiled, four_sites, ids, plan, runbook};
use crate::shape::{Binding, Shape, critical_path, lower_bound};

#[test]
fn both_directions_hold_the_same_edges() {
    let plan = plan(&[
        "x shard recover issues",
        "y site restore issues <- x",
        "z run gate <- y, x",
    ]);
    let shape = Shape::of(&plan);
    assert_eq!(shape.len(), plan.tasks.len());
    for one in plan.ixs() {
        assert_eq!(shape.needs_of(one), plan.tasks[one.get()].needs);
        for two in plan.ixs() {
            let forward = shape.dependents_of(one).contains(&two);
            assert_eq!(
                forward,
                shape.needs_of(two).contains(&one),
                "{one:?} {two:?}"
            );
        }
    }
    assert_eq!(
        shape.edges(),
        plan.ixs()
            .map(|t| shape.dependents_of(t).len())
            .sum::<usize>()
    );
}

#[test]
fn the_heaviest_chain_decides() {
    let mut plan = plan(&[
        "long site exec",
        "short site exec",
        "end run exec <- long, short",
    ]);
    for (step, seconds) in plan.steps.iter_mut().zip([100, 10, 1]) {
        step.expected = Elapsed::from_secs(seconds);
    }
    let shape = Shape::of(&plan);
    let ranks: Vec<u64> = plan
        .ixs()
        .map(|task| shape.rank(task) / 1_000_000)
        .collect();
    assert_eq!(ranks, [101, 101, 101, 11, 11, 11, 1]);
    let path = critical_path(&plan);
    assert_eq!(
        (path.tasks, path.seconds),
        (vec![TaskIx(0), TaskIx(6)], 101.0)
    );
}

#[test]
fn a_narrow_pool_bounds_from_below() {
    let mut plan = plan(&["x site exec #load", "end run gate <- x"]);
    plan.steps[0].expected = Elapsed::from_secs(10);
    let mut check = |slots, rate, seconds, binding| {
        plan.pools[0].slots = slots;
        plan.pools[0].rate_per_second = rate;
        let bound = lower_bound(&plan);
        assert_eq!((bound.seconds, bound.binding), (seconds, binding));
    };
    check(1, None, 30.0, Binding::Slots(PoolName::from("load")));
    check(3, None, 10.0, Binding::CriticalPath);
    // Two intervals, and the last task.
    check(3, Some(0.1), 30.0, Binding::Rate(PoolName::from("load")));
}

#[test]
fn what_comes_before_and_after_a_pool_counts() {
    let mut plan = plan(&[
        "recover shard recover issues",
        "product site restore issues <- recover #load",
        "whole site verify issues <- product",
    ]);
    for (step, seconds) in plan.steps.iter_mut().zip([100, 10, 7]) {
        step.expected = Elapsed::from_secs(seconds);
    }
    plan.pools[0].slots = 1;
    let bound = lower_bound(&plan);
    assert_eq!(bound.seconds, 100.0 + 3.0 * 10.0 + 7.0);
    assert_eq!(bound.binding, Binding::Slots(PoolName::from("load")));
    // Of the three slices two are short, and one has a long check: it goes first.
    let of = |key: &str| plan.ixs().find(|task| plan.key(*task).as_str() == key);
    let check = of("whole/a").expect("it is planned");
    plan.tasks[check.get()].expected = Some(Elapsed::from_secs(40));
    assert_eq!(lower_bound(&plan).seconds, 100.0 + 10.0 + 40.0);
}

#[test]
fn slots_over_all_pools_bound_from_below() {
    let mut runbook = runbook(&["x site exec", "y site exec", "end run gate <- x, y"]);
    runbook.slots = Some(2);
    let compiled = compiled(&runbook, four_sites(), ids(&["a", "b", "c"]));
    let mut plan = compiled.expect("it compiles").plan;
    for step in &mut plan.steps[..2] {
        step.expected = Elapsed::from_secs(10);
    }
    let bound = lower_bound(&plan);
    assert_eq!((bound.seconds, bound.binding), (30.0, Binding::AllSlots));
}

#[test]
fn times_without_end_add_up() {
    let mut plan = plan(&["x site exec #load", "y site exec <- x #load"]);
    for step in &mut plan.steps {
        step.expected = Elapsed(std::time::Duration::MAX);
    }
    plan.pools[0].rate_per_second = Some(1.0);
    plan.slots = Some(1);
    assert!(lower_bound(&plan).seconds >= u64::MAX as f64 / 1e6);
}
