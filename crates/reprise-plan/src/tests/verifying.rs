//! Plans that a run must refuse.

use reprise_model::{Digest, Plan, TaskIx};

use crate::fixture::plan;
use crate::verify_plan;

fn refused(spoil: impl FnOnce(&mut Plan)) -> String {
    let mut plan = plan(&[
        "x shard recover issues #heavy",
        "y site restore issues <- x",
        "z run gate <- y",
    ]);
    assert_eq!(verify_plan(&plan), Ok(()));
    spoil(&mut plan);
    verify_plan(&plan.sealed())
        .expect_err("it was spoilt")
        .to_string()
}

#[test]
fn a_changed_plan_is_refused() {
    let mut plan = plan(&["x site exec"]);
    plan.hash = Default::default();
    let fault = verify_plan(&plan).expect_err("another hash").to_string();
    assert!(
        fault.starts_with("the plan was changed after it was made: it carries hash 000000000000")
    );
}

#[test]
fn a_malformed_plan_is_refused_with_the_place() {
    let check = |spoil: fn(&mut Plan), expect: &str| assert_eq!(refused(spoil), expect);
    check(
        |plan| plan.version = 7,
        "the plan has format version 7, newer than the 1 that this version reads",
    );
    check(
        |plan| plan.version = 0,
        "the plan has format version 0, which there never was",
    );
    check(
        |plan| plan.tasks[2].needs = vec![TaskIx(2)],
        "the plan is malformed: task 2 needs task 2, which does not come before it",
    );
    check(
        |plan| plan.tasks[2].step = 9,
        "the plan is malformed: task 2 is of a step that is not there",
    );
    check(
        |plan| plan.tasks[2].site = Some(9),
        "the plan is malformed: task 2 is for a site that is not there",
    );
    check(
        |plan| plan.tasks[2].shard = Some(9),
        "the plan is malformed: task 2 is for a shard that its store does not have",
    );
    check(
        |plan| plan.tasks[0].site = Some(0),
        "the plan is malformed: task 0 does not fit its step x of scope shard",
    );
    check(
        |plan| plan.tasks[3] = plan.tasks[2].clone(),
        "the plan is malformed: task 3 is there twice",
    );
    check(
        |plan| plan.waves = vec![2],
        "the plan is malformed: the waves hold 2 sites, and the plan 3",
    );
    check(
        |plan| plan.waves = vec![u32::MAX, u32::MAX],
        "the plan is malformed: the waves hold 8589934590 sites, and the plan 3",
    );
    check(
        |plan| plan.sites[1].wave = 4,
        "the plan is malformed: site b says wave 4 and stands in wave 0",
    );
    check(
        |plan| plan.sites[1].id = "a".into(),
        "the plan is malformed: a site is there twice",
    );
    check(
        |plan| plan.slots = Some(0),
        "the plan is malformed: it has no slots over all pools",
    );
    check(
        |plan| plan.pools.clear(),
        "the plan is malformed: step x names pool heavy, which is not there",
    );
    for rate in [0.0, -1.0, 1e-300] {
        assert_eq!(
            refused(|plan| plan.pools[0].rate_per_second = Some(rate)),
            "the plan is malformed: pool heavy has a rate that is none"
        );
    }
}

/// The promise of the format, as it is written down.
#[test]
fn the_hash_is_of_the_compact_text_with_the_hash_zero() {
    let mut plan = plan(&["x site exec", "y site exec <- x", "z run gate <- y"]);
    for version in [1, 10, 123] {
        for path in [1, 20_000, 70_000, 200_000] {
            plan.version = version;
            plan.estate.path = "p".repeat(path).into();
            plan.hash = Digest::of(b"another");
            let bare = Plan {
                hash: Digest::default(),
                ..plan.clone()
            };
            let text = serde_json::to_vec(&bare).unwrap();
            assert_eq!(plan.computed_hash(), Digest::of(&text), "{version}, {path}");
        }
    }
}
