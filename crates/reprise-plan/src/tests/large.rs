//! Plans of many tasks. Edges are counted, not seconds: what is linear in
//! edges is fast on every machine.

use crate::Selection;
use crate::fixture::{compiled, runbook, sites};
use crate::shape::Shape;

#[test]
fn edges_grow_with_tasks_and_not_with_their_square() {
    const SITES: usize = 1_000;
    const STEPS: usize = 30;
    let rows: Vec<String> = (0..SITES)
        .map(|at| format!("id{at} shard=s0{}", at % 3 + 1))
        .collect();
    let rows = sites(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    let mut lines = vec!["s0 shard recover issues".to_owned()];
    for at in 1..=STEPS {
        lines.push(format!("s{at} site restore issues <- s{}, s0", at - 1));
    }
    lines.push(format!("drop shard release issues <- s{STEPS}"));
    lines.push("end run exec <- drop".to_owned());
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let plan = compiled(&runbook(&lines), rows, Selection::All)
        .unwrap()
        .plan;
    assert_eq!(plan.tasks.len(), 3 + SITES * STEPS + 3 + 1);
    let shape = Shape::of(&plan);
    // One edge for the first step, two for each later one, one for each site
    // at the end, three into the end.
    assert_eq!(shape.edges(), SITES + 2 * SITES * (STEPS - 1) + SITES + 3);
}

#[test]
fn passing_through_a_whole_scope_is_bounded() {
    let rows: Vec<String> = (0..8_000).map(|at| format!("id{at} shard=s01")).collect();
    let rows = sites(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    let steps = ["x site exec", "y run exec <- x ? false", "z site exec <- y"];
    let errors = compiled(&runbook(&steps), rows, Selection::All).expect_err("64 million edges");
    insta::assert_snapshot!(errors, @"the plan would have more than 50000000 dependencies, most of them of step z; let a step of scope `run` stand between the two groups of tasks");
}
