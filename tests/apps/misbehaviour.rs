//! Each way in which a vendor misbehaves: what is told, and that a repeat ends
//! well with each effect once.

use reprise_lab::vendor::{Doing, Mischief, Options, What};
use reprise_model::{Elapsed, FaultKind};

use crate::bench::{APPS, Bench};

fn seconds(text: &str) -> String {
    text.to_owned()
}

#[tokio::test]
async fn what_may_pass_is_temporary_and_nothing_happens_twice() {
    let table = [
        (What::Drop, "no answer from 127.0.0.1", None),
        (What::Busy(seconds("7")), "429", Some(7)),
        (
            What::Unavailable("Wed, 01 Jan 2020 00:00:00 GMT".to_owned()),
            "503",
            Some(0),
        ),
        (What::Late(60_000), "no answer from 127.0.0.1", None),
    ];
    for (what, expect, wait) in table {
        let bench = Bench::new().await.change("timeout: 5s", "timeout: 300ms");
        bench.vendor.tell([Mischief::new(what.clone())
            .on(Doing::Install)
            .after(2)
            .times(1)]);
        let fault = bench.restore("7").await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Temporary, "{what:?}: {fault}");
        assert_eq!(fault.retry_after, wait.map(Elapsed::from_secs), "{what:?}");
        let kept = "2 of 5 apps are back, 3 left (forms, maps, polls): ";
        assert!(fault.message.contains(kept), "{fault}");
        assert!(fault.message.contains(expect), "{fault}");
        assert_eq!(bench.vendor.apps("7").len(), 2, "{what:?}");
        let outcome = bench.restore("7").await.unwrap();
        assert_eq!(outcome.output["installed"], 3);
        bench.all_once();
        bench.verify("7").await.unwrap();
    }
}

#[tokio::test]
async fn a_lost_answer_is_looked_for_and_not_asked_for_again() {
    for what in [What::Lose, What::Crash] {
        let bench = Bench::new().await;
        bench.vendor.tell([Mischief::new(what).on(Doing::Install)]);
        let outcome = bench.restore("7").await.unwrap();
        assert_eq!(outcome.output["installed"], 5);
        bench.all_once();
        let counts = bench.vendor.counts();
        assert!(counts.keys.values().all(|asked| *asked == 1), "{counts:?}");
        // One listing before, and one for each answer that was lost.
        assert_eq!(counts.lists, 6);
    }
}

#[tokio::test]
async fn a_lost_answer_that_cannot_be_looked_for_is_found_by_the_next_attempt() {
    let bench = Bench::new().await;
    let lost = Mischief::new(What::Lose)
        .on(Doing::Install)
        .after(1)
        .times(1);
    let deaf = Mischief::new(What::Drop).on(Doing::List).after(1).times(1);
    bench.vendor.tell([lost, deaf]);
    let fault = bench.restore("7").await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Temporary);
    bench.restore("7").await.unwrap();
    bench.all_once();
    assert_eq!(bench.vendor.counts().replayed, 0);
}

#[tokio::test]
async fn one_app_that_is_refused_does_not_hold_up_the_others() {
    let bench = Bench::new().await;
    bench
        .vendor
        .tell([Mischief::new(What::Refuse(422)).at("7", "crm")]);
    let fault = bench.restore("7").await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Permanent);
    assert!(
        fault
            .message
            .contains("4 of 5 apps are back, 1 left (crm): "),
        "{fault}"
    );
    assert!(fault.message.contains("no longer sold"), "{fault}");
    // The vendor repeated the token, and went on and on.
    assert!(!fault.message.contains("vendor-token"), "{fault}");
    assert!(fault.message.len() < 400, "{fault}");
    assert_eq!(bench.vendor.apps("7").len(), 4);
}

#[tokio::test]
async fn a_listing_that_breaks_off_is_no_verdict() {
    let bench = Bench::with(Options {
        page: 2,
        ..Options::default()
    })
    .await;
    bench.restore("7").await.unwrap();
    bench
        .vendor
        .tell([Mischief::new(What::Drop).on(Doing::List).after(1).times(1)]);
    let fault = bench.verify("7").await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Temporary, "{fault}");
    bench.verify("7").await.unwrap();
}

#[tokio::test]
async fn by_chance_everything_goes_wrong_and_it_ends_well() {
    for seed in 1..=8 {
        let options = Options {
            chaos: 0.3,
            seed,
            page: 2,
            ..Options::default()
        };
        let bench = Bench::with(options).await;
        let mut attempts = 0;
        while let Err(fault) = bench.restore("7").await {
            assert_eq!(fault.kind, FaultKind::Temporary, "seed {seed}: {fault}");
            attempts += 1;
            assert!(attempts < 200, "seed {seed}: {fault}");
        }
        assert_eq!(bench.vendor.apps("7").len(), APPS.len(), "seed {seed}");
        bench.all_once();
    }
}
