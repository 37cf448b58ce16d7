//! A vendor that does not know us, is not there, or must not be reached.

use reprise_lab::vendor::{Doing, Mischief, What};
use reprise_model::{Action, FaultKind, ShardId};
use reprise_ports::{Inspect, Level};

use crate::bench::{Bench, SECRET, T, call, perform};

fn inspect() -> Inspect {
    Inspect {
        shard: ShardId::from("main"),
        target_time: Some(T.parse().unwrap()),
        sites: Vec::new(),
    }
}

#[tokio::test]
async fn refused_credentials_are_permanent_and_stay_secret() {
    let bench = Bench::new().await.secret("another-secret");
    let fault = bench.restore("7").await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Permanent);
    assert!(
        fault.message.contains("the token endpoint of 127.0.0.1"),
        "{fault}"
    );
    assert!(fault.message.contains("401"), "{fault}");
    let shown = format!("{fault:?}");
    assert!(
        !shown.contains("another-secret") && !shown.contains(SECRET),
        "{shown}"
    );
    assert!(fault.hint.unwrap().contains("auth"));
    let findings = bench.connector().inspect(&inspect()).await.findings;
    let levels: Vec<_> = findings
        .iter()
        .map(|f| (f.check.as_str(), f.level))
        .collect();
    assert_eq!(
        levels,
        [("listing", Level::Ok), ("connection", Level::Error)]
    );
}

#[tokio::test]
async fn a_token_that_is_no_longer_accepted_is_renewed_once() {
    let bench = Bench::new().await;
    let connector = bench.connector();
    perform(&*connector, &call(Action::Restore, "7"))
        .await
        .unwrap();
    bench.vendor.forget_tokens();
    perform(&*connector, &call(Action::Verify, "7"))
        .await
        .unwrap();
    let counts = bench.vendor.counts();
    assert_eq!((counts.tokens, counts.unauthorized), (2, 1));
    // A vendor that refuses every token is asked twice, not for ever.
    bench
        .vendor
        .tell([Mischief::new(What::Refuse(401)).on(Doing::List)]);
    let fault = perform(&*connector, &call(Action::Verify, "7"))
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Permanent, "{fault}");
    assert_eq!(bench.vendor.counts().tokens, 3);
}

#[tokio::test]
async fn a_token_takes_the_place_of_the_user_in_the_address() {
    let bench = Bench::new().await;
    let url = bench.vendor.url().replace("://", "://ada:hidden@");
    let connector = bench.connector_to(&url);
    perform(&*connector, &call(Action::Restore, "7"))
        .await
        .unwrap();
    assert_eq!(bench.vendor.counts().unauthorized, 0);
}

#[tokio::test]
async fn a_token_endpoint_that_is_busy_may_pass() {
    let bench = Bench::new().await;
    bench.vendor.tell([Mischief::new(What::Busy("3".to_owned()))
        .on(Doing::Token)
        .times(1)]);
    let fault = bench.restore("7").await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Temporary);
    assert!(fault.retry_after.is_some());
    bench.restore("7").await.unwrap();
    bench.all_once();
}

#[tokio::test]
async fn a_vendor_that_is_down_may_come_back() {
    let bench = Bench::new().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap().to_string();
    drop(port);
    let connector = bench.connector_to(&format!("http://user:{SECRET}@{address}"));
    for action in [Action::Restore, Action::Verify] {
        let fault = perform(&*connector, &call(action, "7")).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Temporary, "{fault}");
        assert!(
            fault.message.starts_with("site 7: store marketplace: "),
            "{fault}"
        );
        assert!(fault.message.contains(&address), "{fault}");
        assert!(!fault.message.contains(SECRET), "{fault}");
    }
}

#[tokio::test]
async fn a_drill_has_no_way_to_the_vendor() {
    let bench = Bench::new().await.drill();
    let fault = bench.restore("7").await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused, "{fault}");
    assert_eq!(bench.vendor.counts(), Default::default());
}

#[tokio::test]
async fn an_id_leads_to_no_other_site() {
    let bench = Bench::new().await;
    bench.vendor.set_site("8", &[]);
    bench.listing("site,app,plan\n7/../8,crm?x=,free\n");
    bench.restore("7/../8").await.unwrap();
    assert!(bench.vendor.apps("8").is_empty());
    assert_eq!(bench.vendor.apps("7/../8")["crm?x="], "active");
    bench.verify("7/../8").await.unwrap();
    bench.listing("site,app,plan\n..,crm,free\n");
    let fault = bench.restore("..").await.unwrap_err();
    assert!(
        fault.message.contains("cannot stand in an address"),
        "{fault}"
    );
}
