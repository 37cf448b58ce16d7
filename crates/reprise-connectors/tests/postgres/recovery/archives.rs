//! Archives as they are found: gaps, damage, packing, timelines, strangers.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;

use reprise_model::{Backup, FaultKind};
use reprise_ports::{Connector, Inspect, Level};

use super::origin::{Origin, micros, pack, recover, rows, shard};

#[tokio::test]
async fn a_missing_segment_in_the_middle_is_named_before_anything_is_copied() {
    let origin = Origin::new(15).await;
    origin.backup("one", "none").await;
    origin.commit(1).await;
    origin.archive().await;
    origin.commit(2).await;
    let missing = origin.archive().await;
    let target = origin.commit(3).await;
    origin.archive().await;
    fs::remove_file(origin.path("wal").join(&missing)).unwrap();
    let connector = origin.connector();
    let fault = recover(&connector, target).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused);
    assert!(fault.message.contains(&missing), "{fault}");
    assert!(!origin.path("scratch").exists());
    let inspect = Inspect {
        shard: shard(),
        target_time: Some(target),
        sites: Vec::new(),
    };
    let findings = connector.inspect(&inspect).await.findings;
    let gap = findings.iter().find(|f| f.check == "wal-gap").unwrap();
    assert_eq!(gap.level, Level::Error);
}

#[tokio::test]
async fn a_damaged_segment_in_the_middle_is_named() {
    let origin = Origin::new(15).await;
    origin.backup("one", "none").await;
    origin.commit(1).await;
    let damaged = origin.archive().await;
    let target = origin.commit(2).await;
    origin.archive().await;
    let file = origin.path("wal").join(&damaged);
    let mut file = fs::OpenOptions::new().write(true).open(file).unwrap();
    file.seek(SeekFrom::Start(64)).unwrap();
    file.write_all(&vec![0; 1 << 20]).unwrap();
    let fault = recover(&origin.connector(), target).await.unwrap_err();
    assert!(fault.message.contains(&damaged), "{fault}");
}

#[tokio::test]
async fn an_archive_of_another_server_is_recognised() {
    let origin = Origin::new(15).await;
    origin.backup("one", "none").await;
    let target = origin.commit(1).await;
    origin.archive().await;
    let other = Origin::new(15).await;
    other.backup("one", "none").await;
    other.commit(1).await;
    other.archive().await;
    let backup = Backup::BaseBackup {
        base: origin.path("base"),
        wal: other.path("wal"),
    };
    let connector = origin.connector_with(None, backup, None);
    let fault = recover(&connector, target).await.unwrap_err();
    assert!(fault.message.contains("another server"), "{fault}");
}

#[tokio::test]
async fn packed_segments_are_unpacked_and_partial_ones_passed_over() {
    let origin = Origin::new(15).await;
    origin.backup("one", "none").await;
    let first = origin.commit(1).await;
    origin.commit(2).await;
    let segment = origin.archive().await;
    pack(&origin.path("wal"), "gzip");
    let partial = origin.path("wal").join(format!("{segment}.partial"));
    fs::write(partial, "cut off").unwrap();
    let connector = origin.connector();
    recover(&connector, first).await.unwrap();
    assert_eq!(rows(&connector, first).await, ["1"]);
    connector.close().await;
}

#[tokio::test]
async fn an_archive_that_the_servers_account_cannot_read_is_staged() {
    let origin = Origin::new(15).await;
    origin.backup("one", "none").await;
    let first = origin.commit(1).await;
    origin.commit(2).await;
    origin.archive().await;
    let hidden = origin.path("hidden");
    fs::create_dir(&hidden).unwrap();
    for entry in fs::read_dir(origin.path("wal")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, hidden.join(path.file_name().unwrap())).unwrap();
    }
    fs::set_permissions(&hidden, fs::Permissions::from_mode(0o700)).unwrap();
    let backup = Backup::BaseBackup {
        base: origin.path("base/one"),
        wal: hidden,
    };
    let connector = origin.connector_with(None, backup, None);
    recover(&connector, first).await.unwrap();
    assert_eq!(rows(&connector, first).await, ["1"]);
    connector.close().await;
}

#[tokio::test]
async fn settings_that_the_primary_raised_since_the_backup_are_followed() {
    let mut origin = Origin::new(15).await;
    origin.backup("one", "none").await;
    origin.stop();
    origin.start(&[
        ("max_connections", "300"),
        ("max_locks_per_transaction", "128"),
    ]);
    let first = origin.commit(1).await;
    origin.commit(2).await;
    origin.archive().await;
    let connector = origin.connector();
    recover(&connector, first).await.unwrap();
    assert_eq!(rows(&connector, first).await, ["1"]);
    connector.close().await;
    assert_eq!(
        rows(&connector, first).await,
        ["1"],
        "also when started again"
    );
    connector.close().await;
}

#[tokio::test]
async fn tablespaces_go_into_scratch_and_the_originals_settings_stay_out() {
    let origin = Origin::new(15).await;
    let tablespace = origin.path("tablespace");
    fs::create_dir(&tablespace).unwrap();
    origin.account.own(&tablespace).unwrap();
    let place = tablespace.display();
    origin
        .sql(&format!("create tablespace elsewhere location '{place}'"))
        .await;
    origin
        .sql("create table far (n int) tablespace elsewhere; insert into far values (7)")
        .await;
    origin.sql("alter system set work_mem = '77MB'").await;
    origin.backup("one", "stream").await;
    let first = origin.commit(1).await;
    origin.commit(2).await;
    origin.archive().await;
    let connector = origin.connector();
    recover(&connector, first).await.unwrap();
    let query = "select n as id, current_setting('archive_mode') as mode, \
                 current_setting('work_mem') as memory from far";
    let row = connector
        .list_sites(&shard(), first, query)
        .await
        .unwrap()
        .remove(0);
    assert_eq!((row["id"].as_str(), row["mode"].as_str()), ("7", "off"));
    assert_ne!(row["memory"], "77MB");
    let links = fs::read_dir(origin.scratch().join("data/pg_tblspc")).unwrap();
    for link in links {
        let target = fs::read_link(link.unwrap().path()).unwrap();
        assert!(target.starts_with(origin.scratch()), "{target:?}");
    }
    connector.close().await;
}

#[tokio::test]
async fn a_fork_is_followed_to_the_timeline_that_served_at_the_moment() {
    let mut origin = Origin::new(15).await;
    origin.backup("one", "none").await;
    let first = origin.commit(1).await;
    let before_fork = origin.commit(2).await;
    origin.archive().await;
    // The server is promoted onto a second timeline, as after a failover.
    origin.stop();
    fs::write(origin.path("data/standby.signal"), "").unwrap();
    origin
        .account
        .own(&origin.path("data/standby.signal"))
        .unwrap();
    origin.start(&[("restore_command", "false")]);
    origin.sql("select pg_promote()").await;
    let on_two = origin.commit(3).await;
    origin.commit(4).await;
    let segment = origin.archive().await;
    assert!(segment.starts_with("00000002"), "{segment}");
    let connector = origin.connector();
    for (target, expect) in [
        (first, vec!["1"]),
        (micros(before_fork, 1), vec!["1", "2"]),
        (on_two, vec!["1", "2", "3"]),
    ] {
        recover(&connector, target).await.unwrap();
        assert_eq!(rows(&connector, target).await, expect);
    }
    connector.close().await;
}
