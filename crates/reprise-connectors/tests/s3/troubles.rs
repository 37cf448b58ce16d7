//! Servers that break, stall and forget in the middle of a restore.

use reprise_connectors::s3::S3Connector;
use reprise_model::{Action, Elapsed, FaultKind, Timestamp};
use reprise_ports::Connector;
use reqwest::Method;
use serde_json::json;

use crate::proxy::{Act, BUSY, LATER, Proxy};
use crate::weed::{self, KEY, SECRET};
use crate::world::{Quiet, World, call, connector, moment, url};

const KEYS: usize = 8;

/// Every even key is to be copied, every odd one to be uncovered.
async fn delete_site(world: &World, site: &str) {
    for key in 0..KEYS {
        let name = format!("sites/{site}/{key}");
        if key % 2 == 0 {
            world.put(&name, "later").await;
        }
        world.delete(&name).await;
    }
}

async fn fill_site(world: &World, site: &str) {
    for key in 0..KEYS {
        world.put(&format!("sites/{site}/{key}"), "then").await;
    }
}

/// A world with one deleted site, and the moment before that.
async fn deleted() -> (World, Timestamp) {
    let world = World::new().await;
    fill_site(&world, "a").await;
    let target = moment().await;
    delete_site(&world, "a").await;
    (world, target)
}

