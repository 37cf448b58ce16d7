//! A crash at every place where one can come: before each entry is accepted,
//! before each effect, before a page is written, while it is, and before what
//! follows is done.

use std::sync::Arc;

use reprise_model::Plan;
use reprise_sim::{AtCrash, Faults, Report, Sample, plan, simulate};

const AT_CRASH: [AtCrash; 3] = [AtCrash::Lost, AtCrash::Kept, AtCrash::Torn];

fn small(sites: u32, gates: bool) -> Arc<Plan> {
    Arc::new(plan(Sample {
        sites,
        shards: 1,
        waves: sites.min(2),
        gates,
        halt_above: None,
    }))
}

fn run(plan: &Arc<Plan>, crash_at: [Option<u64>; 2], page: AtCrash) -> Report {
    let faults = Faults {
        crash_at,
        page_at_crash: Some(page),
        until: 100_000,
        ..Faults::default()
    };
    let report = simulate(plan.clone(), 1, faults);
    report.unwrap_or_else(|violation| panic!("crash at {crash_at:?}, page {page:?}: {violation}"))
}

#[test]
fn a_crash_at_any_boundary_changes_nothing_in_the_end() {
    let plan = small(3, true);
    let undisturbed = run(&plan, [None, None], AtCrash::Lost);
    assert!(undisturbed.boundaries > 100, "{}", undisturbed.boundaries);
    for page in AT_CRASH {
        for at in 0..undisturbed.boundaries {
            let report = run(&plan, [Some(at), None], page);
            assert_eq!(report.sites, undisturbed.sites, "crash at {at}");
            assert!(report.owners > undisturbed.owners, "no crash at {at}");
        }
    }
}

#[test]
fn so_do_two_crashes_at_any_two_boundaries() {
    let plan = small(1, false);
    let undisturbed = run(&plan, [None, None], AtCrash::Lost);
    for first in 0..undisturbed.boundaries {
        let page = AT_CRASH[first as usize % AT_CRASH.len()];
        let once = run(&plan, [Some(first), None], page);
        for second in first + 1..once.boundaries {
            let report = run(&plan, [Some(first), Some(second)], page);
            assert_eq!(report.sites, undisturbed.sites, "{first}, then {second}");
            assert_eq!(report.owners, once.owners + 1, "{first}, then {second}");
        }
    }
}
