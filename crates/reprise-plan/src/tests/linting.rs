//! Each rule of lint once where it fires, and once a runbook without fault.

use reprise_model::Elapsed;

use crate::fixture::{compiled, estate, four_sites, ids, runbook, sites, usual_runbook};
use crate::{Selection, Warning, lint};

fn shown(warnings: &[Warning]) -> String {
    let lines = warnings.iter().map(|w| {
        let hint = w.hint.as_ref().map(|hint| format!("\n  hint: {hint}"));
        let severity = format!("{:?}", w.severity).to_lowercase();
        format!(
            "{severity}[{}] {}{}",
            w.code,
            w.message,
            hint.unwrap_or_default()
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn of_steps(lines: &[&str]) -> String {
    shown(&lint(&runbook(lines), &estate()))
}

#[test]
fn a_sound_runbook_is_told_only_what_it_leaves_out() {
    insta::assert_snapshot!(shown(&lint(&usual_runbook(), &estate())), @r"
    warning[store-not-restored] store media is not restored by this runbook
      hint: add a step with `action: restore`, `store: media`
    hint[consistency-added] step consistency is added before gate handover: all stores of a site at one moment, before it is handed over
      hint: write a step with `action: check.consistency` to give it another name or pool
    ");
}

#[test]
fn recovery_in_the_wrong_order() {
    insta::assert_snapshot!(of_steps(&[
        "recover-issues shard recover issues #heavy",
        "product site restore issues",
        "whole site verify issues",
        "drop shard release issues <- recover-issues",
        "media site restore media",
    ]), @r"
    error[restore-without-recover] step product restores store issues, which nothing recovers before
      hint: add `recover-issues` to its needs
    error[restore-without-recover] step media restores store media, which nothing recovers before
      hint: add a step with `action: recover` of the same store to its needs
    warning[verify-without-restore] step whole verifies store issues without waiting for its restore
      hint: add `product` to its needs
    warning[restore-without-verify] nothing verifies store issues after step product
      hint: add a step with `action: verify`, `store: issues`, `needs: [product]`
    warning[restore-without-verify] nothing verifies store media after step media
      hint: add a step with `action: verify`, `store: media`, `needs: [media]`
    warning[store-not-restored] store catalogue is not restored by this runbook
      hint: add a step with `action: restore`, `store: catalogue`
    error[release-too-early] step drop drops the scratch that step product reads
      hint: add `product` to its needs
    error[release-too-early] step drop drops the scratch that step whole reads
      hint: add `whole` to its needs
    ");
}

#[test]
fn gates_pools_and_times() {
    let mut runbook = runbook(&[
        "recover shard recover issues",
        "product site restore issues <- recover",
        "whole site verify issues <- product",
        "early run gate",
        "handover run gate <- product",
    ]);
    runbook.steps[0].timeout = Some(Elapsed::from_secs(60));
    runbook.steps[0].expect = Some(Elapsed::from_secs(600));
    let pool = crate::fixture::runbook(&["x site exec #idle"]).pools;
    runbook.slots = Some(pool[0].slots - 1);
    runbook.pools.extend(pool);
    insta::assert_snapshot!(shown(&lint(&runbook, &estate())), @r"
    warning[store-not-restored] store catalogue is not restored by this runbook
      hint: add a step with `action: restore`, `store: catalogue`
    warning[store-not-restored] store media is not restored by this runbook
      hint: add a step with `action: restore`, `store: media`
    warning[gate-holds-nothing] gate early waits for nothing and nothing waits for it
      hint: name it in the needs of the steps that it should hold back
    warning[handover-before-verify] gate handover hands over without waiting for whole
      hint: add whole to its needs
    hint[consistency-added] step consistency is added before gate handover: all stores of a site at one moment, before it is handed over
      hint: write a step with `action: check.consistency` to give it another name or pool
    warning[timeout-below-expectation] step recover is ended after 1m 00s and expected to take 10m 00s
      hint: raise its `timeout`, or lower `expect`
    warning[pool-unused] no step uses pool idle
      hint: remove it, or add `pool: idle` to a step
    warning[pool-above-slots] pool idle has 2 slots, and the runbook 1 over all pools
      hint: raise `slots`, or give the pool 1 at most
    hint[recover-without-pool] step recover recovers all its shards at once
      hint: give it a `pool` with as many slots as the machine can bear
    ");
}

#[test]
fn a_circle_is_an_error_with_its_path() {
    insta::assert_snapshot!(of_steps(&["a site exec <- b", "b site exec <- a"]), @"error[cycle] steps need each other in a circle: a -> b -> a");
}

#[test]
fn steps_and_sites_without_a_task() {
    let runbook = runbook(&[
        "recover shard recover media #heavy",
        "pictures site restore media <- recover",
        "vip site exec ? site.tier == 'platinum'",
    ]);
    let warnings = compiled(&runbook, four_sites(), ids(&["a"]))
        .unwrap()
        .warnings;
    let of_plan: Vec<Warning> = warnings.into_iter().rev().take(4).rev().collect();
    insta::assert_snapshot!(shown(&of_plan), @r"
    warning[step-never-planned] no task of step recover is planned: no shard of its store holds a selected site
    warning[step-never-planned] no task of step pictures is planned: store media holds no slice of the site
    warning[step-never-planned] no task of step vip is planned: `when: site.tier == 'platinum'` does not hold
    warning[site-untouched] nothing is planned for site a
      hint: see `not_planned` in the plan for each step's reason
    ");
    let gold = compiled(&usual_runbook(), sites(&["a shard=s01"]), Selection::All);
    assert!(
        gold.unwrap()
            .warnings
            .iter()
            .all(|w| matches!(w.code, "store-not-restored" | "consistency-added"))
    );
}
