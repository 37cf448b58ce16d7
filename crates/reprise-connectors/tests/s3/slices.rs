//! A site's keys, back as they were at T.

use reprise_model::{Action, FaultKind, Verdict};
use reprise_ports::{Connector, Probe};
use reqwest::Method;
use serde_json::json;

use crate::world::{Quiet, World, call, moment};

#[tokio::test]
async fn markers_older_versions_and_later_keys_are_brought_to_t() {
    let world = World::new().await;
    let told = [
        ("content-type", "image/png"),
        ("x-amz-meta-by", "ann"),
        ("x-amz-tagging", "kind=logo"),
    ];
    world
        .put("sites/a/deleted & <odd> \u{e9}+", "deleted")
        .await;
    world.put_with("sites/a/changed", "then", &told).await;
    world.put("sites/a/stays", "stays").await;
    world.put("sites/a/gone-before", "x").await;
    world.delete("sites/a/gone-before").await;
    world.put("sites/ab/neighbour", "theirs").await;
    let target = moment().await;
    world.put("sites/a/changed", "later").await;
    world.delete("sites/a/changed").await;
    world.delete("sites/a/deleted & <odd> \u{e9}+").await;
    world.put("sites/a/created", "new").await;
    world.delete("sites/ab/neighbour").await;

    let outcome = world
        .perform(Action::Restore, "a", target, json!({}))
        .await
        .expect("restored");
    assert_eq!(outcome.volume.rows, 3);
    assert_eq!(outcome.output["changed"], 2);
    assert_eq!(outcome.output["created_after"], 1);
    let point = outcome.recovery_point.expect("measured");
    assert_eq!(point.point, target);
    assert!(point.last_before.expect("some") < target && point.first_after.expect("some") > target);
    assert_eq!(
        world
            .get("sites/a/deleted & <odd> \u{e9}+")
            .await
            .as_deref(),
        Some("deleted")
    );
    assert_eq!(world.get("sites/a/changed").await.as_deref(), Some("then"));
    assert_eq!(world.get("sites/a/gone-before").await, None);
    assert_eq!(
        world.get("sites/a/created").await.as_deref(),
        Some("new"),
        "kept"
    );
    assert_eq!(world.get("sites/ab/neighbour").await, None, "not ours");

    let head = world
        .send(Method::HEAD, Some("sites/a/changed"), &[], &[], Vec::new())
        .await;
    assert_eq!(head.headers()["content-type"], "image/png");
    assert_eq!(head.headers()["x-amz-meta-by"], "ann");
    let tags = world
        .send(
            Method::GET,
            Some("sites/a/changed"),
            &[("tagging", "")],
            &[],
            Vec::new(),
        )
        .await;
    assert!(
        tags.text()
            .await
            .expect("a body")
            .contains("<Value>logo</Value>")
    );

    let verified = world
        .perform(Action::Verify, "a", target, json!({}))
        .await
        .expect("whole");
    assert_eq!(verified.checks[0].verdict, Verdict::Pass);
    assert!(matches!(
        world.probe("a", target).await,
        Probe::AsItShouldBe(_)
    ));
    // A repeat does nothing, also without its manifest.
    let before = world.listing().await;
    let main = format!("media-main-{}", target.compact());
    std::fs::remove_dir_all(world.folder.path().join(main)).expect("a manifest");
    world
        .perform(Action::Restore, "a", target, json!({}))
        .await
        .expect("again");
    assert_eq!(world.listing().await, before);

    let remove = json!({ "created_after": "remove" });
    world
        .perform(Action::Verify, "a", target, remove.clone())
        .await
        .expect_err("one too many");
    world
        .perform(Action::Restore, "a", target, remove.clone())
        .await
        .expect("removed");
    assert_eq!(world.get("sites/a/created").await, None);
    world
        .perform(Action::Verify, "a", target, remove)
        .await
        .expect("exact");
}

