//! What holds for every runbook, list of sites and selection.

use std::collections::BTreeSet;

use proptest::prelude::*;
use reprise_model::{Plan, Runbook, Scope};

use crate::fixture::{compiled, ids, runbook};
use crate::{Selection, SiteRow, verify_plan};

/// Up to eight steps of every scope and store, with needs among earlier ones.
fn runbooks() -> impl Strategy<Value = Runbook> {
    let kinds = prop::sample::select(vec![
        "run exec",
        "site exec",
        "site exec ? site.tier == 'gold'",
        "shard recover catalogue",
        "shard recover issues",
        "shard recover media ? shard == 'm1'",
        "site restore issues",
        "site restore media",
    ]);
    let steps = prop::collection::vec((kinds, any::<u8>()), 1..8);
    steps.prop_map(|steps| {
        let lines = steps.iter().enumerate().map(|(at, (kind, needs))| {
            let (kind, when) = match kind.split_once(" ? ") {
                Some((kind, when)) => (kind, format!(" ? {when}")),
                None => (*kind, String::new()),
            };
            let needs = (0..at).filter(|bit| needs >> bit & 1 == 1);
            let needs: Vec<String> = needs.map(|bit| format!("s{bit}")).collect();
            format!("s{at} {kind} <- {}{when}", needs.join(","))
        });
        // Written backwards, so that the order of the file is not the order of work.
        let mut lines: Vec<String> = lines.collect();
        lines.reverse();
        runbook(&lines.iter().map(String::as_str).collect::<Vec<_>>())
    })
}

fn rosters() -> impl Strategy<Value = Vec<SiteRow>> {
    let site = (1..=3u8, 0..=2u8, any::<bool>());
    prop::collection::vec(site, 1..12).prop_map(|sites| {
        let lines = sites.iter().enumerate().map(|(at, (shard, media, gold))| {
            let tier = if *gold { "gold" } else { "free" };
            let media = match media {
                0 => String::new(),
                media => format!(" media=m{media}"),
            };
            format!("id{at} shard=s0{shard} tier={tier}{media}")
        });
        let lines: Vec<String> = lines.collect();
        crate::fixture::sites(&lines.iter().map(String::as_str).collect::<Vec<_>>())
    })
}

fn planned_or_recorded(plan: &Plan) -> BTreeSet<String> {
    let planned = plan.ixs().map(|task| plan.key(task).to_string());
    planned
        .chain(plan.not_planned.iter().map(|n| n.task.to_string()))
        .collect()
}

proptest! {
    #[test]
    fn a_compiled_plan_is_one_that_a_run_accepts(runbook in runbooks(), rows in rosters()) {
        let plan = compiled(&runbook, rows, Selection::All).unwrap().plan;
        prop_assert_eq!(verify_plan(&plan), Ok(()));
        let json = serde_json::to_string(&plan).unwrap();
        prop_assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
    }

    #[test]
    fn every_step_of_every_site_is_planned_or_explained(runbook in runbooks(), rows in rosters()) {
        let plan = compiled(&runbook, rows, Selection::All).unwrap().plan;
        let told = planned_or_recorded(&plan);
        for step in runbook.steps.iter().filter(|step| step.scope == Scope::Site) {
            for site in &plan.sites {
                let key = format!("{}/{}", step.name, site.id);
                prop_assert!(told.contains(&key), "{}", key);
            }
        }
    }

    #[test]
    fn the_order_of_the_list_of_sites_does_not_matter(
        runbook in runbooks(),
        (rows, shuffled) in rosters().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        pick in any::<u16>(),
    ) {
        let chosen = rows.iter().enumerate().filter(|(at, _)| *at == 0 || pick >> at & 1 == 1);
        let chosen: Vec<&str> = chosen.map(|(_, row)| row["id"].as_str()).collect();
        for selection in [ids(&chosen), Selection::All] {
            let one = compiled(&runbook, rows.clone(), selection.clone()).unwrap().plan;
            let two = compiled(&runbook, shuffled.clone(), selection).unwrap().plan;
            prop_assert_eq!(one.hash, two.hash);
        }
    }

    #[test]
    fn nonsense_is_refused_without_a_panic(
        runbook in runbooks(),
        rows in rosters(),
        (task, field, value) in (any::<prop::sample::Index>(), 0..4u8, any::<u32>()),
    ) {
        let mut plan = compiled(&runbook, rows, Selection::All).unwrap().plan;
        prop_assume!(!plan.tasks.is_empty());
        let task = task.index(plan.tasks.len());
        let value = value.max(1_000);
        match field {
            0 => plan.tasks[task].step = value,
            1 => plan.tasks[task].site = Some(value),
            2 => plan.tasks[task].shard = Some(value),
            _ => plan.tasks[task].needs.push(reprise_model::TaskIx(value)),
        }
        prop_assert!(verify_plan(&plan.sealed()).is_err());
    }
}
