//! The scratch folder: used again, guarded, given up, given back.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use reprise_model::{Action, FaultKind};
use reprise_pgserver::Postmaster;
use reprise_ports::{CallSite, Connector, Inspect, Level, Probe};

use super::origin::{Origin, Watcher, call, recover, rows, shard};

#[tokio::test]
async fn a_finished_recovery_is_used_again_by_the_next_coordinator() {
    let origin = Origin::new(15).await;
    origin.backup("one", "none").await;
    let first = origin.commit(1).await;
    origin.commit(2).await;
    origin.archive().await;
    let connector = origin.connector();
    let watcher = Watcher::default();
    let recovering = call(Action::Recover, first);
    assert_eq!(
        connector.probe(&recovering, None, &watcher).await.unwrap(),
        Probe::NotYet
    );
    let outcome = connector.perform(&recovering, &watcher).await.unwrap();
    let seen = watcher.phases.lock().unwrap().clone();
    assert!(seen.contains(&"replaying WAL".to_owned()), "{seen:?}");
    connector.close().await;

    let next = origin.connector();
    assert_eq!(
        next.probe(&recovering, None, &watcher).await.unwrap(),
        Probe::AsItShouldBe(outcome.clone())
    );
    assert_eq!(rows(&next, first).await, ["1"]);
    assert_eq!(recover(&next, first).await.unwrap(), outcome);
    assert_eq!(next.leaves(), [origin.scratch()]);

    let releasing = call(Action::Release, first);
    for _ in 0..2 {
        next.perform(&releasing, &watcher).await.unwrap();
    }
    assert!(next.leaves().is_empty());
    let fault = next
        .list_sites(&shard(), first, "select 1")
        .await
        .unwrap_err();
    assert!(fault.message.contains("has not been recovered"), "{fault}");
}

#[tokio::test]
async fn a_half_built_folder_is_built_anew() {
    let origin = Origin::new(15).await;
    origin.backup("one", "none").await;
    let first = origin.commit(1).await;
    origin.commit(2).await;
    origin.archive().await;
    let connector = origin.connector();
    recover(&connector, first).await.unwrap();
    connector.close().await;
    let marker = origin.scratch().join("marker.json");
    let mut text: serde_json::Value = serde_json::from_slice(&fs::read(&marker).unwrap()).unwrap();
    text["state"] = "building".into();
    fs::write(&marker, text.to_string()).unwrap();
    fs::remove_file(origin.scratch().join("data/PG_VERSION")).unwrap();
    recover(&connector, first).await.unwrap();
    assert_eq!(rows(&connector, first).await, ["1"]);
    connector.close().await;
}

#[tokio::test]
async fn a_second_coordinator_is_refused_while_the_first_is_at_work() {
    let origin = Origin::new(15).await;
    origin.backup("one", "none").await;
    let first = origin.commit(1).await;
    origin.commit(2).await;
    origin.archive().await;
    let (one, two) = (origin.connector(), origin.connector());
    recover(&one, first).await.unwrap();
    let fault = recover(&two, first).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused);
    let pid = std::process::id().to_string();
    assert!(fault.message.contains(&pid), "{fault}");
    one.close().await;
    recover(&two, first).await.unwrap();
    two.close().await;
}

#[tokio::test]
async fn a_scratch_folder_that_only_its_owner_can_enter_will_do() {
    let origin = Origin::new(15).await;
    origin.backup("one", "none").await;
    let first = origin.commit(1).await;
    origin.commit(2).await;
    origin.archive().await;
    fs::create_dir(origin.path("scratch")).unwrap();
    let private = fs::Permissions::from_mode(0o700);
    fs::set_permissions(origin.path("scratch"), private).unwrap();
    let connector = origin.connector();
    recover(&connector, first).await.unwrap();
    assert_eq!(rows(&connector, first).await, ["1"]);
    connector.close().await;
    assert_eq!(rows(&connector, first).await, ["1"], "started again");
    connector.close().await;
}

