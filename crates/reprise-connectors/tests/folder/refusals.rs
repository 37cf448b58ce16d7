//! Copies that are not of T, and places where nothing may be written.

use std::fs;
use std::time::{Duration, SystemTime};

use reprise_model::{Action, FaultKind, Timestamp, Verdict};
use reprise_ports::{Connector, Inspect, Level};
use serde_json::json;

use crate::world::{Quiet, World, moment, now};

#[tokio::test]
async fn no_copy_a_late_copy_and_a_moment_to_come_are_refused() {
    let world = World::dated();
    world.write("a/x", "x");
    let target = now();
    let refused = async |target| {
        let ended = world.perform(Action::Recover, "a", target, json!({})).await;
        let fault = ended.expect_err("no copy");
        assert_eq!(fault.kind, FaultKind::Refused, "{fault}");
        fault.message
    };
    assert!(refused(target).await.contains("there is no copy"));
    // Names that are no times are somebody else's.
    fs::create_dir(world.temp.path().join("copies/latest")).expect("made");
    moment(&world);
    let begun = world.copy();
    let told = refused(target).await;
    assert!(
        told.contains(&format!("the first of 1 copies began at {begun}")),
        "{told}"
    );
    let to_come = Timestamp::from_micros(now().as_micros() + 3_600_000_000);
    assert!(refused(to_come).await.contains("has not passed yet"));
}

#[tokio::test]
async fn a_copy_that_ran_past_t_is_refused_by_file_and_a_future_time_is_not() {
    let world = World::dated();
    world.write("a/x", "x");
    world.write("b/x", "x");
    let future = SystemTime::now() + Duration::from_secs(86_400);
    let odd = fs::File::options().write(true).open(world.live("b/x"));
    odd.expect("there").set_modified(future).expect("set");
    moment(&world);
    world.copy();
    let target = moment(&world);
    // The copy that began before T gets to this file after T.
    let entries = fs::read_dir(world.temp.path().join("copies")).expect("there");
    let copy = entries.flatten().next().expect("a copy").path();
    fs::write(copy.join("sites/a/x"), "later").expect("written");
    let fault = world.perform(Action::Verify, "a", target, json!({})).await;
    let fault = fault.expect_err("of after T");
    assert_eq!(fault.kind, FaultKind::Refused);
    assert!(
        fault
            .message
            .contains("1 things in `sites/a` were changed after that, such as `x`"),
        "{fault}"
    );
    world
        .perform(Action::Verify, "b", target, json!({}))
        .await
        .expect("a clock of somebody's was wrong");
}

/// It begins before T and gets to the site after the accident.
#[tokio::test]
async fn a_copy_that_met_the_accident_is_no_site_without_files() {
    let world = World::dated();
    for site in ["a", "b", "c"] {
        world.write(&format!("{site}/x"), "x");
        world.write(&format!("{site}/deep/y"), "y");
    }
    moment(&world);
    let begun = now();
    let target = moment(&world);
    world.wipe("a");
    fs::remove_file(world.live("b/deep/y")).expect("gone");
    world.copy_begun(begun);
    for (site, told) in [
        ("a", "does not have `sites/a`, and something in `sites/`"),
        (
            "b",
            "1 things in `sites/b` were changed after that, such as `deep`",
        ),
    ] {
        let fault = world
            .perform(Action::Restore, site, target, json!({}))
            .await;
        let fault = fault.expect_err("of after T");
        assert_eq!(fault.kind, FaultKind::Refused);
        assert!(fault.message.contains(told), "{fault}");
    }
    let restore = world.perform(Action::Restore, "c", target, json!({}));
    restore.await.expect("nothing of it was deleted");
}

