//! The consistency verdict cannot be left out of a runbook that hands over.

use reprise_model::{Action, Plan, Runbook};

use crate::fixture::{compiled, four_sites, ids, needs_of, runbook};

const WORK: [&str; 4] = [
    "recover shard recover issues",
    "product site restore issues <- recover",
    "whole site verify issues <- product",
    "reachable site http.check <- whole",
];

fn with(more: &[&str]) -> Runbook {
    runbook(&[&WORK[..], more].concat())
}

fn plan(runbook: &Runbook) -> Plan {
    compiled(runbook, four_sites(), ids(&["a", "b", "c"]))
        .expect("it compiles")
        .plan
}

/// Steps that hold recovery points against T, with their needs.
fn checks(plan: &Plan) -> Vec<String> {
    let steps = plan.steps.iter();
    let checks = steps.filter(|step| step.action == Action::CheckConsistency);
    let shown = checks.map(|step| {
        let needs: Vec<_> = step.needs.iter().map(|need| need.as_str()).collect();
        format!("{} <- {}", step.name, needs.join(", "))
    });
    shown.collect()
}

#[test]
fn a_gate_behind_a_restore_gets_the_check_and_waits_for_it() {
    let plan = plan(&with(&["handover site gate <- reachable"]));
    assert_eq!(checks(&plan), ["consistency <- whole"]);
    assert_eq!(
        needs_of(&plan, "handover/a"),
        ["reachable/a", "consistency/a"]
    );
    assert_eq!(needs_of(&plan, "consistency/a"), ["whole/a"]);
}

#[test]
fn what_it_looks_at_and_what_it_is_called() {
    let check = |more: &[&str], expect: &[&str]| {
        assert_eq!(checks(&plan(&with(more))), expect, "{more:?}");
    };
    check(&[], &[]);
    // No restore comes before it.
    check(&["early run gate <- recover"], &[]);
    // The name is taken, by a step that does something else.
    check(
        &[
            "consistency site exec <- whole",
            "handover run gate <- whole",
        ],
        &["consistency-2 <- whole"],
    );
    // Two gates behind the same work share one.
    check(
        &["ops site gate <- whole", "customer site gate <- whole, ops"],
        &["consistency <- whole"],
    );
    // The later one looks at more.
    check(
        &[
            "ops site gate <- product",
            "pictures site restore media <- ops",
            "customer site gate <- pictures, whole",
        ],
        &["consistency <- product", "consistency-2 <- whole, pictures"],
    );
}

#[test]
fn a_check_of_the_runbooks_own_is_enough_only_where_it_sees_everything() {
    let own = |needs: &str, when: &str| {
        let check = format!("one-moment site check.consistency <- {needs} {when}");
        let runbook = with(&[&check, "handover site gate <- one-moment, whole"]);
        checks(&plan(&runbook)).len()
    };
    assert_eq!(own("whole", ""), 1);
    assert_eq!(own("product", ""), 2, "it does not wait for `whole`");
    assert_eq!(own("whole", "? site.tier == 'gold'"), 2, "not every site");
    // It is there, and the gate does not wait for it.
    let beside = with(&[
        "one-moment site check.consistency <- whole",
        "handover site gate <- whole",
    ]);
    assert_eq!(checks(&plan(&beside)).len(), 2);
}
