//! A shard at T: the cut, what is refused, and what is left behind.

use std::process::Command;

use reprise_model::{Action, FaultKind};
use reprise_ports::Connector;

use super::world::World;

const ISSUES: &str = "select title as id from issues where id > 900 order by id";

async fn with_history() -> World {
    let mut world = World::new().await;
    for (second, id, title) in [
        (10, 901, "a"),
        (20, 902, "b"),
        (20, 903, "c"),
        (22, 904, "d"),
    ] {
        let sql =
            format!("insert into app.issues (id, project_id, title) values ({id}, 10, '{title}')");
        world.commit_at(second, &sql).await;
    }
    world
        .commit_at(30, "delete from app.sites where id = 1")
        .await;
    world
}

#[tokio::test]
async fn the_cut_is_exact_between_transactions() {
    let world = with_history().await;
    for (after, expect) in [
        (10.0, ""),
        (19.5, "a"),
        (20.0, "a"),
        (21.0, "abc"),
        (22.0, "abc"),
        (25.25, "abcd"),
    ] {
        let target = world.at(after);
        let outcome = world.perform(Action::Recover, target, None).await.unwrap();
        let point = outcome.recovery_point.unwrap();
        assert_eq!(point.point, target, "{after}");
        assert!(
            point.last_before.is_none_or(|last| last < target),
            "{point:?}"
        );
        assert!(
            point.first_after.is_some_and(|first| first >= target),
            "{point:?}"
        );
        let found = world.in_scratch(target, ISSUES).await.concat();
        assert_eq!(found, expect, "{after}");
        world.perform(Action::Release, target, None).await.unwrap();
    }
    assert_eq!(world.connector.leaves(), Vec::<std::path::PathBuf>::new());
}

/// The same in a process whose zone is five hours away.
#[test]
fn the_time_zone_of_the_process_changes_nothing() {
    let done = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "mariadb::recovery::the_cut_is_exact_between_transactions",
        ])
        .env("TZ", "America/New_York")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&done.stdout);
    assert!(
        done.status.success() && output.contains("1 passed"),
        "{output}"
    );
}

#[tokio::test]
async fn what_a_whole_second_cannot_tell_is_refused() {
    let world = with_history().await;
    let fault = world
        .perform(Action::Recover, world.at(20.5), None)
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused);
    assert!(
        fault
            .message
            .contains("2 transactions were committed in the second"),
        "{fault:?}"
    );
    let hint = fault.hint.unwrap();
    assert!(
        hint.contains(&world.at(20.0).to_string()) && hint.contains(&world.at(21.0).to_string()),
        "{hint}"
    );
    assert_eq!(world.connector.leaves(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn a_moment_before_the_backup_and_one_past_the_log_are_told() {
    let mut world = with_history().await;
    let early = world.at(-20_000.0);
    let fault = world
        .perform(Action::Recover, early, None)
        .await
        .unwrap_err();
    assert!(
        fault.message.contains("later than the target time"),
        "{fault:?}"
    );
    // Quiet: live itself says that the log is all there is.
    let late = world.at(50.0);
    let outcome = world.perform(Action::Recover, late, None).await.unwrap();
    let point = outcome.recovery_point.unwrap();
    assert_eq!((point.point, point.first_after), (late, None));
    assert!(point.basis.contains("live server"), "{point:?}");
    // A log that was copied before the newest transaction is too short.
    let short = super::world::open_folder();
    for name in ["bin.000001", "bin.000002"] {
        let from = world.server.data().join(name);
        if from.exists() {
            std::fs::copy(from, short.path().join(name)).unwrap();
        }
    }
    world
        .commit_at(40, "insert into app.countries values ('it')")
        .await;
    let (connector, _scratch) = world.server.connector_on("root", "", short.path());
    let call = super::world::call(Action::Recover, world.at(45.0), None);
    let fault = connector.perform(&call, &world.recorder).await.unwrap_err();
    assert!(
        fault.message.contains("ends before the target time"),
        "{fault:?}"
    );
    connector.close().await;
    world.connector.close().await;
}

/// As by a `kill -9` of the run, or for want of memory.
#[tokio::test]
async fn a_scratch_server_killed_right_after_its_recovery_has_lost_nothing() {
    let world = with_history().await;
    let target = world.at(21.0);
    world.perform(Action::Recover, target, None).await.unwrap();
    let pid = world.connector.leaves()[0].join("data/reprise.pid");
    let pid = std::fs::read_to_string(pid).unwrap();
    let mut kill = std::process::Command::new("kill");
    let killed = kill.args(["-9", pid.trim()]).status();
    assert!(killed.unwrap().success());
    // Connections that were kept are found to be lost, and made anew.
    let shard = "s01".into();
    for _ in 0..100 {
        if world
            .connector
            .list_sites(&shard, target, ISSUES)
            .await
            .is_ok()
        {
            break;
        }
    }
    assert_eq!(world.in_scratch(target, ISSUES).await.concat(), "abc");
}

#[tokio::test]
async fn a_finished_recovery_is_used_again_and_gone_after_release() {
    let world = with_history().await;
    let target = world.at(21.0);
    let first = world.perform(Action::Recover, target, None).await.unwrap();
    world.connector.close().await;
    let probe = super::world::call(Action::Recover, target, None);
    let probe = world
        .connector
        .probe(&probe, None, &world.recorder)
        .await
        .unwrap();
    assert_eq!(probe, reprise_ports::Probe::AsItShouldBe(first.clone()));
    let again = world.perform(Action::Recover, target, None).await.unwrap();
    assert_eq!(again, first);
    assert_eq!(world.in_scratch(target, ISSUES).await.concat(), "abc");
    assert_eq!(world.connector.leaves().len(), 1);
    world.perform(Action::Release, target, None).await.unwrap();
    assert!(world.connector.leaves().is_empty());
}

#[tokio::test]
async fn a_drill_takes_the_database_that_live_is_and_guesses_none() {
    let mut world = World::new().await;
    world
        .commit_at(
            5,
            "create database aaa; create table aaa.sites (id int primary key)",
        )
        .await;
    world
        .commit_at(20, "delete from app.sites where id = 1")
        .await;
    let recover = super::world::call(Action::Recover, world.at(15.0), None);
    let scratch = super::world::open_folder();
    let check = async |database: Option<&str>| {
        let data = world.server.data();
        let drill = world.server.drill_on(scratch.path(), &data, database);
        let done = drill.perform(&recover, &world.recorder).await;
        drill.close().await;
        done.map(|outcome| outcome.output["database"].clone())
            .map_err(|fault| fault.message)
    };
    let told = "several databases of shard `s01` have the root table: aaa, app";
    assert_eq!(check(None).await, Err(told.to_owned()));
    assert_eq!(check(Some("app")).await, Ok("app".into()));
    world.connector.close().await;
}