#[tokio::test]
async fn a_copy_that_is_gone_is_no_site_without_files() {
    let world = World::dated();
    world.write("a/x", "x");
    moment(&world);
    world.copy();
    let target = moment(&world);
    let recover = world.perform(Action::Recover, "a", target, json!({}));
    recover.await.expect("a copy of then");
    let copies = world.temp.path().join("copies");
    fs::rename(&copies, world.temp.path().join("aside")).expect("not mounted");
    let all = json!({ "on_conflict": "replace", "created_after": "remove" });
    let restore = world.perform(Action::Restore, "a", target, all.clone());
    let fault = restore.await.expect_err("nothing to read");
    assert!(fault.message.contains("not there any more"), "{fault}");
    assert_eq!(world.read("a/x").as_deref(), Some("x"));
    fs::rename(world.temp.path().join("aside"), &copies).expect("mounted again");
    world.wipe("a");
    let restore = world.perform(Action::Restore, "a", target, all);
    restore.await.expect("it is there again");
    assert_eq!(world.read("a/x").as_deref(), Some("x"));
}

#[tokio::test]
async fn ids_that_lead_elsewhere_and_things_that_are_no_files_are_refused() {
    let world = World::dated();
    world.write("a/x", "x");
    let made = std::process::Command::new("mkfifo")
        .arg(world.live("a/pipe"))
        .status();
    assert!(made.expect("mkfifo runs").success());
    moment(&world);
    world.copy();
    let target = moment(&world);
    for (site, told) in [
        ("..", "no folder of its own"),
        ("", "no files"),
        ("a/b", "no folder of its own"),
        ("a", "pipe"),
    ] {
        let ended = world
            .perform(Action::Restore, site, target, json!({}))
            .await;
        match (site, ended) {
            // The folder of all sites: the template makes `sites/` of it.
            ("", ended) => assert!(ended.is_err(), "the whole tree"),
            (_, ended) => {
                let fault = ended.expect_err(site);
                assert_eq!(fault.kind, FaultKind::Refused);
                assert!(fault.message.contains(told), "{fault}");
            }
        }
    }
}

#[tokio::test]
async fn a_folder_where_a_file_was_is_never_emptied() {
    let world = World::dated();
    world.write("a/x", "then");
    moment(&world);
    world.copy();
    let target = moment(&world);
    fs::remove_file(world.live("a/x")).expect("gone");
    world.write("a/x/precious", "new");
    for on_conflict in ["refuse", "replace"] {
        let with = json!({ "on_conflict": on_conflict, "created_after": "remove" });
        let fault = world.perform(Action::Restore, "a", target, with).await;
        assert_eq!(fault.expect_err("in the way").kind, FaultKind::Refused);
        assert_eq!(world.read("a/x/precious").as_deref(), Some("new"));
    }
}

#[tokio::test]
async fn a_copy_that_rotted_since_its_manifest_was_made_is_not_brought_back() {
    let world = World::dated();
    world.write("a/x", "then");
    moment(&world);
    let begun = world.copy();
    let target = moment(&world);
    world
        .perform(Action::Verify, "a", target, json!({}))
        .await
        .expect("whole, and with a manifest");
    let copy = world.temp.path().join("copies").join(begun.to_string());
    fs::write(copy.join("sites/a/x"), "rot!").expect("written");
    fs::remove_file(world.live("a/x")).expect("gone");
    let fault = world.perform(Action::Restore, "a", target, json!({})).await;
    let fault = fault.expect_err("other bytes");
    assert_eq!(fault.kind, FaultKind::Permanent);
    assert!(fault.message.contains("is not what it was"), "{fault}");
    let left = fs::read_dir(world.live("a")).expect("there").count();
    assert_eq!(left, 0, "not even a half");
}

#[tokio::test]
async fn an_operator_can_end_it_and_inspect_says_what_is_there() {
    let world = World::dated();
    world.write("a/x", "x");
    moment(&world);
    world.copy();
    let target = moment(&world);
    fs::remove_file(world.live("a/x")).expect("gone");
    let quiet = Quiet::default();
    quiet.cancelled.cancel();
    let call = world.call(Action::Restore, "a", target, json!({}));
    let fault = world.connector.perform(&call, &quiet).await;
    assert_eq!(fault.expect_err("ended").kind, FaultKind::Cancelled);
    assert_eq!(world.read("a/x"), None);
    let inspect = Inspect {
        shard: "main".into(),
        target_time: Some(target),
        sites: Vec::new(),
    };
    let found = world.connector.inspect(&inspect).await.findings;
    let checks: Vec<&str> = found.iter().map(|finding| finding.check.as_str()).collect();
    assert_eq!(checks, ["connection", "space", "backup-reaches"]);
    assert!(
        found.iter().all(|finding| finding.level == Level::Ok),
        "{found:?}"
    );
    fs::remove_dir_all(world.temp.path().join("live")).expect("gone");
    let found = world.connector.inspect(&inspect).await.findings;
    assert_eq!(found[0].level, Level::Error);
}

