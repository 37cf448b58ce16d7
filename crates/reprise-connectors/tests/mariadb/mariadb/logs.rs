//! Copies of the binary log that are short, torn, damaged, or newer than a scratch.

use std::fs;
use std::path::Path;

use reprise_model::{Action, Fault, FaultKind, Outcome};
use reprise_ports::{Connector, Probe};
use tempfile::TempDir;

use super::world::{World, call, open_folder, run};

/// The size of the event that ends a transaction.
const COMMIT: u64 = 31;
const ROTATE: u8 = 4;
const GTID: u8 = 162;
/// A byte in the event that begins a transaction, of no meaning.
const GTID_UNUSED: usize = 36;
const ISSUES: &str = "select title as id from issues where id > 900 order by id";

/// A copy of the log as it is now.
fn copied(world: &World, to: &Path) {
    for at in 1.. {
        let name = format!("bin.{at:06}");
        let from = world.server.data().join(&name);
        if !from.exists() {
            return;
        }
        fs::copy(from, to.join(name)).unwrap();
    }
}

async fn insert(world: &mut World, at: i64, id: u32, title: &str) {
    let sql =
        format!("insert into app.issues (id, project_id, title) values ({id}, 10, '{title}')");
    world.commit_at(at, &sql).await;
}

/// One transaction of the second 10, one of 20.
async fn two() -> (World, TempDir) {
    let mut world = World::new().await;
    insert(&mut world, 10, 901, "a").await;
    insert(&mut world, 20, 902, "b").await;
    let log = open_folder();
    copied(&world, log.path());
    (world, log)
}

fn torn(log: &Path, bytes: u64) {
    let file = fs::OpenOptions::new()
        .write(true)
        .open(log.join("bin.000001"));
    let file = file.unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length - bytes).unwrap();
}

async fn recover(world: &World, connector: &impl Connector, after: f64) -> Result<Outcome, Fault> {
    let recover = call(Action::Recover, world.at(after), None);
    connector.perform(&recover, &world.recorder).await
}

async fn found(world: &World, connector: &impl Connector, after: f64) -> String {
    let shard = "s01".into();
    let rows = connector.list_sites(&shard, world.at(after), ISSUES);
    let rows = rows.await.unwrap();
    rows.into_iter().map(|row| row["id"].clone()).collect()
}

#[tokio::test]
async fn a_log_that_ends_inside_of_a_transaction_does_not_reach_beyond_it() {
    let (world, log) = two().await;
    // Without its end, and in the midst of its rows.
    for bytes in [COMMIT, COMMIT + 3] {
        torn(log.path(), bytes);
        let (connector, _scratch) = world.server.connector_on("root", "", log.path());
        let fault = recover(&world, &connector, 25.0).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Refused, "{fault:?}");
        let second = world.at(20.0);
        let told = format!("inside of a transaction of the second {second}");
        assert!(fault.message.contains(&told), "{fault:?}");
        connector.close().await;
    }
    // Where nobody can say what came after: it reaches as far as it is whole.
    let later = world.server.data().join("bin.000001");
    let later =
        fs::metadata(later).unwrap().modified().unwrap() + std::time::Duration::from_secs(20_000);
    let file = fs::File::options()
        .append(true)
        .open(log.path().join("bin.000001"));
    file.unwrap().set_modified(later).unwrap();
    let scratch = open_folder();
    let connector = world.server.drill_on(scratch.path(), log.path(), None);
    let outcome = recover(&world, &connector, 25.0).await.unwrap();
    let point = outcome.recovery_point.unwrap();
    assert_eq!(point.point, world.at(20.0), "{point:?}");
    assert!(point.basis.contains("inside of a transaction"), "{point:?}");
    assert_eq!(found(&world, &connector, 25.0).await, "a");
    connector.close().await;
    world.connector.close().await;
}

/// Where its events begin, and of which kind they are.
fn events(log: &[u8]) -> Vec<(usize, u8)> {
    let mut at = 4;
    let mut events = Vec::new();
    while let Some(header) = log.get(at..at + 19) {
        events.push((at, header[4]));
        at += u32::from_le_bytes(header[9..13].try_into().unwrap()) as usize;
    }
    events
}

/// `mariadb-binlog` reads an event before it sees that it is to stop there.
#[tokio::test]
async fn a_torn_event_is_no_damage_of_what_is_before_it() {
    let (world, log) = two().await;
    let path = log.path().join("bin.000001");
    let whole = fs::read(&path).unwrap();
    let last = events(&whole).into_iter().rfind(|(_, kind)| *kind == GTID);
    let (last, _) = last.unwrap();
    for beyond in [5, 25] {
        fs::write(&path, &whole[..last + beyond]).unwrap();
        let scratch = open_folder();
        let drill = world.server.drill_on(scratch.path(), log.path(), None);
        recover(&world, &drill, 12.0).await.unwrap();
        assert_eq!(found(&world, &drill, 12.0).await, "a");
        drill.close().await;
    }
    world.connector.close().await;
}

