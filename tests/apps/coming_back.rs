//! What a restore asks for, and what a verification sees.

use reprise_lab::vendor::{Doing, Mischief, Options, What};
use reprise_model::{Action, FaultKind, Verdict};
use reprise_ports::Probe;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::bench::{Bench, Quiet, call};

#[tokio::test]
async fn only_what_is_missing_or_broken_is_asked_for() {
    let bench = Bench::with(Options {
        page: 2,
        ..Options::default()
    })
    .await;
    bench.vendor.set_site(
        "7",
        &[
            ("calendar", "active"),
            ("crm", "suspended"),
            ("maps", "active"),
        ],
    );
    bench.vendor.set_site("8", &[("wiki", "active")]);
    let outcome = bench.restore("7").await.unwrap();
    assert_eq!(outcome.output["installed"], 2);
    assert_eq!(outcome.output["reconnected"], 1);
    assert_eq!(outcome.output["already_there"], 2);
    assert_eq!(outcome.volume.rows, 5);
    let counts = bench.vendor.counts();
    let asked: Vec<_> = counts.effects.keys().cloned().collect();
    assert_eq!(asked, ["7/crm", "7/forms", "7/polls"]);
    // The suspended one was asked for another effect, under a key of its own.
    let keys: Vec<_> = counts.keys.keys().cloned().collect();
    assert_eq!(
        keys,
        [
            "r1%2Frestore%2F7%2Fforms",
            "r1%2Frestore%2F7%2Fpolls",
            "r1%2Frestore%2F7%2Freconnect%2Fcrm",
        ]
    );
    assert_eq!(counts.tokens, 1);

    let outcome = bench.verify("7").await.unwrap();
    assert_eq!(outcome.checks[0].verdict, Verdict::Pass);
    assert_eq!(outcome.checks[0].evidence["apps"], 5);
    assert_eq!(bench.vendor.counts().checks, 5);
    // The neighbour is as it was, and a repeat asks for nothing.
    assert_eq!(bench.vendor.apps("8").len(), 1);
    let outcome = bench.restore("7").await.unwrap();
    assert_eq!(outcome.output["already_there"], 5);
    assert_eq!(bench.vendor.counts().keys, counts.keys);
}

#[tokio::test]
async fn a_probe_looks_and_asks_for_nothing() {
    let bench = Bench::new().await;
    let probe = async || {
        let quiet = Quiet(CancellationToken::new());
        let connector = bench.connector();
        connector
            .probe(&call(Action::Restore, "7"), None, &quiet)
            .await
            .unwrap()
    };
    assert_eq!(probe().await, Probe::NotYet);
    assert!(bench.vendor.counts().keys.is_empty());
    bench.restore("7").await.unwrap();
    let Probe::AsItShouldBe(outcome) = probe().await else {
        panic!("all apps are back");
    };
    assert_eq!(outcome.volume.rows, 5);
}

#[tokio::test]
async fn a_vendor_that_silently_did_nothing_is_found_out() {
    let bench = Bench::new().await;
    let silent = Mischief::new(What::Nothing).at("7", "forms");
    let pending = Mischief::new(What::Leave("pending".to_owned())).at("7", "maps");
    bench.vendor.tell([silent, pending]);
    bench.restore("7").await.unwrap();
    assert_eq!(bench.vendor.counts().silent, 1);
    let fault = bench.verify("7").await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Validation);
    assert_eq!(
        fault.message,
        "site 7: store marketplace: the apps differ: 1 missing (forms); 1 broken (maps: pending)"
    );
    let check = &fault.checks[0];
    assert_eq!(check.verdict, Verdict::Fail);
    assert_eq!(
        check.evidence["missing"],
        json!({ "count": 1, "samples": ["forms"] })
    );
    assert_eq!(
        check.evidence["broken"]["samples"],
        json!([{ "app": "maps", "state": "pending" }])
    );
}

#[tokio::test]
async fn an_app_that_is_listed_and_does_not_work_is_found_by_its_check() {
    let bench = Bench::new().await;
    bench.restore("7").await.unwrap();
    bench.vendor.tell([Mischief::new(What::Refuse(410))
        .on(Doing::Check)
        .at("7", "polls")]);
    let fault = bench.verify("7").await.unwrap_err();
    assert!(fault.message.contains("1 broken (polls: "), "{fault}");
    // A vendor that cannot say is not a verdict.
    bench
        .vendor
        .tell([Mischief::new(What::Crash).on(Doing::Check).at("7", "polls")]);
    let fault = bench.verify("7").await.unwrap_err();
    assert_eq!(
        (fault.kind, fault.checks.len()),
        (FaultKind::Temporary, 0),
        "{fault}"
    );
}

#[tokio::test]
async fn apps_that_were_not_there_at_t_are_told_or_allowed() {
    let bench = Bench::new().await;
    bench
        .vendor
        .set_site("8", &[("crm", "active"), ("wiki", "active")]);
    let fault = bench.verify("8").await.unwrap_err();
    assert!(
        fault
            .message
            .ends_with("the apps differ: 1 not known at T (wiki)"),
        "{fault}"
    );
    let bench = bench.change("      timeout: 5s", "      extra: allowed");
    let outcome = bench.verify("8").await.unwrap();
    assert_eq!(outcome.checks[0].evidence["extra"]["count"], 1);
}
