//! A site's files, back as they were in the copy of T.

use std::fs;
use std::os::unix::fs::symlink;

use reprise_model::{Action, FaultKind, Verdict};
use reprise_ports::{Connector, Probe};
use serde_json::json;

use crate::world::{Quiet, World, moment};

fn site(world: &World) {
    world.write("a/logo.png", "logo");
    world.write("a/deep/er/odd \u{e9}%41\nname", "odd");
    world.write("a/script", "#!");
    world.mode("a/script", 0o755);
    world.write("a/closed/in", "in");
    world.mode("a/closed", 0o555);
    world.mode("a", 0o750);
    symlink("logo.png", world.live("a/link")).expect("a link");
    symlink("/nowhere", world.live("a/dangling")).expect("a link");
    world.write("neighbour/file", "theirs");
}

#[tokio::test]
async fn a_deleted_site_comes_back_with_modes_times_and_links() {
    let world = World::dated();
    site(&world);
    let before = world.told("a");
    moment(&world);
    let begun = world.copy();
    let target = moment(&world);
    world.write("a/later", "later");
    let next = world.copy();
    world.wipe("a");
    let theirs = world.told("neighbour");

    let recovered = world
        .perform(Action::Recover, "a", target, json!({}))
        .await
        .expect("a copy of then");
    let point = recovered.recovery_point.expect("measured");
    assert_eq!((point.point, point.first_after), (begun, Some(next)));
    let outcome = world
        .perform(Action::Restore, "a", target, json!({}))
        .await
        .expect("restored");
    assert_eq!(world.told("a"), before);
    assert_eq!(world.told("neighbour"), theirs);
    assert_eq!((outcome.volume.rows, outcome.volume.bytes), (6, 11));
    assert_eq!(outcome.recovery_point, Some(point));
    let verified = world
        .perform(Action::Verify, "a", target, json!({}))
        .await
        .expect("whole");
    assert_eq!(verified.checks[0].verdict, Verdict::Pass);
    assert!(matches!(
        world.probe("a", target).await,
        Probe::AsItShouldBe(_)
    ));
    let again = world
        .perform(Action::Restore, "a", target, json!({}))
        .await
        .expect("again");
    assert_eq!(again.output["changed"], 0);
    world
        .perform(Action::Release, "a", target, json!({}))
        .await
        .expect("released");
    let scratch = world.temp.path().join("scratch");
    assert_eq!(fs::read_dir(scratch).expect("there").count(), 0);
}

#[tokio::test]
async fn what_differs_is_refused_kept_or_replaced_and_verify_names_it() {
    let world = World::dated();
    for name in ["same", "bytes", "mode", "gone", "kind", "linked"] {
        world.write(&format!("a/{name}"), "then");
    }
    world.write("a/folder/in", "then");
    let before = world.told("a");
    moment(&world);
    world.copy();
    let target = moment(&world);
    world.write("a/bytes", "THEN");
    world.mode("a/mode", 0o600);
    fs::remove_file(world.live("a/gone")).expect("gone");
    fs::remove_file(world.live("a/linked")).expect("gone");
    symlink("/etc/hostname", world.live("a/linked")).expect("a link");
    world.write("a/created", "new");
    let damaged = world.told("a");

    let fault = world
        .perform(Action::Verify, "a", target, json!({}))
        .await
        .expect_err("not whole");
    assert_eq!(fault.kind, FaultKind::Validation);
    let evidence = &fault.checks[0].evidence;
    assert_eq!(evidence["missing"]["samples"], json!(["gone"]));
    let wrong = json!(["bytes: bytes", "linked: type", "mode: mode or time"]);
    assert_eq!(evidence["wrong"]["samples"], wrong);
    assert!(matches!(world.probe("a", target).await, Probe::NotYet));

    let fault = world
        .perform(Action::Restore, "a", target, json!({}))
        .await
        .expect_err("in the way");
    assert_eq!(fault.kind, FaultKind::Refused);
    assert!(
        fault.message.contains("3 live files are not those of T"),
        "{fault}"
    );
    assert_eq!(world.told("a"), damaged, "nothing was touched");

    let keep = json!({ "on_conflict": "keep" });
    let outcome = world
        .perform(Action::Restore, "a", target, keep.clone())
        .await
        .expect("kept");
    assert_eq!(
        (&outcome.output["changed"], &outcome.output["kept"]),
        (&json!(1), &json!(3))
    );
    assert_eq!(world.read("a/gone").as_deref(), Some("then"));
    assert_eq!(world.read("a/bytes").as_deref(), Some("THEN"));
    world
        .perform(Action::Verify, "a", target, keep)
        .await
        .expect("as was asked");

    let all = json!({ "on_conflict": "replace", "created_after": "remove" });
    world
        .perform(Action::Restore, "a", target, all.clone())
        .await
        .expect("replaced");
    assert_eq!(world.told("a"), before);
    world
        .perform(Action::Verify, "a", target, all)
        .await
        .expect("exact");
}

