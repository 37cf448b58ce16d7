//! Ranks, the critical path and the lower bound, against plain reckoning.

use reprise_model::{Elapsed, PoolName, TaskIx};

use crate::fixture::plan;
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
    check(3, Some(0.1), 20.0, Binding::Rate(PoolName::from("load")));
}
