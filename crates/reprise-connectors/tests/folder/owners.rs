//! Owners and modes: of what is brought back, of what stands above it, and of
//! what somebody changed.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use reprise_model::{Action, FaultKind, Verdict};
use serde_json::json;

use crate::restic;
use crate::world::{World, moment};

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[tokio::test]
async fn another_owner_is_named_and_replaced_by_who_can() {
    let world = World::dated();
    world.write("a/x", "x");
    world.write("a/deep/y", "y");
    moment(&world);
    world.copy();
    let target = moment(&world);
    if !is_root() {
        // Nobody else can give things away, or take them back.
        return;
    }
    let before = world.told("a");
    chown(world.live("a/x"), Some(12_345), None).expect("given away");
    chown(world.live("a/deep"), None, Some(12_345)).expect("given away");
    let verify = world.perform(Action::Verify, "a", target, json!({}));
    let fault = verify.await.expect_err("not whole");
    let wrong = json!(["deep: owner", "x: owner"]);
    assert_eq!(fault.checks[0].evidence["wrong"]["samples"], wrong);
    let replace = json!({ "on_conflict": "replace" });
    let restore = world.perform(Action::Restore, "a", target, replace);
    restore.await.expect("taken back");
    assert_eq!(world.told("a"), before);
}

fn shape(place: &Path) -> (u32, u32, u32) {
    let told = fs::metadata(place).expect("there");
    (told.mode() & 0o7777, told.uid(), told.gid())
}

/// Of `deep/er/ID`, all but the site's own folder is everybody's.
fn shared_folders(world: &World) -> [PathBuf; 2] {
    let live = world.temp.path().join("live");
    let folders = [live.join("deep"), live.join("deep/er")];
    fs::create_dir_all(folders[1].join("a")).expect("made");
    fs::write(folders[1].join("a/x"), "x").expect("written");
    for (folder, mode) in folders.iter().zip([0o2751, 0o1777]) {
        if is_root() {
            chown(folder, Some(12_345), Some(12_346)).expect("given away");
        }
        fs::set_permissions(folder, fs::Permissions::from_mode(mode)).expect("given");
    }
    folders
}

#[tokio::test]
async fn folders_above_a_site_come_back_as_the_copy_has_them() {
    let world = World::dated_in("deep/er/{{ site.id }}");
    let folders = shared_folders(&world);
    let before = folders.each_ref().map(|folder| shape(folder));
    moment(&world);
    world.copy();
    let target = moment(&world);
    fs::remove_dir_all(&folders[0]).expect("an accident");
    let restore = world.perform(Action::Restore, "a", target, json!({}));
    restore.await.expect("restored");
    assert_eq!(folders.each_ref().map(|folder| shape(folder)), before);
    // They are there now, and nobody's to change.
    let own = fs::Permissions::from_mode(0o700);
    fs::set_permissions(&folders[0], own).expect("given");
    fs::remove_dir_all(folders[1].join("a")).expect("an accident");
    let restore = world.perform(Action::Restore, "a", target, json!({}));
    restore.await.expect("restored");
    assert_eq!(shape(&folders[0]).0, 0o700);
}

#[tokio::test]
async fn folders_above_a_site_come_back_as_a_snapshot_has_them() {
    let world = World::of("deep/er/{{ site.id }}", restic::past);
    let folders = shared_folders(&world);
    let before = folders.each_ref().map(|folder| shape(folder));
    restic::restic(&world, &["init"]);
    restic::backup(&world, "one");
    let target = moment(&world);
    fs::remove_dir_all(&folders[0]).expect("an accident");
    let restore = world.perform(Action::Restore, "a", target, json!({}));
    restore.await.expect("restored");
    assert_eq!(folders.each_ref().map(|folder| shape(folder)), before);
}

/// A copy of which everything is one account's, as `rsync -rt` makes it.
#[tokio::test]
async fn a_copy_without_owners_gives_nothing_away_where_the_step_says_so() {
    let world = World::dated();
    world.write("a/kept", "kept");
    world.write("a/lost", "lost");
    moment(&world);
    world.copy();
    let target = moment(&world);
    let service = |place: &std::path::Path| chown(place, Some(1234), Some(1234)).is_ok();
    let tree = world.live("");
    let tree = tree.parent().expect("above");
    if !service(tree) {
        return; // Only root can give things away.
    }
    for name in ["a", "a/kept"] {
        assert!(service(&world.live(name)));
    }
    fs::remove_file(world.live("a/lost")).expect("an accident");
    let restore = world.perform(Action::Restore, "a", target, json!({}));
    let fault = restore.await.expect_err("in the way");
    assert!(fault.hint.expect("a way").contains("owners: leave"));
    let leave = json!({ "owners": "leave" });
    for action in [Action::Restore, Action::Verify] {
        let ended = world.perform(action, "a", target, leave.clone()).await;
        ended.expect("as it was");
    }
    let owner = |name: &str| fs::metadata(world.live(name)).expect("there").uid();
    assert_eq!([owner("a/kept"), owner("a/lost")], [1234, 1234]);
}

#[tokio::test]
async fn a_folder_that_somebody_opened_for_writing_is_not_ours() {
    let world = World::dated();
    world.write("a/closed/in", "in");
    world.mode("a/closed", 0o555);
    moment(&world);
    world.copy();
    let target = moment(&world);
    world.mode("a/closed", 0o755);
    let restore = world.perform(Action::Restore, "a", target, json!({}));
    let fault = restore.await.expect_err("in the way");
    assert_eq!(fault.kind, FaultKind::Refused);
    assert!(fault.message.contains("`closed` (mode)"), "{fault}");
    // What a restore leaves that was cut off before it gave the mode.
    world.mode("a/closed", 0o1755);
    let restore = world.perform(Action::Restore, "a", target, json!({}));
    assert_eq!(restore.await.expect("its own").output["changed"], 1);
    assert_eq!(shape(&world.live("a/closed")).0, 0o555);
}

#[tokio::test]
async fn folders_that_were_not_there_go_with_what_is_in_them() {
    let world = World::dated();
    world.write("a/x", "x");
    let before = world.told("a");
    moment(&world);
    world.copy();
    let target = moment(&world);
    fs::create_dir_all(world.live("a/new/empty")).expect("made");
    world.write("a/new/file", "new");
    fs::create_dir_all(world.live("b")).expect("made");
    let kept = world.perform(Action::Verify, "a", target, json!({}));
    let check = kept.await.expect("kept").checks.remove(0);
    assert_eq!(check.verdict, Verdict::Pass);
    let extra = json!({ "count": 3, "samples": ["new/file", "new/", "new/empty/"] });
    assert_eq!(check.evidence["created_after"], extra);
    let remove = json!({ "created_after": "remove" });
    for site in ["a", "b"] {
        let verify = world.perform(Action::Verify, site, target, remove.clone());
        verify.await.expect_err("one too many");
        let restore = world.perform(Action::Restore, site, target, remove.clone());
        restore.await.expect("removed");
    }
    assert_eq!(world.told("a"), before);
    assert!(!world.live("b").exists(), "the site had no folder");
    let verify = world.perform(Action::Verify, "a", target, remove);
    verify.await.expect("exact");
}
