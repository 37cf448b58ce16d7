//! The pictures, and the names that would break their syntax.

use reprise_model::Plan;

use crate::fixture::{compiled, four_sites, ids, sites, usual_runbook};
use crate::{Selection, graph};

fn small() -> Plan {
    compiled(&usual_runbook(), four_sites(), ids(&["a", "b"]))
        .unwrap()
        .plan
}

fn large() -> Plan {
    let rows: Vec<String> = (0..40)
        .map(|at| format!("id{at} shard=s0{}", at % 3 + 1))
        .collect();
    let rows = sites(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    compiled(&usual_runbook(), rows, Selection::All)
        .unwrap()
        .plan
}

fn hostile() -> Plan {
    let mut plan = small();
    plan.sites[0].id = "a\"]<b>&\\;{{ #x".into();
    plan.estate.name = "<acme> & \"sons\"".into();
    plan
}

#[test]
fn small_plans_are_shown_by_task_and_large_ones_by_step() {
    insta::assert_snapshot!("dot_by_task", graph::dot(&small()));
    insta::assert_snapshot!("dot_by_step", graph::dot(&large()));
    insta::assert_snapshot!("mermaid_by_task", graph::mermaid(&small()));
    insta::assert_snapshot!("mermaid_by_step", graph::mermaid(&large()));
    insta::assert_snapshot!("svg_by_step", graph::svg(&large()));
}

#[test]
fn names_cannot_break_out() {
    let plan = hostile();
    let dot = graph::dot(&plan);
    assert!(dot.contains(r#""site-record/a\"]<b>&\\;{{ #x\n"#), "{dot}");
    let mermaid = graph::mermaid(&plan);
    assert!(
        mermaid.contains("site-record/a#34;]#60;b#62;#38;#92;#59;{{ #35;x"),
        "{mermaid}"
    );
    let svg = graph::svg(&plan);
    assert!(svg.contains("&lt;acme&gt; &amp; &quot;sons&quot;"));
    assert!(svg.contains("site-record/a&quot;]&lt;b&gt;&amp;\\;{{ #x"));
    assert!(!svg.contains("<b>") && !svg.contains("<acme>"));
}

#[test]
fn a_plan_without_tasks_has_a_picture() {
    let plan = crate::fixture::plan(&["x site exec ? false"]);
    assert!(plan.tasks.is_empty());
    assert!(graph::svg(&plan).ends_with("</svg>\n"));
    assert!(graph::dot(&plan).ends_with("}\n"));
    assert!(graph::mermaid(&plan).ends_with("flowchart LR\n"));
}

#[test]
fn boxes_do_not_overlap() {
    let svg = graph::svg(&small());
    let boxes: Vec<[f64; 4]> = svg
        .split("<rect class=\"box\"")
        .skip(1)
        .map(corners)
        .collect();
    assert_eq!(boxes.len(), small().tasks.len());
    for (at, one) in boxes.iter().enumerate() {
        for two in &boxes[at + 1..] {
            let beside = one[2] <= two[0] || two[2] <= one[0];
            let below = one[3] <= two[1] || two[3] <= one[1];
            assert!(beside || below, "{one:?} {two:?}");
        }
    }
}

/// Left, top, right and bottom of a rectangle.
fn corners(rect: &str) -> [f64; 4] {
    let number = |name: &str| -> f64 {
        let rest = rect.split_once(&format!(" {name}=\"")).expect(name).1;
        rest.split('"')
            .next()
            .and_then(|n| n.parse().ok())
            .expect(name)
    };
    let (x, y) = (number("x"), number("y"));
    [x, y, x + number("width"), y + number("height")]
}
