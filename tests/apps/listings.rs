//! Which apps there were at T, and how near to T the listing reaches.

use std::ops::ControlFlow;

use reprise_model::{Action, End, FaultKind, Side};
use reprise_ports::{Item, Listing};
use tokio_util::sync::CancellationToken;

use crate::bench::{Bench, Quiet, T, call, perform};

#[tokio::test]
async fn a_listing_with_times_is_read_as_of_t_and_tells_its_point() {
    let bench = Bench::new().await;
    bench.listing(
        "site,app,plan,since,until\n\
         7,crm,gold,2026-01-01T00:00:00Z,\n\
         7,maps,free,2026-01-01T00:00:00Z,2026-03-01T11:00:00Z\n\
         7,wiki,free,2026-03-01T13:00:00Z,\n",
    );
    let connector = bench.connector();
    let outcome = perform(&*connector, &call(Action::Recover, "7"))
        .await
        .unwrap();
    let point = outcome.recovery_point.unwrap();
    assert_eq!(point.point.to_string(), T);
    assert_eq!(outcome.volume.rows, 1);
    perform(&*connector, &call(Action::Restore, "7"))
        .await
        .unwrap();
    let apps: Vec<_> = bench.vendor.apps("7").into_keys().collect();
    assert_eq!(apps, ["crm"]);
}

#[tokio::test]
async fn json_lines_say_the_same() {
    let bench = Bench::new()
        .await
        .change("from: apps.csv", "from: apps.jsonl");
    let lines = "{\"site\":7,\"app\":\"crm\",\"plan\":\"gold\"}\n\n{\"site\":8,\"app\":\"maps\",\"plan\":null}\n";
    std::fs::write(bench.folder.path().join("apps.jsonl"), lines).unwrap();
    bench.restore("7").await.unwrap();
    assert_eq!(bench.vendor.apps("7").len(), 1);
    // The body wants a plan, and the listing has none.
    let fault = bench.restore("8").await.unwrap_err();
    assert!(
        fault
            .message
            .contains("there is no `app.plan` here; there is app.id"),
        "{fault}"
    );
}

#[tokio::test]
async fn a_listing_that_cannot_be_read_stops_before_anything_is_asked() {
    let bench = Bench::new().await;
    std::fs::remove_file(bench.folder.path().join("apps.csv")).unwrap();
    let fault = bench.restore("7").await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Permanent);
    assert!(fault.message.contains("apps.csv cannot be read"), "{fault}");
    assert_eq!(bench.vendor.counts(), Default::default());
}

#[tokio::test]
async fn what_the_vendor_lists_is_told_to_who_compares() {
    let bench = Bench::new().await;
    let apps = [("crm", "active"), ("maps", "suspended"), ("own", "active")];
    bench.vendor.set_site("7", &apps);
    let connector = bench.connector();
    let items = async |at: End| {
        let call = call(Action::Verify, "7");
        let listing = Listing {
            shard: call.shard.unwrap(),
            site: call.site.unwrap(),
            target_time: call.target_time,
            side: Side {
                store: "marketplace".into(),
                key: "id".into(),
                compare: vec!["state".into(), "plan".into()],
                at,
                query: None,
                filter: None,
                list: Default::default(),
            },
        };
        let mut items = Vec::new();
        let mut take = |item: Item| {
            let texts = std::iter::once(item.key).chain(item.fields);
            let texts: Vec<_> = texts.map(|text| text.unwrap_or("-".into())).collect();
            items.push(texts.join(" "));
            ControlFlow::Continue(())
        };
        let quiet = Quiet(CancellationToken::new());
        connector.list(&listing, &mut take, &quiet).await.unwrap();
        items
    };
    let live = items(End::Live).await;
    assert_eq!(live, ["crm ok -", "maps suspended -", "own ok -"]);
    let then = items(End::Target).await;
    assert_eq!(then[..2], ["calendar - free", "crm - gold"]);
    assert_eq!(then.len(), 5);
    assert!(bench.vendor.counts().effects.is_empty());
}