#[tokio::test]
async fn verify_catches_one_object_missing_and_one_of_the_wrong_version() {
    let world = World::new().await;
    for key in 0..20 {
        world.put(&format!("sites/a/{key}"), "then").await;
    }
    let target = moment().await;
    world
        .perform(Action::Verify, "a", target, json!({}))
        .await
        .expect("whole");
    world.put("sites/a/3", "THEN").await;
    world.delete("sites/a/7").await;
    world
        .put_with("sites/a/9", "then", &[("content-type", "text/css")])
        .await;
    assert!(matches!(world.probe("a", target).await, Probe::NotYet));
    let fault = world
        .perform(Action::Verify, "a", target, json!({}))
        .await
        .expect_err("not whole");
    assert_eq!(fault.kind, FaultKind::Validation);
    let evidence = &fault.checks[0].evidence;
    assert_eq!(evidence["missing"]["samples"], json!(["sites/a/7"]));
    let wrong = json!(["sites/a/3: bytes", "sites/a/9: metadata"]);
    assert_eq!(evidence["wrong"]["samples"], wrong);

    let fault = world
        .perform(Action::Restore, "a", target, json!({}))
        .await
        .expect_err("in the way");
    assert_eq!(fault.kind, FaultKind::Refused);
    assert!(
        fault.message.contains("2 live objects are not those of T"),
        "{fault}"
    );
    assert_eq!(world.get("sites/a/7").await, None, "nothing was touched");
    let keep = json!({ "on_conflict": "keep" });
    world
        .perform(Action::Restore, "a", target, keep.clone())
        .await
        .expect("kept");
    assert_eq!(world.get("sites/a/3").await.as_deref(), Some("THEN"));
    world
        .perform(Action::Verify, "a", target, keep)
        .await
        .expect("as was asked");
    let replace = json!({ "on_conflict": "replace" });
    world
        .perform(Action::Restore, "a", target, replace)
        .await
        .expect("replaced");
    world
        .perform(Action::Verify, "a", target, json!({}))
        .await
        .expect("whole");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_keys_cut_off_in_the_middle_end_the_same() {
    const KEYS: usize = 1500;
    let world = World::new().await;
    let each = |run: &'static str| {
        use futures::StreamExt;
        let world = &world;
        futures::stream::iter(0..KEYS).for_each_concurrent(16, move |key| async move {
            let name = format!("sites/a/{key:05}");
            match run {
                "delete" => drop(world.delete(&name).await),
                body => world.put(&name, body).await,
            }
        })
    };
    each("then").await;
    let target = moment().await;
    each("delete").await;
    let work = call(Action::Restore, "a", target, json!({ "concurrent": 8 }));
    {
        // Dropped as soon as the first keys are there, wherever it is then.
        let quiet = Quiet::default();
        let restore = world.connector.perform(&work, &quiet);
        tokio::pin!(restore);
        loop {
            tokio::select! {
                ended = &mut restore => panic!("too fast to be cut off: {ended:?}"),
                there = world.get("sites/a/00010") => if there.is_some() { break },
            }
        }
    }
    assert_eq!(world.get("sites/a/01499").await, None, "it was cut off");
    let outcome = world
        .perform(Action::Restore, "a", target, json!({}))
        .await
        .expect("the rest");
    let changed = outcome.output["changed"].as_u64().expect("a count");
    assert!(changed > 0 && changed < KEYS as u64, "{changed}");
    let verified = world
        .perform(Action::Verify, "a", target, json!({}))
        .await
        .expect("whole");
    assert_eq!(verified.volume.rows, KEYS as u64);
}

#[tokio::test]
async fn an_object_above_the_size_of_a_part_is_copied_in_parts() {
    let world = World::new().await;
    let big: String = (0..11 << 20)
        .map(|at| char::from(b'a' + (at / 7 % 26) as u8))
        .collect();
    let told = [
        ("content-type", "video/mp4"),
        ("x-amz-meta-by", "ann"),
        ("x-amz-tagging", "a=b"),
    ];
    world.put_with("sites/a/big", &big, &told).await;
    let target = moment().await;
    world.put("sites/a/big", "later").await;
    let with = json!({ "on_conflict": "replace", "part_size": 5 << 20 });
    world
        .perform(Action::Restore, "a", target, with)
        .await
        .expect("restored");
    assert!(
        world.get("sites/a/big").await.as_deref() == Some(big.as_str()),
        "the same bytes"
    );
    // Its ETag is another one: bytes, metadata and tags are compared.
    world
        .perform(Action::Verify, "a", target, json!({}))
        .await
        .expect("whole");
    assert!(matches!(
        world.probe("a", target).await,
        Probe::AsItShouldBe(_)
    ));
}

/// Restored to too early a moment first, and then to the right one.
#[tokio::test]
async fn markers_that_are_kept_tell_a_later_restore_what_was_deleted() {
    let world = World::new().await;
    world.put("sites/a/stays", "then").await;
    world.put("sites/a/dropped", "then").await;
    let early = moment().await;
    world.delete("sites/a/dropped").await;
    let late = moment().await;
    world.delete("sites/a/stays").await;
    let keep = json!({ "markers": "keep", "created_after": "remove" });
    let restore = world.perform(Action::Restore, "a", early, keep.clone());
    assert_eq!(restore.await.expect("restored").output["changed"], 2);
    let verify = world.perform(Action::Verify, "a", early, json!({}));
    verify.await.expect("whole");
    assert!(matches!(
        world.probe("a", early).await,
        Probe::AsItShouldBe(_)
    ));
    let restore = world.perform(Action::Restore, "a", late, keep);
    restore.await.expect("restored");
    assert_eq!(world.get("sites/a/stays").await.as_deref(), Some("then"));
    assert_eq!(world.get("sites/a/dropped").await, None, "deleted at T");
}
