//! Storage classes: carried to copies; an archive is told from what can be read.

use reprise_model::{Action, FaultKind, Verdict};
use reprise_ports::{Connector, Probe};
use reqwest::Method;
use serde_json::json;

use crate::proxy::{Act, Proxy};
use crate::weed::{KEY, SECRET};
use crate::world::{Quiet, World, call, connector, moment, url};

const RARE: [(&str, &str); 1] = [("x-amz-storage-class", "STANDARD_IA")];
const ARCHIVE: [(&str, &str); 1] = [("x-amz-storage-class", "GLACIER")];

#[tokio::test]
async fn a_copy_asks_for_the_class_of_its_source() {
    let world = World::new().await;
    world.put_with("sites/a/small", "then", &RARE).await;
    let big = "x".repeat(6 << 20);
    world.put_with("sites/a/big", &big, &RARE).await;
    let target = moment().await;
    for key in ["small", "big"] {
        world.put(&format!("sites/a/{key}"), "later").await;
    }
    let proxy = Proxy::new(world.weed.port, |_| Act::Pass).await;
    let live = url(KEY, SECRET, proxy.port, &world.bucket);
    let watched = connector(live, world.folder.path());
    let with = json!({ "on_conflict": "replace", "part_size": 5 << 20 });
    let restore = call(Action::Restore, "a", target, with);
    watched
        .perform(&restore, &Quiet::default())
        .await
        .expect("restored");
    let heads = proxy.heads();
    let asked = |start: &str, has: &str| {
        let found = heads.iter().find(|head| {
            let first = head.lines().next().unwrap_or_default();
            first.starts_with(start) && first.contains(has)
        });
        found
            .expect("asked for")
            .contains("x-amz-storage-class: STANDARD_IA")
    };
    assert!(asked("PUT", "/small?"), "{heads:#?}");
    assert!(asked("POST", "uploads="), "{heads:#?}");
    for key in ["small", "big"] {
        let key = format!("sites/a/{key}");
        let head = world.send(Method::HEAD, Some(&key), &[], &[], Vec::new());
        let head = head.await;
        assert_eq!(
            head.headers()["x-amz-storage-class"],
            "STANDARD_IA",
            "{key}"
        );
    }
    // A class is nothing that a site is made of.
    world.put_with("sites/a/small", "then", &[]).await;
    world
        .perform(Action::Verify, "a", target, json!({}))
        .await
        .expect("whole");
}

#[tokio::test]
async fn archived_versions_are_refused_by_key_before_anything_is_written() {
    let world = World::new().await;
    for site in ["a", "b"] {
        let key = |name| format!("sites/{site}/{name}");
        world.put(&key("warm"), "then").await;
        world.put_with(&key("cold"), "then", &ARCHIVE).await;
    }
    let target = moment().await;
    for key in ["sites/a/warm", "sites/a/cold"] {
        world.put(key, "later").await;
        world.delete(key).await;
    }
    for key in ["sites/b/warm", "sites/b/cold"] {
        world.delete(key).await;
    }
    let fault = world.perform(Action::Restore, "a", target, json!({})).await;
    let fault = fault.expect_err("cannot be read");
    assert_eq!(fault.kind, FaultKind::Refused);
    let told = "of 1 keys are archived (GLACIER, DEEP_ARCHIVE), such as `sites/a/cold`";
    assert!(fault.message.contains(told), "{fault}");
    assert!(fault.hint.expect("a way").contains("restore-object"));
    assert_eq!(world.get("sites/a/warm").await, None, "nothing was touched");
    assert!(matches!(world.probe("a", target).await, Probe::NotYet));

    // What is uncovered is as it was, and said.
    let keep = json!({ "markers": "keep" });
    let fault = world.perform(Action::Restore, "b", target, keep).await;
    assert_eq!(fault.expect_err("cannot be read").kind, FaultKind::Refused);
    let restore = world.perform(Action::Restore, "b", target, json!({}));
    restore.await.expect("nothing is read");
    let verify = world.perform(Action::Verify, "b", target, json!({}));
    let check = verify.await.expect("there").checks.remove(0);
    assert_eq!(check.verdict, Verdict::Pass);
    let archived = json!({ "count": 1, "samples": ["sites/b/cold"] });
    assert_eq!(check.evidence["archived"], archived);
}
