//! T within a second, and buckets whose past cannot tell.

use reprise_model::{Action, FaultKind, Timestamp, Verdict};
use reprise_ports::Connector;
use serde_json::json;

use crate::world::{Quiet, World, call, moment, next_second};

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
    let outcome = world
        .perform(Action::Restore, "a", within, with)
        .await
        .expect("decided");
    let basis = outcome.recovery_point.expect("measured").basis;
    let end = Timestamp::from_micros(second.as_micros() + 1_000_000);
    assert!(
        basis.contains(&format!("were taken, and may be of after T, up to {end}")),
        "{basis}"
    );
    assert_eq!(world.get("sites/a/x").await.as_deref(), Some("two"));
}

/// Versions began to be kept after T: what was written over is gone.
#[tokio::test]
async fn keys_of_which_nobody_can_tell_are_left_and_named_where_the_step_says_so() {
    let world = World::unversioned().await;
    for key in ["x", "y", "z"] {
        world.put(&format!("sites/a/{key}"), "then").await;
    }
    let target = moment().await;
    world.put("sites/a/y", "later").await;
    world.keep_versions().await;
    for key in ["x", "z"] {
        world.delete(&format!("sites/a/{key}")).await;
    }
    let refused = world.perform(Action::Restore, "a", target, json!({})).await;
    let refused = refused.expect_err("a doubt");
    assert_eq!(refused.kind, FaultKind::Refused);
    let told = "`sites/a/y` (written over without versions)";
    assert!(refused.message.contains(told), "{refused}");
    assert!(refused.hint.expect("a way").contains("doubts: leave"));
    assert_eq!(world.get("sites/a/x").await, None, "nothing was touched");

    let leave = json!({ "doubts": "leave", "created_after": "remove", "on_conflict": "replace" });
    let outcome = world
        .perform(Action::Restore, "a", target, leave.clone())
        .await
        .expect("the others");
    assert_eq!(outcome.output["changed"], 2);
    assert_eq!(outcome.output["left"], 1);
    for (key, body) in [("x", "then"), ("y", "later"), ("z", "then")] {
        let found = world.get(&format!("sites/a/{key}")).await;
        assert_eq!(found.as_deref(), Some(body), "{key}");
    }
    let outcome = world.perform(Action::Verify, "a", target, leave).await;
    let mut outcome = outcome.expect("nothing is wrong");
    let check = outcome.checks.remove(0);
    // That was decided, and is told.
    assert_eq!(check.verdict, Verdict::Pass);
    let samples = json!(["sites/a/y: written over without versions"]);
    assert_eq!(check.evidence["left"]["samples"], samples);
    let basis = outcome.recovery_point.expect("measured").basis;
    assert!(
        basis.contains("1 keys, such as `sites/a/y`, are left"),
        "{basis}"
    );
    let refused = world.perform(Action::Verify, "a", target, json!({})).await;
    refused.expect_err("what was left is no answer for another step");
}

#[tokio::test]
async fn a_bucket_without_versions_and_a_moment_to_come_are_refused() {
    let world = World::unversioned().await;
    let past = moment().await;
    let fault = world.perform(Action::Recover, "a", past, json!({})).await;
    let fault = fault.expect_err("no versions");
    assert!(fault.message.contains("does not keep versions"), "{fault}");
    // Also where the runbook has no `recover`.
    let fault = world.perform(Action::Restore, "a", past, json!({})).await;
    assert_eq!(fault.expect_err("no versions").kind, FaultKind::Refused);

    let world = World::new().await;
    let to_come = Timestamp::from_micros(past.as_micros() + 3_600_000_000);
    let fault = world
        .perform(Action::Recover, "a", to_come, json!({}))
        .await;
    let fault = fault.expect_err("not yet");
    assert_eq!(fault.kind, FaultKind::Refused);
    assert!(fault.message.contains("has not passed yet"), "{fault}");
    let fault = world.perform(Action::Verify, "a", to_come, json!({})).await;
    assert_eq!(fault.expect_err("not yet").kind, FaultKind::Refused);
    let empty = world.perform(Action::Recover, "a", past, json!({})).await;
    assert_eq!(empty.expect("reaches").recovery_point, None, "no sites");
}

#[tokio::test]
async fn recover_measures_the_sites_of_the_batch_and_names_what_ties() {
    let world = World::new().await;
    world.put("sites/a/x", "one").await;
    world.put("sites/b/x", "one").await;
    let target = moment().await;
    world.put("sites/b/y", "later").await;
    world.put("sites/other/y", "later").await;
    next_second().await;
    let recover = |target| {
        let mut call = call(Action::Recover, "a", target, json!({}));
        call.companions = ["a".into(), "b".into()].into();
        call
    };
    let measured = async |target| {
        let (call, quiet) = (recover(target), Quiet::default());
        let outcome = world.connector.perform(&call, &quiet).await;
        outcome.expect("reaches").recovery_point.expect("measured")
    };
    let point = measured(target).await;
    assert_eq!(point.point, target);
    assert!(point.last_before.expect("a and b") < target);
    let later = point.first_after.expect("b's second");
    assert!(later > target);
    assert!(point.basis.starts_with("3 versions"), "{}", point.basis);

    let within = Timestamp::from_micros(later.as_micros() + 400_000);
    let point = measured(within).await;
    assert_eq!(
        point.point, later,
        "what is later in that second is not proven"
    );
    assert!(
        point.basis.contains("such as `sites/b/y`, cannot be told"),
        "{}",
        point.basis
    );
}
