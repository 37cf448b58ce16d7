//! Servers that refuse, and one that is not there.

use reprise_model::{Action, FaultKind, Timestamp};
use reprise_ports::{Connector, Inspect, Level};
use serde_json::json;

use crate::weed::{KEY, READER, SECRET};
use crate::world::{Quiet, World, call, connector, moment, url};

#[tokio::test]
async fn a_key_that_only_reads_and_a_wrong_secret_are_named() {
    let world = World::new().await;
    world.put("sites/a/x", "x").await;
    let target = moment().await;
    world.delete("sites/a/x").await;
    let port = world.weed.port;
    let restore = call(Action::Restore, "a", target, json!({}));
    for (key, secret) in [(READER, SECRET), (KEY, "wrong-secret"), ("NOBODY", SECRET)] {
        let other = connector(url(key, secret, port, &world.bucket), world.folder.path());
        let fault = other
            .perform(&restore, &Quiet::default())
            .await
            .expect_err(key);
        assert_eq!(fault.kind, FaultKind::Permanent, "{fault}");
        let text = format!("{fault:?}");
        assert!(text.contains("403"), "{text}");
        assert!(
            !text.contains(secret) && !text.contains("Signature="),
            "{text}"
        );
        assert_eq!(world.get("sites/a/x").await, None);
    }
}

#[tokio::test]
async fn a_server_that_is_down_may_come_back() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("bound").port();
    drop(free);
    let folder = tempfile::tempdir().expect("a folder");
    let absent = connector(url(KEY, SECRET, port, "media"), folder.path());
    let restore = call(Action::Restore, "a", Timestamp::from_micros(0), json!({}));
    let fault = absent
        .perform(&restore, &Quiet::default())
        .await
        .expect_err("nobody there");
    assert_eq!(fault.kind, FaultKind::Temporary, "{fault}");
    let cancelled = Quiet::default();
    cancelled.cancelled.cancel();
    let fault = absent
        .perform(&restore, &cancelled)
        .await
        .expect_err("ended");
    assert_eq!(fault.kind, FaultKind::Cancelled);
    let inspection = absent
        .inspect(&Inspect {
            shard: "main".into(),
            target_time: None,
            sites: Vec::new(),
        })
        .await;
    assert_eq!(inspection.findings[0].check, "connection");
    assert_eq!(inspection.findings[0].level, Level::Error);
}
