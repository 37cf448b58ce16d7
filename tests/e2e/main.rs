//! The built binaries on a real estate: an accident, a restore, and the
//! lab's own oracle as the judge; and requests that must be refused.

mod binaries;
mod consistency;
mod disks;
mod estate;
mod journal;
mod killer;
mod layers;
mod matrix;
mod outages;
mod references;
mod refusals;
mod runbooks;

use estate::Estate;
use killer::Killer;

/// Not a round number of any wave.
const DELETED: u32 = 4;

#[test]
fn deleted_sites_come_back_and_neighbours_are_not_touched() {
    let estate = Estate::build();
    let writers = estate.start_writers();
    estate.accident(DELETED);
    estate.plan();
    estate.run_to_the_end();
    let audit = estate.audit();
    assert_eq!(audit["ok"], true, "{audit:#}");
    assert_eq!(audit["sites"], DELETED, "{audit:#}");
    assert!(count(&audit, "restored_rows") > 1000, "{audit:#}");
    assert!(writers.committed() > 0, "no neighbour was at work");
    let report = estate.report();
    assert_eq!(report["totals"]["restored"], DELETED, "{report:#}");

    // The judge would have seen it: one neighbour's row rewritten as it was,
    // one restored row changed. A writer that came after would own the row.
    writers.stop();
    estate.tamper();
    let audit = estate.audit();
    assert_eq!(count(&audit, "differences"), 2, "{audit:#}");
    let text = audit.to_string();
    assert!(
        text.contains("neighbour_touched") && text.contains("different"),
        "{audit:#}"
    );
}

#[test]
fn killed_at_random_moments_it_ends_as_if_undisturbed() {
    let mut killer = Killer::from_environment();
    let estate = Estate::build();
    let _writers = estate.start_writers();
    estate.accident(DELETED);
    estate.plan();
    for _ in 0..10 {
        if killer.strike(estate.start_or_resume()) {
            break;
        }
    }
    estate.run_to_the_end();
    let audit = estate.audit();
    assert_eq!(audit["ok"], true, "{killer}: {audit:#}");
    assert!(
        killer.strikes() > 0,
        "{killer}: the run was never interrupted"
    );
    let entries = estate.journal();
    journal::assert_no_finished_task_ran_again(&entries, &killer.to_string());
}

fn count(audit: &serde_json::Value, field: &str) -> u64 {
    audit[field].as_u64().unwrap_or_default()
}
