//! Cut off at any instant: nothing half done, and a probe that knows.

use reprise_model::FaultKind;
use reprise_ports::Probe;
use sqlx::Connection;

use super::cluster::{connect, run, text};
use super::world::{World, tenant};

async fn world() -> World {
    let mut world = World::new(
        "create table sites (id int primary key); create table t (id int primary key, site int not null references sites, body text)",
        "insert into sites values (1), (2); insert into t select g, g % 2 + 1, repeat('x', 100) from generate_series(1, 20000) g",
        tenant("sites.id", &[]),
    )
    .await;
    run(
        &mut world.now,
        "delete from t where site = 1; delete from sites where id = 1",
    )
    .await;
    world
}

#[tokio::test]
async fn the_mark_of_a_committed_restore_is_known_as_done() {
    let world = world().await;
    assert_eq!(
        world.shard.probe_restore(None).await.unwrap(),
        Probe::NotYet
    );
    let outcome = world.restore("1", "{}").await.unwrap();
    let mark = world.recorder.marks.lock().unwrap().pop().unwrap();
    let probe = world.shard.probe_restore(Some(&mark)).await.unwrap();
    assert_eq!(probe, Probe::AsItShouldBe(outcome));
    let strange = serde_json::json!({ "version": 99 });
    let probe = world.shard.probe_restore(Some(&strange)).await.unwrap();
    assert!(matches!(probe, Probe::Unknown { .. }));
}

#[tokio::test]
async fn a_mark_without_its_commit_is_known_as_not_yet() {
    let mut world = world().await;
    world.recorder.refuse_mark = true;
    let fault = world.refused("1", "{}").await;
    assert_eq!(fault.kind, FaultKind::Permanent);
    let mark = world.recorder.marks.lock().unwrap().pop().unwrap();
    assert_eq!(
        world.shard.probe_restore(Some(&mark)).await.unwrap(),
        Probe::NotYet
    );
    world.recorder.refuse_mark = false;
    world.comes_back("1").await;
}

#[tokio::test]
async fn a_transaction_that_still_runs_is_waited_for() {
    let mut world = world().await;
    world.restore("1", "{}").await.unwrap();
    let mut mark = world.recorder.marks.lock().unwrap().pop().unwrap();
    run(&mut world.now, "begin; delete from t where id = 1").await;
    mark["xid"] = text(&mut world.now, "select pg_current_xact_id()")
        .await
        .into();
    let probe = world.shard.probe_restore(Some(&mark));
    let ending = async {
        tokio::task::yield_now().await;
        run(&mut world.now, "commit").await;
    };
    let (probe, ()) = tokio::join!(probe, ending);
    assert!(matches!(probe.unwrap(), Probe::AsItShouldBe(_)));
    mark["xid"] = "999999999".into();
    let probe = world.shard.probe_restore(Some(&mark)).await.unwrap();
    assert!(matches!(probe, Probe::Unknown { .. }), "{probe:?}");
}

#[tokio::test]
async fn cancelled_while_it_copies_it_leaves_nothing_and_can_run_again() {
    let mut world = world().await;
    world.recorder.cancel_at = Some("copying t");
    let fault = world.refused("1", "{}").await;
    assert_eq!(fault.kind, FaultKind::Cancelled);
    world.recorder = Default::default();
    world.comes_back("1").await;
}

#[tokio::test]
async fn a_connection_that_is_cut_is_temporary() {
    let mut world = world().await;
    // A lock on the root row's key holds the restore until its backend is ended.
    run(&mut world.now, "begin; insert into sites values (1)").await;
    let mut other = connect(&world.live_options).await;
    let ending = async {
        let waiting = "select coalesce(max(pid), 0) from pg_stat_activity where application_name = 'reprise' and wait_event_type = 'Lock'
                       and datname = current_database()";
        while text(&mut other, waiting).await == "0" {
            tokio::task::yield_now().await;
        }
        run(&mut other, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'reprise' and datname = current_database()").await;
    };
    let (restored, ()) = tokio::join!(world.restore("1", "{}"), ending);
    assert_eq!(restored.unwrap_err().kind, FaultKind::Temporary);
    run(&mut world.now, "rollback").await;
    other.close().await.unwrap();
    world.comes_back("1").await;
}

#[tokio::test]
async fn a_lock_that_is_held_too_long_is_temporary() {
    let mut world = world().await;
    run(&mut world.now, "begin; insert into sites values (1)").await;
    let fault = world
        .restore("1", r#"{"lock_timeout": "50ms"}"#)
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Temporary, "{}", fault.message);
    run(&mut world.now, "rollback").await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_temporary_and_shows_no_password() {
    let mut world = world().await;
    world.live_options = world.live_options.clone().port(1).password("secret");
    world.as_role("postgres", tenant("sites.id", &[]));
    let fault = world.restore("1", "{}").await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Temporary);
    assert!(!format!("{fault:?}").contains("secret"));
}