#[tokio::test]
async fn nothing_is_written_through_a_link_that_stands_where_a_folder_was() {
    // A slash behind a link would follow it.
    for folder in ["sites/{{ site.id }}", "sites/{{ site.id }}/"] {
        through_no_link(World::dated_in(folder)).await;
    }
}

async fn through_no_link(world: World) {
    world.write("a/media/x", "ours");
    world.write("b/keep", "theirs");
    moment(&world);
    world.copy();
    let target = moment(&world);
    fs::remove_dir_all(world.live("a/media")).expect("gone");
    symlink("../b", world.live("a/media")).expect("a link");
    let theirs = world.told("b");
    for on_conflict in ["refuse", "keep", "replace"] {
        let with = json!({ "on_conflict": on_conflict });
        let ended = world.perform(Action::Restore, "a", target, with).await;
        assert_eq!(ended.is_err(), on_conflict == "refuse", "{ended:?}");
        assert_eq!(world.told("b"), theirs, "{on_conflict}");
    }
    assert_eq!(world.read("a/media/x").as_deref(), Some("ours"));

    // The same one step higher: the site's folder itself leads to a neighbour.
    fs::remove_dir_all(world.live("a")).expect("gone");
    symlink("b", world.live("a")).expect("a link");
    let fault = world.perform(Action::Restore, "a", target, json!({})).await;
    assert_eq!(fault.expect_err("a link").kind, FaultKind::Refused);
    assert_eq!(world.told("b"), theirs);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_off_anywhere_the_repeat_ends_the_same() {
    let world = World::dated();
    for at in 0..400 {
        let body = "x".repeat(at * 37 % 5000);
        world.write(&format!("a/{}/{at}", at % 7), &body);
    }
    world.mode("a/3", 0o500);
    let before = world.told("a");
    moment(&world);
    world.copy();
    let target = moment(&world);
    let call = world.call(Action::Restore, "a", target, json!({ "concurrent": 2 }));
    let mut cut = 0;
    for part in (1..20).step_by(2) {
        let wanted = part * 20;
        world.wipe("a");
        {
            let quiet = Quiet::default();
            let restore = world.connector.perform(&call, &quiet);
            tokio::pin!(restore);
            // Dropped as soon as so many files are there.
            loop {
                tokio::select! {
                    ended = &mut restore => { ended.expect("restored"); break }
                    () = tokio::task::yield_now() => {
                        if count(&world) >= wanted { cut += 1; break }
                    }
                }
            }
        }
        // What a process that was killed in between leaves.
        if world.live("a/1").exists() {
            world.write("a/1/.reprise-1-1.tmp", "half");
        }
        world
            .perform(Action::Restore, "a", target, json!({}))
            .await
            .expect("the rest");
        assert_eq!(
            world.told("a"),
            before,
            "cut at {wanted}",
            wanted = part * 20
        );
    }
    assert!(cut > 2, "only {cut} were cut off");
}

fn count(world: &World) -> usize {
    let folders = fs::read_dir(world.live("a"))
        .into_iter()
        .flatten()
        .flatten();
    folders
        .filter_map(|folder| Some(fs::read_dir(folder.path()).ok()?.count()))
        .sum()
}
