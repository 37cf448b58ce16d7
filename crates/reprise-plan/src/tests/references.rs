//! `check.references`: two stores that the plan must know, for each site the
//! shards that hold it, and what lint says of a comparison that is too early.

use reprise_model::{Runbook, ShardId};
use serde_json::json;

use crate::fixture::{compiled, estate, four_sites, ids, runbook};
use crate::lint;

/// The step `files` compares `from` with `to`.
fn with(lines: &[&str], from: &str, to: &str, at: &str) -> Runbook {
    let mut runbook = runbook(lines);
    let files = runbook
        .steps
        .iter_mut()
        .find(|s| s.name.as_str() == "files");
    let with = json!({
        "from": { "store": from, "key": "id", "query": "select $1" },
        "to": { "store": to, "key": "id", "at": at },
    });
    files.expect("the step").with = with.as_object().expect("a map").clone();
    runbook
}

const FILES: [&str; 1] = ["files site check.references"];

#[test]
fn the_shards_of_both_stores_are_the_sites_own() {
    let runbook = with(&FILES, "issues", "media", "live");
    let plan = compiled(&runbook, four_sites(), ids(&["a", "b", "c", "d"]));
    let plan = plan.expect("it compiles").plan;
    for task in plan.ixs() {
        let site = plan.site_of(task).expect("a site");
        let shards = site.shards.iter().map(|at| &plan.shards[*at as usize]);
        let stores: Vec<&str> = shards.map(|shard| shard.store.as_str()).collect();
        assert_eq!(stores, ["issues", "media"], "{}", site.id);
        assert_eq!(plan.shard_of(task).map(|s| &s.shard), None::<&ShardId>);
    }
    // A site without a slice in one of the stores has nothing to compare.
    let left_out: Vec<_> = plan.not_planned.iter().collect();
    assert!(!left_out.is_empty() && !plan.tasks.is_empty());
    for task in left_out {
        assert_eq!(task.why, "store media holds no slice of the site");
    }
    assert_eq!(plan.blast_radius.shards, 0, "nothing is written");
}

#[test]
fn a_store_that_is_not_there_is_named_with_the_nearest() {
    let runbook = with(&FILES, "issues", "medai", "live");
    let errors = compiled(&runbook, four_sites(), ids(&["a"])).expect_err("a mistake");
    assert_eq!(
        errors.to_string(),
        "step files names store `medai`, which the estate does not have; the nearest is `media`"
    );
    let empty = crate::fixture::runbook(&FILES);
    let errors = compiled(&empty, four_sites(), ids(&["a"])).expect_err("a mistake");
    assert!(
        errors
            .to_string()
            .starts_with("step files does not say what it compares: ")
    );
}

#[test]
fn a_comparison_before_its_stores_are_back_is_a_warning() {
    let codes = |needs: &str, at: &str| {
        let files = format!("files site check.references{needs}");
        let lines = [
            "recover shard recover issues",
            "issues site restore issues <- recover",
            "whole site verify issues <- issues",
            &files,
            "release shard release issues <- whole",
        ];
        let warnings = lint(&with(&lines, "issues", "issues", at), &estate());
        let codes = warnings.iter().map(|warning| warning.code);
        let codes = codes.filter(|code| !code.starts_with("store-not") && !code.contains("pool"));
        codes.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(codes("", "live"), "compared-too-early");
    assert_eq!(codes(" <- issues", "live"), "");
    // What reads scratch is waited for by what drops it.
    assert_eq!(codes(" <- issues", "target"), "release-too-early");
    assert_eq!(
        codes("", "target"),
        "release-too-early compared-too-early compared-too-early"
    );
}
