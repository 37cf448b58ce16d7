//! Which commit is that of T.

use reprise_model::{Action, FaultKind, Timestamp};

use super::world::{World, at, comes_back, perform};

#[tokio::test]
async fn the_commit_of_t_is_told_with_what_brackets_it() {
    let world = World::new();
    world.commit(10, &[("sites/1/a", "one")]);
    let second = world.commit(20, &[("sites/1/a", "two")]);
    world.commit(30, &[("sites/1/a", "three")]);
    let connector = world.connector();
    let outcome = perform(&connector, Action::Recover, "", at(25), "{}")
        .await
        .unwrap();
    assert_eq!(outcome.output["commit"], second[..12]);
    let point = outcome.recovery_point.unwrap();
    assert_eq!(point.point, at(25));
    assert_eq!(
        (point.last_before, point.first_after),
        (Some(at(20)), Some(at(30)))
    );
    comes_back(&connector, "1", at(25), "{}").await;
    assert_eq!(world.read_live("sites/1/a"), "two");
    // At the start of a second, what was made within it is yet to come.
    let outcome = perform(&connector, Action::Recover, "", at(20), "{}")
        .await
        .unwrap();
    let point = outcome.recovery_point.unwrap();
    assert_eq!(
        (point.point, point.last_before),
        (at(20), Some(at(10))),
        "{}",
        point.basis
    );
    let with = r#"{"on_conflict":"replace"}"#;
    comes_back(&connector, "1", at(20), with).await;
    assert_eq!(world.read_live("sites/1/a"), "one");
    let with = r#"{"on_conflict":"replace","ties":"include"}"#;
    comes_back(&connector, "1", at(20), with).await;
    assert_eq!(world.read_live("sites/1/a"), "two");
    for with in ["{}", r#"{"ties":"exclude"}"#] {
        let fault = perform(&connector, Action::Restore, "1", at(10), with)
            .await
            .unwrap_err();
        assert_eq!(fault.kind, FaultKind::Refused);
        assert!(fault.message.contains("begins"), "{}", fault.message);
    }
}

#[tokio::test]
async fn merged_branches_count_from_their_merge() {
    let world = World::new();
    world.commit(10, &[("sites/1/a", "one")]);
    world.git(&["checkout", "--quiet", "-b", "side"], 15);
    world.commit(15, &[("sites/1/a", "side")]);
    world.git(&["checkout", "--quiet", "main"], 20);
    world.commit(20, &[("sites/1/b", "main")]);
    world.git(&["merge", "--quiet", "--no-ff", "-m", "merge", "side"], 30);
    let connector = world.connector();
    comes_back(&connector, "1", at(25), "{}").await;
    assert_eq!(world.read_live("sites/1/a"), "one");
    comes_back(&connector, "1", at(31), r#"{"on_conflict":"replace"}"#).await;
    assert_eq!(world.read_live("sites/1/a"), "side");
}

#[tokio::test]
async fn a_commit_within_the_second_of_t_is_in_doubt() {
    let world = World::new();
    world.commit(10, &[("sites/1/a", "one"), ("sites/2/a", "one")]);
    world.commit(20, &[("sites/1/a", "two")]);
    let connector = world.connector();
    let target = Timestamp::from_micros(at(20).as_micros() + 500_000);
    let fault = perform(&connector, Action::Restore, "1", target, "{}")
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused);
    assert!(
        fault
            .message
            .contains("within the target time's own second"),
        "{}",
        fault.message
    );
    // It does not touch the other site.
    comes_back(&connector, "2", target, "{}").await;
    comes_back(&connector, "1", target, r#"{"ties":"exclude"}"#).await;
    assert_eq!(world.read_live("sites/1/a"), "one");
    let with = r#"{"ties":"include","on_conflict":"replace"}"#;
    comes_back(&connector, "1", target, with).await;
    assert_eq!(world.read_live("sites/1/a"), "two");
}

#[tokio::test]
async fn clocks_that_lie_about_t_and_a_history_that_begins_later_are_refused() {
    let world = World::new();
    world.commit(10, &[("sites/1/a", "one")]);
    world.commit(40, &[("sites/1/a", "two")]);
    world.commit(20, &[("sites/1/a", "three")]);
    let connector = world.connector();
    let refused = async |target| {
        let fault = perform(&connector, Action::Recover, "", target, "{}")
            .await
            .unwrap_err();
        assert_eq!(fault.kind, FaultKind::Refused);
        fault.message
    };
    let why = refused(at(30)).await;
    assert!(why.contains("disagrees with its times"), "{why}");
    let why = refused(at(5)).await;
    assert!(
        why.contains("begins at 2026-03-01T12:00:10Z, and not before"),
        "{why}"
    );
    perform(&connector, Action::Recover, "", at(50), "{}")
        .await
        .unwrap();
}