/// The server goes on in another file, and nothing is missing.
#[tokio::test]
async fn a_file_that_a_crash_tore_is_whole_where_the_next_one_follows() {
    let (mut world, log) = two().await;
    run(&mut world.live, "flush binary logs").await;
    insert(&mut world, 30, 903, "c").await;
    copied(&world, log.path());
    let path = log.path().join("bin.000001");
    let mut bytes = fs::read(&path).unwrap();
    let (end, kind) = events(&bytes).pop().unwrap();
    assert_eq!(kind, ROTATE);
    bytes.truncate(end + 10);
    // Marked as in use, as a crash leaves it.
    bytes[4 + 17] |= 1;
    fs::write(&path, bytes).unwrap();
    let scratch = open_folder();
    let drill = world.server.drill_on(scratch.path(), log.path(), None);
    recover(&world, &drill, 35.0).await.unwrap();
    assert_eq!(found(&world, &drill, 35.0).await, "abc");
    drill.close().await;
    world.connector.close().await;
}

#[tokio::test]
async fn a_scratch_takes_in_what_a_newer_copy_of_the_log_holds() {
    let (mut world, log) = two().await;
    let scratch = open_folder();
    let first = world.server.drill_on(scratch.path(), log.path(), None);
    let short = recover(&world, &first, 35.0).await.unwrap();
    assert_eq!(short.recovery_point.unwrap().point, world.at(20.0));
    first.close().await;
    // Nothing new: the same again.
    let probe = call(Action::Recover, world.at(35.0), None);
    let again = world.server.drill_on(scratch.path(), log.path(), None);
    let probed = again.probe(&probe, None, &world.recorder).await.unwrap();
    assert!(matches!(probed, Probe::AsItShouldBe(_)), "{probed:?}");
    insert(&mut world, 30, 903, "c").await;
    insert(&mut world, 40, 904, "d").await;
    copied(&world, log.path());
    let probed = again.probe(&probe, None, &world.recorder).await.unwrap();
    assert_eq!(probed, Probe::NotYet);
    let whole = recover(&world, &again, 35.0).await.unwrap();
    assert_eq!(whole.recovery_point.unwrap().point, world.at(35.0));
    assert_eq!(found(&world, &again, 35.0).await, "abc");
    again.close().await;
    // T is reached now: what is after it changes nothing.
    insert(&mut world, 50, 905, "e").await;
    copied(&world, log.path());
    let third = world.server.drill_on(scratch.path(), log.path(), None);
    let probed = third.probe(&probe, None, &world.recorder).await.unwrap();
    assert!(matches!(probed, Probe::AsItShouldBe(_)), "{probed:?}");
    third.close().await;
    world.connector.close().await;
}

/// Changes a byte of the event, so far from the end.
fn damaged(log: &Path, from_end: usize) {
    let path = log.join("bin.000001");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() - from_end;
    bytes[at] ^= 0x20;
    fs::write(&path, bytes).unwrap();
}

/// Where the last transaction begins, from the end.
fn last_begin(log: &Path) -> usize {
    let bytes = fs::read(log.join("bin.000001")).unwrap();
    let (mut at, mut last) = (4, 0);
    while at < bytes.len() {
        if bytes[at + 4] == GTID {
            last = at;
        }
        at += u32::from_le_bytes(bytes[at + 9..at + 13].try_into().unwrap()) as usize;
    }
    bytes.len() - last
}

async fn refused_as_damaged(world: &World, log: &Path) {
    let (connector, _scratch) = world.server.connector_on("root", "", log);
    let fault = recover(world, &connector, 25.0).await.unwrap_err();
    assert!(
        fault.message.contains("the binary log is damaged"),
        "{fault:?}"
    );
    assert!(!fault.hint.unwrap().is_empty());
    connector.close().await;
}

#[tokio::test]
async fn a_damaged_event_is_not_taken_for_the_end() {
    let (mut world, log) = two().await;
    let path = log.path();
    let begin = last_begin(path);
    // Within the rows, just before their checksum and the end of the transaction.
    damaged(path, COMMIT as usize + 6);
    refused_as_damaged(&world, path).await;
    damaged(path, COMMIT as usize + 6);
    // A copy that was made while the server wrote to it, and the file after it:
    // from the beginning of a transaction on it would be left out.
    damaged(path, begin - GTID_UNUSED);
    run(&mut world.live, "flush binary logs").await;
    insert(&mut world, 22, 903, "c").await;
    let next = world.server.data().join("bin.000002");
    fs::copy(next, path.join("bin.000002")).unwrap();
    refused_as_damaged(&world, path).await;
    world.connector.close().await;
}
