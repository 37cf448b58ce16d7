//! What becomes of the live folder.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use reprise_model::{Action, FaultKind};
use reprise_ports::Connector;

use super::world::{Watcher, World, at, call, comes_back, is_done, perform};

fn world() -> World {
    let world = World::new();
    world.commit(
        10,
        &[
            ("common/flags", "f"),
            ("sites/1/a", "one"),
            ("sites/1/deep/er/b c", "bé"),
            ("sites/17/a", "seventeen"),
            ("sites/2/a", "two"),
        ],
    );
    world
}

#[tokio::test]
async fn only_the_files_of_the_site_come_back() {
    let world = world();
    let connector = world.connector();
    let outcome = comes_back(&connector, "1", at(20), "{}").await;
    assert_eq!((outcome.volume.rows, outcome.volume.bytes), (2, 6));
    assert_eq!(world.read_live("sites/1/deep/er/b c"), "bé");
    assert!(!world.live("sites/17").exists() && !world.live("common").exists());
    let again = perform(&connector, Action::Restore, "1", at(20), "{}")
        .await
        .unwrap();
    assert_eq!(again.volume.rows, 0);
    // A site without files has nothing, and is whole.
    comes_back(&connector, "99", at(20), "{}").await;
}

#[tokio::test]
async fn a_path_without_a_site_is_what_all_have_in_common() {
    let mut world = world();
    world.path = "common".to_owned();
    comes_back(&world.connector(), "1", at(20), "{}").await;
    comes_back(&world.connector(), "2", at(20), "{}").await;
    assert_eq!(world.read_live("common/flags"), "f");
    assert!(!world.live("sites").exists());
}

#[tokio::test]
async fn a_live_file_in_the_way_is_refused_with_a_count_kept_or_replaced() {
    let world = world();
    let connector = world.connector();
    world.put_live(&[("sites/1/a", "new"), ("sites/2/a", "new")]);
    let fault = perform(&connector, Action::Restore, "1", at(20), "{}")
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused);
    let expect = "site 1: store settings: 1 files in live are not as they were: sites/1/a";
    assert_eq!(fault.message, expect);
    assert!(!world.live("sites/1/deep").exists());
    comes_back(&connector, "1", at(20), r#"{"on_conflict":"keep"}"#).await;
    assert_eq!(world.read_live("sites/1/a"), "new");
    assert_eq!(world.read_live("sites/1/deep/er/b c"), "bé");
    let fault = perform(&connector, Action::Verify, "1", at(20), "{}")
        .await
        .unwrap_err();
    assert!(
        fault.message.contains("1 not as they were (sites/1/a)"),
        "{}",
        fault.message
    );
    assert_eq!(fault.checks[0].evidence["differ"]["count"], 1);
    comes_back(&connector, "1", at(20), r#"{"on_conflict":"replace"}"#).await;
    assert_eq!(world.read_live("sites/1/a"), "one");
    assert_eq!(world.read_live("sites/2/a"), "new");
}

#[tokio::test]
async fn what_was_created_after_t_stays_or_goes() {
    let world = world();
    let connector = world.connector();
    world.put_live(&[("sites/1/new/x", "x"), ("sites/17/new", "x")]);
    comes_back(&connector, "1", at(20), "{}").await;
    assert_eq!(world.read_live("sites/1/new/x"), "x");
    let with = r#"{"created_after":"remove"}"#;
    assert!(!is_done(&connector, "1", at(20), with).await);
    comes_back(&connector, "1", at(20), with).await;
    assert!(!world.live("sites/1/new/x").exists());
    assert_eq!(world.read_live("sites/17/new"), "x");
}

#[tokio::test]
async fn the_right_to_execute_is_part_of_a_file() {
    let world = world();
    world.git(&["update-index", "--chmod=+x", "sites/1/a"], 20);
    world.git(&["commit", "--quiet", "-m", "x"], 20);
    let connector = world.connector();
    comes_back(&connector, "1", at(25), "{}").await;
    let mode = || {
        fs::metadata(world.live("sites/1/a"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode(), 0o755);
    fs::set_permissions(world.live("sites/1/a"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(!is_done(&connector, "1", at(25), "{}").await);
    comes_back(&connector, "1", at(25), r#"{"on_conflict":"replace"}"#).await;
    assert_eq!(mode(), 0o755);
}

/// A file of secrets stays one: git does not know who may read it.
#[tokio::test]
async fn who_may_read_a_file_stays_so() {
    let world = world();
    world.put_live(&[("sites/1/a", "changed")]);
    let path = world.live("sites/1/a");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let is_root = std::os::unix::fs::chown(&path, Some(12345), Some(12345)).is_ok();
    let connector = world.connector();
    comes_back(&connector, "1", at(25), r#"{"on_conflict":"replace"}"#).await;
    assert_eq!(world.read_live("sites/1/a"), "one");
    let about = fs::metadata(&path).unwrap();
    assert_eq!(about.permissions().mode() & 0o777, 0o640);
    if is_root {
        assert_eq!((about.uid(), about.gid()), (12345, 12345));
    }
}

#[tokio::test]
async fn cut_off_between_any_two_files_it_is_taken_up_again() {
    let world = World::new();
    let names: Vec<String> = (0..40).map(|n| format!("sites/1/{n}")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "text")).collect();
    world.commit(10, &files);
    let connector = world.connector();
    let call = call(Action::Restore, "1", at(20), "{}");
    for cancel_at in [0, 3, 5] {
        let watcher = Watcher {
            cancel_at: Some(cancel_at),
            ..Watcher::default()
        };
        let ended = connector.perform(&call, &watcher).await;
        // The folder is whole files at any time, whichever end came first.
        if let Err(fault) = ended {
            assert_eq!(fault.kind, FaultKind::Cancelled);
        }
    }
    // What a killed process left is none of the site's files.
    world.put_live(&[("sites/1/.7.1-1.reprise-new", "te")]);
    comes_back(&connector, "1", at(20), r#"{"created_after":"remove"}"#).await;
    assert_eq!(fs::read_dir(world.live("sites/1")).unwrap().count(), 40);
}