fn through(proxy: &Proxy, world: &World) -> S3Connector {
    let live = url(KEY, SECRET, proxy.port, &world.bucket);
    connector(live, world.folder.path())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_request_the_repeat_ends_the_same_and_copies_nothing_twice() {
    let world = World::new().await;
    let cuts = (0..KEYS as u32).flat_map(|at| [(at, Act::Hold), (at, Act::Lose)]);
    let cuts: Vec<(String, u32, Act)> = cuts
        .map(|(at, act)| (format!("{at}{act:?}"), at, act))
        .collect();
    for (site, _, _) in &cuts {
        fill_site(&world, site).await;
    }
    let target = moment().await;
    for (site, _, _) in &cuts {
        delete_site(&world, site).await;
    }
    for (site, at, act) in &cuts {
        let (at, act) = (*at, *act);
        let rule = move |before| if before == at { act } else { Act::Pass };
        let proxy = Proxy::new(world.weed.port, rule).await;
        let cut = through(&proxy, &world);
        // One at a time, so that what came before the cut is done.
        let work = call(Action::Restore, site, target, json!({ "concurrent": 1 }));
        let quiet = Quiet::default();
        tokio::select! {
            biased;
            () = proxy.struck() => {}
            ended = cut.perform(&work, &quiet) => panic!("{site}: not cut off: {ended:?}"),
        }
        assert_eq!(proxy.changes(), at + 1, "{site}");
        let outcome = world
            .perform(Action::Restore, site, target, json!({}))
            .await
            .expect("the rest");
        let lost = u64::from(act == Act::Lose);
        assert_eq!(
            outcome.output["changed"],
            KEYS as u64 - u64::from(at) - lost,
            "{site}"
        );
        world
            .perform(Action::Verify, site, target, json!({}))
            .await
            .expect("whole");
    }
    let listing = world.listing().await;
    for (site, _, _) in &cuts {
        for key in (0..KEYS).step_by(2) {
            let of_key = format!("<Key>sites/{site}/{key}</Key>");
            // Then, later, the marker, and one copy.
            assert_eq!(listing.matches(&of_key).count(), 4, "{of_key}");
        }
    }
}

#[tokio::test]
async fn a_busy_server_and_lost_answers_are_outlived_by_one_attempt() {
    let (world, target) = deleted().await;
    let rule = |before| match before % 4 {
        0 => BUSY,
        1 => Act::Lose,
        _ => Act::Pass,
    };
    let proxy = Proxy::new(world.weed.port, rule).await;
    let outcome = through(&proxy, &world)
        .perform(
            &call(Action::Restore, "a", target, json!({ "concurrent": 1 })),
            &Quiet::default(),
        )
        .await
        .expect("restored");
    assert_eq!(outcome.output["changed"], KEYS as u64);
    assert!(proxy.changes() > KEYS as u32);
    world
        .perform(Action::Verify, "a", target, json!({}))
        .await
        .expect("whole");
}

#[tokio::test]
async fn a_server_that_asks_for_patience_is_left_at_once_and_told_when() {
    let (world, target) = deleted().await;
    let proxy = Proxy::new(world.weed.port, |_| LATER).await;
    let fault = through(&proxy, &world)
        .perform(
            &call(Action::Restore, "a", target, json!({ "concurrent": 1 })),
            &Quiet::default(),
        )
        .await
        .expect_err("busy");
    assert_eq!(fault.kind, FaultKind::Temporary, "{fault}");
    assert_eq!(fault.retry_after, Some(Elapsed::from_secs(37)));
    assert_eq!(proxy.changes(), 1, "not asked again");
}

#[tokio::test]
async fn a_server_that_never_answers_is_left_when_the_operator_says_so() {
    let (world, target) = deleted().await;
    let proxy = Proxy::new(world.weed.port, |_| Act::Hold).await;
    let slow = through(&proxy, &world);
    let quiet = Quiet::default();
    let work = call(Action::Restore, "a", target, json!({}));
    let operator = async {
        proxy.struck().await;
        quiet.cancelled.cancel();
    };
    let (ended, ()) = tokio::join!(slow.perform(&work, &quiet), operator);
    assert_eq!(ended.expect_err("left").kind, FaultKind::Cancelled);
}

#[tokio::test]
async fn a_version_that_vanishes_in_between_fails_by_its_key() {
    let (world, target) = deleted().await;
    let id = world.oldest_id("sites/a/0").await;
    let proxy = Proxy::new(world.weed.port, |before| match before {
        0 => Act::Hold,
        _ => Act::Pass,
    })
    .await;
    let watched = through(&proxy, &world);
    let quiet = Quiet::default();
    let work = call(Action::Restore, "a", target, json!({ "concurrent": 1 }));
    let loss = async {
        proxy.struck().await;
        let query = [("versionId", id.as_str())];
        let key = Some("sites/a/0");
        let gone = world
            .send(Method::DELETE, key, &query, &[], Vec::new())
            .await;
        assert!(gone.status().is_success(), "{gone:?}");
        proxy.release();
    };
    let (ended, ()) = tokio::join!(watched.perform(&work, &quiet), loss);
    let fault = ended.expect_err("it is gone");
    assert_eq!(fault.kind, FaultKind::Permanent, "{fault}");
    assert!(fault.message.contains("`sites/a/0`"), "{fault}");
    // The manifest still knows it: it is missed, not forgotten.
    let again = watched.perform(&work, &Quiet::default()).await;
    let fault = again.expect_err("still gone");
    assert!(
        fault
            .message
            .contains("has dropped the versions of T of 1 keys, such as `sites/a/0`"),
        "{fault}"
    );
}

#[tokio::test]
async fn a_server_without_space_is_told_from_nothing_else_and_may_get_some() {
    let small = weed::small();
    let world = World::on(&small).await;
    fill_site(&world, "a").await;
    let target = moment().await;
    delete_site(&world, "a").await;
    let filler = vec![b'.'; 1 << 20];
    let full = async {
        for at in 0..64 {
            let key = format!("filler/{at}");
            let sent = world.send(Method::PUT, Some(&key), &[], &[], filler.clone());
            if sent.await.status().is_server_error() {
                return true;
            }
        }
        false
    };
    assert!(full.await, "64 MiB fit into a server of 8");
    let with = json!({ "concurrent": 1 });
    let fault = world.perform(Action::Restore, "a", target, with).await;
    let fault = fault.expect_err("no space");
    assert_eq!(fault.kind, FaultKind::Temporary, "{fault}");
    assert!(fault.message.contains("500"), "{fault}");
    assert!(fault.message.contains("`sites/a/0`"), "{fault}");
}

#[tokio::test]
async fn a_key_whose_last_write_the_server_did_not_finish_is_seen_and_mended() {
    let world = World::new().await;
    fill_site(&world, "a").await;
    let target = moment().await;
    // One that was written again behind the marker, one whose marker is gone.
    let (copied, uncovered) = ("sites/a/0", "sites/a/1");
    let marker = world.delete(copied).await;
    world.put(copied, "then").await;
    world.tear(copied, &marker).await;
    let marker = world.delete(uncovered).await;
    let query = [("versionId", marker.as_str())];
    let gone = world.send(Method::DELETE, Some(uncovered), &query, &[], Vec::new());
    assert!(gone.await.status().is_success());
    world.tear(uncovered, &marker).await;
    assert_eq!(world.get(copied).await, None);

    let fault = world
        .perform(Action::Verify, "a", target, json!({}))
        .await
        .expect_err("not all can be read");
    let samples = &fault.checks[0].evidence["missing"]["samples"];
    let samples = samples.as_array().expect("samples");
    let named = |sample: &serde_json::Value, key: &str| {
        sample
            .as_str()
            .is_some_and(|sample| sample.starts_with(key))
    };
    assert!(
        samples.iter().any(|sample| named(sample, copied)),
        "{fault:?}"
    );

    world
        .perform(Action::Restore, "a", target, json!({}))
        .await
        .expect("mended");
    for key in [copied, uncovered] {
        assert_eq!(world.get(key).await.as_deref(), Some("then"), "{key}");
    }
    world
        .perform(Action::Verify, "a", target, json!({}))
        .await
        .expect("whole");
}
