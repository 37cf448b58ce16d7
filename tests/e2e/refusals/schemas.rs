//! Schemas that do not fit, and rows that are there already.

use super::stage::{Ended, Stage};

#[test]
fn tables_that_nobody_owns_stop_the_plan_by_name() {
    let stage = Stage::build();
    let site = stage.deleted();
    stage.execute(
        "s01",
        "create table tracker.drafts (issue bigint, body text)",
    );
    stage.refused("owned-by-nobody-in-live", stage.plan_of(&site), 8);
    stage.execute("s01", "drop table tracker.drafts");

    let forgotten = stage.altered_estate("tracker.audit_log: { key: tenant_id }", "# forgotten");
    let mut plan = stage.request_of("plan", &forgotten, &stage.target_time());
    plan.args(["--sites", &site]);
    stage.refused("owned-by-nobody-in-the-estate", plan, 8);
}

#[test]
fn a_site_is_not_restored_twice_nor_into_tables_where_it_does_not_fit() {
    let stage = Stage::build();
    let run = || {
        let mut run = stage.request("run");
        run.args(["--sites", &stage.deleted(), "--confirm", "1"]);
        run.arg("--keep-scratch");
        Ended::of(&run.output().expect("reprise runs"))
    };
    let first = run();
    assert_eq!(first.code, Some(0), "{first}");

    let before = stage.live();
    let second = run();
    assert_eq!(second.code, Some(7), "{second}");
    stage.assert_live("restored-twice", &before);
    stage.snapshot("restored-twice", &second.failures());

    // The recovered shards are still there: drift is seen before a run.
    stage.execute("s01", "alter table tracker.comments drop column edits");
    stage.refused("column-gone-from-live", stage.plan_of(&stage.deleted()), 8);
}
