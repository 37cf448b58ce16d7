//! A whole plan: its JSON, its order, its numbers.

use std::collections::BTreeMap;

use reprise_model::{HaltLimit, HaltRule, Volume, WaveSize};

use crate::fixture::{compiled, estate, four_sites, ids, input, usual_runbook};
use crate::{CompileInput, Selection, ShardEstimate, compile};

#[test]
fn a_small_plan_as_json() {
    let plan = crate::fixture::plan(&[
        "recover shard recover issues #heavy",
        "product site restore issues <- recover ? site.tier == 'free'",
        "handover run gate <- product",
    ]);
    let json = serde_json::to_string_pretty(&plan).expect("plain data");
    insta::assert_snapshot!(json);
    let back: reprise_model::Plan = serde_json::from_str(&json).expect("what was written");
    assert_eq!(back, plan);
}

#[test]
fn the_smallest_sites_go_first_and_the_others_as_selected() {
    let mut runbook = usual_runbook();
    runbook.waves = vec![WaveSize::Sites(2), WaveSize::Rest];
    let plan = compiled(&runbook, four_sites(), ids(&["d", "a", "c", "b"]))
        .unwrap()
        .plan;
    let order: Vec<_> = plan.sites.iter().map(|s| (s.id.as_str(), s.wave)).collect();
    assert_eq!(order, [("b", 0), ("c", 0), ("d", 1), ("a", 1)]);
    assert_eq!(plan.waves, [2, 2]);
}

#[test]
fn a_single_wave_keeps_the_order_of_the_selection() {
    let plan = compiled(&usual_runbook(), four_sites(), ids(&["d", "a", "b"]))
        .unwrap()
        .plan;
    let order: Vec<_> = plan.sites.iter().map(|site| site.id.as_str()).collect();
    assert_eq!(order, ["d", "a", "b"]);
}

#[test]
fn filters_must_all_hold() {
    let wanted = vec![
        ("tier".into(), "free".into()),
        ("customer".into(), "y".into()),
    ];
    let plan = compiled(&usual_runbook(), four_sites(), Selection::Where(wanted))
        .unwrap()
        .plan;
    assert_eq!(plan.sites.len(), 1);
    assert_eq!(plan.sites[0].id.as_str(), "c");
}

#[test]
fn a_share_of_failed_sites_rounds_down() {
    let check = |limit, expect| {
        let mut runbook = usual_runbook();
        runbook.halt = HaltRule {
            failed_sites: limit,
            checks: false,
        };
        let plan = compiled(&runbook, four_sites(), Selection::All)
            .unwrap()
            .plan;
        assert_eq!(plan.halt_above, expect, "{limit:?}");
    };
    check(None, None);
    check(Some(HaltLimit::Sites(3)), Some(3));
    check(Some(HaltLimit::Percent(49.0)), Some(1));
    check(Some(HaltLimit::Percent(2.0)), Some(0));
}

#[test]
fn the_blast_radius_counts_what_is_written() {
    let (estate, runbook) = (estate(), usual_runbook());
    let estimate = |rows, live_sites| ShardEstimate {
        per_site: Some(Volume {
            rows,
            bytes: rows * 100,
        }),
        scratch_bytes: Some(1_000),
        live_sites,
    };
    let key = |store: &str, shard: &str| (store.into(), shard.into());
    let input = CompileInput {
        estimates: BTreeMap::from([
            (key("issues", "s01"), estimate(10, None)),
            (key("catalogue", "control"), estimate(1, None)),
        ]),
        ..input(&estate, &runbook, four_sites(), ids(&["a", "c"]))
    };
    let blast = compile(input.clone()).unwrap().plan.blast_radius;
    assert_eq!(
        (blast.sites, blast.customers, blast.users),
        (2, Some(2), Some(57))
    );
    assert_eq!(blast.shards, 2, "control and s01");
    assert_eq!((blast.rows, blast.bytes), (Some(22), Some(2_200)));
    assert_eq!(blast.scratch_bytes, Some(2_000));
    assert_eq!(
        blast.neighbours,
        Some(2),
        "b and d are on control, each counted once"
    );
    // Sites that were created since are on no list, but the live end knows them.
    let mut crowded = input;
    crowded
        .estimates
        .insert(key("issues", "s01"), estimate(10, Some(40)));
    assert_eq!(
        compile(crowded).unwrap().plan.blast_radius.neighbours,
        Some(38)
    );
}

#[test]
fn what_nobody_knows_is_absent_and_not_zero() {
    let rows = crate::fixture::sites(&["a shard=s01"]);
    let blast = compiled(&usual_runbook(), rows, Selection::All)
        .unwrap()
        .plan
        .blast_radius;
    assert_eq!((blast.customers, blast.users), (None, None));
    assert_eq!(
        (blast.rows, blast.bytes, blast.scratch_bytes),
        (None, None, None)
    );
    assert_eq!(blast.neighbours, Some(0));
}
