//! The past in a repository that the real restic wrote.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use reprise_connectors::folder::Past;
use reprise_model::{Action, FaultKind, Timestamp};
use serde_json::json;

use crate::world::{World, moment, now};

pub fn restic(world: &World, words: &[&str]) {
    let temp = world.temp.path();
    let ended = Command::new("restic")
        .arg("-q")
        .arg("-r")
        .arg(temp.join("repository"))
        .arg("--password-file")
        .arg(temp.join("password"))
        .arg("--cache-dir")
        .arg(temp.join("cache"))
        .args(words)
        .output()
        .expect("restic runs");
    assert!(ended.status.success(), "{ended:?}");
}

pub fn backup(world: &World, host: &str) {
    let live = world.temp.path().join("live");
    restic(
        world,
        &["backup", "--host", host, &live.display().to_string()],
    );
}

/// A snapshot of now that says it began so many seconds before T.
fn backup_begun_before(world: &World, target: Timestamp, seconds: i64) {
    let live = world.temp.path().join("live");
    let began = jiff::Timestamp::from_microsecond(target.as_micros() - seconds * 1_000_000);
    let began = began
        .expect("a time")
        .to_zoned(jiff::tz::TimeZone::system());
    let began = began.strftime("%Y-%m-%d %H:%M:%S").to_string();
    restic(
        world,
        &["backup", "--time", &began, &live.display().to_string()],
    );
}

pub fn past(temp: &Path) -> Past {
    fs::write(temp.join("password"), "hush-hush").expect("written");
    Past::Restic {
        repository: temp.join("repository"),
        password_file: temp.join("password"),
        host: None,
        path: None,
    }
}

fn world() -> World {
    let world = World::new(past);
    restic(&world, &["init"]);
    world
}

#[tokio::test]
async fn the_newest_snapshot_before_t_is_brought_back_by_restic() {
    let world = world();
    world.write("a/logo", "then");
    world.mode("a/logo", 0o640);
    // Names that are patterns must bring back themselves alone.
    world.write("b*[x]/in", "b");
    world.write("bzzx/in", "not asked for");
    backup(&world, "one");
    world.write("a/logo", "newer");
    world.mode("a/logo", 0o640);
    let before = world.told("a");
    moment(&world);
    backup(&world, "one");
    let target = moment(&world);
    world.write("a/logo", "after T");
    backup(&world, "one");
    for site in ["a", "b*[x]", "bzzx"] {
        world.wipe(site);
    }
    let outcome = world
        .perform(Action::Restore, "a", target, json!({}))
        .await
        .expect("restored");
    assert_eq!(world.told("a"), before);
    let point = outcome.recovery_point.expect("measured");
    assert!(point.point < target && point.first_after.expect("the third") > target);
    assert!(point.basis.starts_with("the snapshot"), "{}", point.basis);
    world
        .perform(Action::Restore, "b*[x]", target, json!({}))
        .await
        .expect("restored");
    assert_eq!(world.read("b*[x]/in").as_deref(), Some("b"));
    assert_eq!(world.read("bzzx/in"), None);
    let none = world
        .perform(Action::Restore, "nobody", target, json!({}))
        .await
        .expect("a site without files");
    assert_eq!(none.volume.rows, 0);
    assert!(!world.live("nobody").exists());
}

#[tokio::test]
async fn a_snapshot_that_ran_past_t_is_refused_and_hosts_are_told_apart() {
    let world = world();
    world.write("a/x", "then");
    let target = moment(&world);
    world.write("a/x", "after T");
    // Its time is set to before T: as if it had begun then and read the file late.
    backup_begun_before(&world, target, 5);
    let fault = world.perform(Action::Restore, "a", target, json!({})).await;
    let fault = fault.expect_err("it holds what was written after T");
    assert_eq!(fault.kind, FaultKind::Refused, "{fault}");
    assert!(fault.message.contains("was being made at"), "{fault}");

    // The same, and it got to the site after the accident.
    world.wipe("a");
    world.write("b/x", "then");
    backup_begun_before(&world, target, 3);
    // Chosen once; another connector chooses anew.
    let world = world.again(past);
    let fault = world.perform(Action::Restore, "a", target, json!({})).await;
    let fault = fault.expect_err("it was deleted after T");
    assert_eq!(fault.kind, FaultKind::Refused, "{fault}");
    assert!(fault.message.contains("came or went after"), "{fault}");

    backup(&world, "other-host");
    moment(&world);
    let fault = world.perform(Action::Recover, "a", now(), json!({})).await;
    let fault = fault.expect_err("whose?");
    assert!(fault.message.contains("several hosts"), "{fault}");
}

#[tokio::test]
async fn a_wrong_password_and_a_tree_that_was_never_backed_up_are_named() {
    let world = world();
    world.write("a/x", "then");
    backup(&world, "one");
    let target = moment(&world);
    fs::write(world.temp.path().join("password"), "wrong-wrong").expect("written");
    let fault = world.perform(Action::Recover, "a", target, json!({})).await;
    let fault = fault.expect_err("a wrong password");
    assert_eq!(fault.kind, FaultKind::Permanent);
    assert!(fault.message.contains("wrong password"), "{fault}");
    assert!(!fault.message.contains("wrong-wrong"), "{fault}");

    let other = World::new(|temp| {
        let Past::Restic { password_file, .. } = past(temp) else {
            unreachable!("just made");
        };
        Past::Restic {
            repository: world.temp.path().join("repository"),
            password_file,
            host: None,
            path: Some(PathBuf::from("/never/backed/up")),
        }
    });
    let fault = other.perform(Action::Recover, "a", target, json!({})).await;
    let fault = fault.expect_err("no such tree");
    assert_eq!(fault.kind, FaultKind::Refused, "{fault}");
    assert!(fault.message.contains("/never/backed/up"), "{fault}");
}