/// A folder that is nowhere restores nothing: that is no proof.
#[tokio::test]
async fn a_folder_that_is_nowhere_is_unknown_unless_the_step_allows_it() {
    let world = World::dated();
    world.write("a/x", "x");
    fs::create_dir(world.live("empty")).expect("made");
    moment(&world);
    let begun = world.copy();
    let target = moment(&world);
    world.wipe("a");
    world.write("new/x", "x");
    let verify = async |site, with| {
        let ended = world.perform(Action::Verify, site, target, with).await;
        ended.expect("nothing fails")
    };
    let outcome = verify("nowhere", json!({})).await;
    assert_eq!(outcome.checks[0].verdict, Verdict::Unknown);
    let told = outcome.checks[0].evidence["nothing"].as_str();
    let told = told.expect("said");
    assert!(told.contains("neither the copy nor live has"), "{told}");
    let basis = outcome.recovery_point.expect("told").basis;
    assert!(basis.contains("neither it nor live"), "{basis}");
    let outcome = verify("nowhere", json!({ "empty": "allowed" })).await;
    assert_eq!(outcome.checks[0].verdict, Verdict::Pass);
    for site in ["empty", "new"] {
        let outcome = verify(site, json!({})).await;
        assert_eq!(outcome.checks[0].verdict, Verdict::Pass, "{site}");
    }
    let found = async |sites: &[&str]| {
        let inspect = Inspect {
            shard: "main".into(),
            target_time: Some(target),
            sites: sites.iter().map(|site| (*site).into()).collect(),
        };
        let found = world.connector.inspect(&inspect).await.findings;
        found.into_iter().find(|it| it.check == "folder")
    };
    assert_eq!(found(&["a", "new"]).await, None);
    let nowhere = found(&["a", "b"]).await.expect("named");
    assert_eq!(nowhere.level, Level::Warning);
    let told = "the folders of 1 of 2 sites are neither";
    assert!(nowhere.message.contains(told), "{}", nowhere.message);
    assert!(nowhere.message.contains("`sites/b` of site b"));
    let sites = world.temp.path().join("copies").join(begun.to_string());
    fs::rename(sites.join("sites"), sites.join("aside")).expect("renamed");
    fs::remove_dir_all(world.temp.path().join("live/sites")).expect("gone");
    let nowhere = found(&[]).await.expect("named");
    let told = "`sites`, in which the folders of all sites stand, is neither";
    assert!(nowhere.message.contains(told), "{}", nowhere.message);
}

/// Beside one that has a folder, only in the copy even, it just has none.
#[tokio::test]
async fn a_site_without_files_passes_beside_one_that_has_some() {
    for (batch, expect) in [
        (["nowhere", "a"], Verdict::Pass),
        (["nowhere", "b"], Verdict::Unknown),
    ] {
        let world = World::dated();
        world.write("a/x", "x");
        moment(&world);
        world.copy();
        let target = moment(&world);
        world.wipe("a");
        let mut call = world.call(Action::Verify, "nowhere", target, json!({}));
        call.companions = batch.map(Into::into).into();
        let outcome = world.connector.perform(&call, &Quiet::default()).await;
        let check = outcome.expect("nothing fails").checks.remove(0);
        assert_eq!(check.verdict, expect, "{batch:?}");
    }
}

#[tokio::test]
async fn a_template_that_leads_out_of_the_tree_is_seen_before_a_site_is() {
    let world = World::dated_in("../{{ site.id }}");
    let inspect = Inspect {
        shard: "main".into(),
        target_time: None,
        sites: Vec::new(),
    };
    let found = world.connector.inspect(&inspect).await.findings;
    let folder = found.iter().find(|it| it.check == "folder");
    assert_eq!(folder.expect("looked at").level, Level::Error);
}
