//! T within a second, and buckets whose past cannot tell.

use reprise_model::{Action, FaultKind, Timestamp};
use serde_json::json;

use crate::world::{World, moment};

#[tokio::test]
async fn ts_own_second_is_refused_by_key_unless_the_step_decides() {
    let world = World::new().await;
    world.put("sites/a/x", "one").await;
    moment().await;
    world.put("sites/a/x", "two").await;
    let listing = world.listing().await;
    // The newest version's time, in whole seconds: T lies within that second.
    let (_, rest) = listing.split_once("<LastModified>").expect("a version");
    let (second, _) = rest.split_once('<').expect("its time");
    let second: Timestamp = second.parse().expect("a time");
    let within = Timestamp::from_micros(second.as_micros() + 400_000);
    moment().await;
    world.delete("sites/a/x").await;

    let refused = world.perform(Action::Restore, "a", within, json!({})).await;
    let refused = refused.expect_err("a tie");
    assert_eq!(refused.kind, FaultKind::Refused);
    assert!(
        refused
            .message
            .contains("`sites/a/x` (made in the second of T)"),
        "{refused}"
    );
    assert_eq!(world.get("sites/a/x").await, None, "nothing was touched");

    let with = json!({ "ties": "exclude" });
    let outcome = world
        .perform(Action::Restore, "a", within, with)
        .await
        .expect("decided");
    assert_eq!(world.get("sites/a/x").await.as_deref(), Some("one"));
    assert_eq!(outcome.recovery_point.expect("measured").point, second);
    let with = json!({ "ties": "include", "on_conflict": "replace" });
    world
        .perform(Action::Restore, "a", within, with)
        .await
        .expect("decided");
    assert_eq!(world.get("sites/a/x").await.as_deref(), Some("two"));
}

#[tokio::test]
async fn a_bucket_without_versions_and_a_moment_to_come_are_refused() {
    let world = World::unversioned().await;
    let past = moment().await;
    let fault = world.perform(Action::Recover, "a", past, json!({})).await;
    assert!(
        fault
            .expect_err("no versions")
            .message
            .contains("does not keep versions")
    );

    let world = World::new().await;
    let to_come = Timestamp::from_micros(past.as_micros() + 3_600_000_000);
    let fault = world
        .perform(Action::Recover, "a", to_come, json!({}))
        .await;
    let fault = fault.expect_err("not yet");
    assert_eq!(fault.kind, FaultKind::Refused);
    assert!(fault.message.contains("has not passed yet"), "{fault}");
    world
        .perform(Action::Recover, "a", past, json!({}))
        .await
        .expect("reaches");
}