#[tokio::test]
async fn a_scratch_server_that_was_killed_is_started_again() {
    let origin = Origin::new(15).await;
    origin.backup("one", "none").await;
    let first = origin.commit(1).await;
    origin.commit(2).await;
    origin.archive().await;
    let connector = origin.connector();
    recover(&connector, first).await.unwrap();
    let server = Postmaster::read(&origin.scratch().join("data")).unwrap();
    let pid = rustix::process::Pid::from_raw(server.pid as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    // A dying process has lost its name before it is dead and can be reaped.
    let stat = format!("/proc/{}/stat", server.pid);
    while fs::read_to_string(&stat).is_ok_and(|text| !text.contains(") Z ")) {
        tokio::task::yield_now().await;
    }
    assert_eq!(rows(&connector, first).await, ["1"]);
    connector.close().await;
}

#[tokio::test]
async fn a_cancelled_recovery_ends_and_leaves_no_server() {
    let origin = Origin::new(15).await;
    origin.backup("one", "none").await;
    let first = origin.commit(1).await;
    origin.commit(2).await;
    origin.archive().await;
    let connector = origin.connector();
    let watcher = Watcher::default();
    watcher.cancelled.cancel();
    let fault = connector
        .perform(&call(Action::Recover, first), &watcher)
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Cancelled);
    recover(&connector, first).await.unwrap();
    connector.close().await;
}

#[tokio::test]
async fn inspection_looks_at_backup_reach_space_and_tools() {
    let origin = Origin::new(15).await;
    origin.backup("one", "none").await;
    let first = origin.commit(1).await;
    origin.commit(2).await;
    origin.archive().await;
    let inspect = Inspect {
        shard: shard(),
        target_time: Some(first),
        sites: Vec::new(),
    };
    let inspection = origin.connector().inspect(&inspect).await;
    for check in ["backup", "backup-reaches", "wal-gap", "space", "tools"] {
        let found = inspection.findings.iter().find(|f| f.check == check);
        assert_eq!(
            found.map(|f| f.level),
            Some(Level::Ok),
            "{check}: {found:?}"
        );
    }
    assert!(inspection.estimate.scratch_bytes.unwrap() > 1 << 20);
    assert!(!origin.path("scratch").exists(), "it only looks");
}

#[tokio::test]
async fn ids_that_are_not_sites_are_said_to_be_what_they_are() {
    let origin = Origin::new(15).await;
    origin
        .sql("create table apps (id bigint primary key); insert into apps values (4711)")
        .await;
    origin.backup("one", "none").await;
    let first = origin.commit(1).await;
    origin.commit(2).await;
    origin.archive().await;
    let connector = origin.connector();
    recover(&connector, first).await.unwrap();
    let ids = ["4711".to_owned(), "nobody".to_owned()];
    let found = connector.identify(&shard(), first, &ids).await;
    assert_eq!(
        found.into_iter().collect::<Vec<_>>(),
        [("4711".to_owned(), "apps.id".to_owned())]
    );
    connector.close().await;
}

#[tokio::test]
async fn a_scratch_that_was_lost_is_recovered_again_by_the_task_that_needs_it() {
    let origin = Origin::new(15).await;
    origin.sql("drop table t").await;
    origin.backup("one", "none").await;
    origin.sql("insert into sites values ('a', 'A')").await;
    let target = origin.now().await;
    origin.sql("delete from sites").await;
    origin.archive().await;
    let connector = origin.connector();
    recover(&connector, target).await.unwrap();
    connector.close().await;
    fs::remove_dir_all(origin.scratch()).unwrap();

    let next = origin.connector();
    let mut restoring = call(Action::Restore, target);
    restoring.site = Some(CallSite {
        id: "a".into(),
        attributes: Default::default(),
    });
    let outcome = next.perform(&restoring, &Watcher::default()).await.unwrap();
    assert_eq!(outcome.volume.rows, 1);
    assert_eq!(origin.text("select name from sites").await, "A");
    next.close().await;
}
