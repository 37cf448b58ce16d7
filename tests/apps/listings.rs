//! Which apps there were at T, and how near to T the listing reaches.

use reprise_model::{Action, FaultKind};

use crate::bench::{Bench, T, call, perform};

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
