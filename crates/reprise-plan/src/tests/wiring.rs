//! Every pair of scopes, and what passes through what is not planned.

use crate::fixture::{needs_of, plan};

/// Compiles the steps for sites a (s01), b (s02, m1) and c (s01, m2), and
/// compares the needs of one task.
fn check(steps: &[&str], task: &str, expect: &[&str]) {
    assert_eq!(needs_of(&plan(steps), task), expect, "{task} of {steps:?}");
}

#[test]
fn a_runs_task_waits_for_all_of_a_step() {
    check(&["x run exec", "y run exec <- x"], "y", &["x"]);
    check(
        &["x shard recover issues", "y run exec <- x"],
        "y",
        &["x@s01", "x@s02"],
    );
    check(
        &["x site exec", "y run exec <- x"],
        "y",
        &["x/a", "x/b", "x/c"],
    );
}

#[test]
fn a_shards_task_waits_for_itself_and_for_its_sites() {
    check(
        &["x run exec", "y shard recover issues <- x"],
        "y@s02",
        &["x"],
    );
    let same = ["x shard recover issues", "y shard release issues <- x"];
    check(&same, "y@s01", &["x@s01"]);
    check(&same, "y@s02", &["x@s02"]);
    let other = ["x shard recover issues", "y shard recover catalogue <- x"];
    check(&other, "y@control", &["x@s01", "x@s02"]);
    let sites = ["x site exec", "y shard release issues <- x"];
    check(&sites, "y@s01", &["x/a", "x/c"]);
    check(&sites, "y@s02", &["x/b"]);
}

#[test]
fn a_sites_task_waits_for_its_own_shard_and_its_own_steps() {
    check(&["x run exec", "y site exec <- x"], "y/b", &["x"]);
    let shard = ["x shard recover issues", "y site restore issues <- x"];
    check(&shard, "y/a", &["x@s01"]);
    check(&shard, "y/b", &["x@s02"]);
    let no_store = ["x shard recover issues", "y site exec <- x"];
    check(&no_store, "y/c", &["x@s01"]);
    check(&["x site exec", "y site exec <- x"], "y/c", &["x/c"]);
}

#[test]
fn what_is_not_planned_passes_its_needs_on() {
    let by_condition = [
        "x site exec",
        "y site exec <- x ? site.tier == 'gold'",
        "z site exec <- y",
    ];
    check(&by_condition, "z/a", &["y/a"]);
    check(&by_condition, "z/b", &["x/b"]);
    let by_placement = [
        "x shard recover issues",
        "y shard recover media <- x",
        "z site restore media <- y",
        "end site exec <- z",
    ];
    check(&by_placement, "end/b", &["z/b"]);
    // Site a has no media, so what its media steps would have waited for is
    // passed on as seen from site a: its own shard of issues.
    check(&by_placement, "end/a", &["x@s01"]);
    let whole_step = [
        "x site exec",
        "y shard recover issues <- x ? shard == 's03'",
        "z site restore issues <- y",
    ];
    check(&whole_step, "z/a", &["x/a", "x/c"]);
    check(&whole_step, "z/b", &["x/b"]);
}

#[test]
fn what_is_not_planned_is_recorded_with_the_reason() {
    let plan = plan(&[
        "y site exec ? site.tier == 'gold'",
        "z site restore media",
        "r shard recover issues ? shard != 's02'",
    ]);
    let reasons = plan.not_planned.iter();
    let reasons: Vec<String> = reasons.map(|n| format!("{}: {}", n.task, n.why)).collect();
    assert_eq!(
        reasons,
        [
            "y/b: `when: site.tier == 'gold'` does not hold",
            "y/c: `when: site.tier == 'gold'` does not hold",
            "z/a: store media holds no slice of the site",
            "r@s02: `when: shard != 's02'` does not hold",
        ]
    );
}

#[test]
fn shared_work_is_planned_once_and_only_where_a_site_is() {
    let plan = plan(&["x shard recover issues", "y site restore issues <- x"]);
    let keys: Vec<String> = plan.ixs().map(|task| plan.key(task).to_string()).collect();
    assert_eq!(keys, ["x@s01", "x@s02", "y/a", "y/b", "y/c"]);
}
