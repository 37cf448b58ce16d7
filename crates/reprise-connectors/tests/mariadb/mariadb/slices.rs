//! A site's slice, carried back among neighbours.

use std::time::Duration;

use reprise_model::{Action, FaultKind, Timestamp};
use reprise_ports::{Connector, Probe};
use sqlx::ConnectOptions;

use super::world::{World, call, run, text};

/// Site 1 was deleted after T; the neighbours went on.
async fn deleted() -> (World, Timestamp, String) {
    let mut world = World::new().await;
    let before = world.dump("s.id = 1").await;
    assert!(before.contains("18446744073709551615"), "{before}");
    world
        .commit_at(10, "update app.issues set title = 'since' where id = 300")
        .await;
    world
        .commit_at(20, "delete from app.sites where id = 1")
        .await;
    let target = world.at(15.0);
    // Now: what comes later in the test has the clock's own times.
    world.perform(Action::Recover, target, None).await.unwrap();
    (world, target, before)
}

#[tokio::test]
async fn a_deleted_site_comes_back_as_it_was_and_neighbours_never_notice() {
    let (mut world, target, before) = deleted().await;
    let neighbours = world.dump("s.id = 3").await;
    let writer = tokio::spawn(writes(world.server.port));
    let outcome = world
        .perform(Action::Restore, target, Some("1"))
        .await
        .unwrap();
    assert_eq!(outcome.volume.rows, 4);
    let verified = world
        .perform(Action::Verify, target, Some("1"))
        .await
        .unwrap();
    let names: Vec<&str> = verified
        .checks
        .iter()
        .map(|check| check.name.as_str())
        .collect();
    assert_eq!(names, ["slice-rows", "foreign-keys"]);
    let writes = writer.await.unwrap();
    assert_eq!(world.dump("s.id = 1").await, before);
    assert_eq!(world.dump("s.id = 3").await, neighbours);
    let counted = text(
        &mut world.live,
        "select body from app.issues where id = 200",
    )
    .await;
    assert_eq!(counted, writes.to_string());
    // The next id is after the restored ones.
    run(
        &mut world.live,
        "insert into app.projects (site_id) values (1)",
    )
    .await;
    assert_eq!(
        text(&mut world.live, "select max(id) > 30 from app.projects").await,
        "1"
    );
    world.connector.close().await;
}

/// A neighbour that goes on writing, a bounded number of times.
async fn writes(port: u16) -> u32 {
    use sqlx::{ConnectOptions, mysql::MySqlConnectOptions, mysql::MySqlSslMode};
    let options = MySqlConnectOptions::new()
        .host("127.0.0.1")
        .port(port)
        .username("root");
    let mut connection = options
        .ssl_mode(MySqlSslMode::Disabled)
        .connect()
        .await
        .unwrap();
    let number = 500;
    for at in 1..=number {
        run(
            &mut connection,
            &format!("update app.issues set body = '{at}' where id = 200"),
        )
        .await;
    }
    number
}

#[tokio::test]
async fn rows_in_the_way_are_counted_and_nothing_is_changed() {
    let (mut world, target, _) = deleted().await;
    run(&mut world.live, "insert into app.sites values (1, 'new', null); insert into app.projects (site_id) values (1), (1)").await;
    let before = world.dump("true").await;
    let fault = world
        .perform(Action::Restore, target, Some("1"))
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused);
    assert!(
        fault.message.contains("projects: 2") && fault.message.contains("sites: 1"),
        "{fault:?}"
    );
    assert_eq!(world.dump("true").await, before);
    world.connector.close().await;
}

#[tokio::test]
async fn a_neighbours_unique_value_and_a_missing_parent_are_refusals() {
    let (mut world, target, _) = deleted().await;
    run(
        &mut world.live,
        "insert into app.sites values (9, 'acme', null)",
    )
    .await;
    let fault = world
        .perform(Action::Restore, target, Some("1"))
        .await
        .unwrap_err();
    assert!(
        fault
            .message
            .contains("a row of another site has taken a unique value"),
        "{fault:?}"
    );
    assert!(!fault.message.contains("acme"), "{fault:?}");
    run(&mut world.live, "delete from app.sites where id = 9; update app.sites set country = 'fr'; delete from app.countries where code = 'de'").await;
    let fault = world
        .perform(Action::Restore, target, Some("1"))
        .await
        .unwrap_err();
    assert!(
        fault
            .message
            .contains("rows of countries that are not in live"),
        "{fault:?}"
    );
    assert_eq!(
        text(
            &mut world.live,
            "select count(*) from app.sites where id = 1"
        )
        .await,
        "0"
    );
    world.connector.close().await;
}

#[tokio::test]
async fn cut_off_before_the_commit_nothing_is_in_and_a_repeat_brings_it() {
    let (mut world, target, before) = deleted().await;
    world.recorder.refuse_mark = true;
    world
        .perform(Action::Restore, target, Some("1"))
        .await
        .unwrap_err();
    let mark = world.recorder.marks.lock().unwrap().pop().unwrap();
    assert_eq!(world.probe(target, "1", &mark).await, Probe::NotYet);
    assert_eq!(world.dump("s.id = 1").await, "");
    world.recorder.refuse_mark = false;
    let outcome = world
        .perform(Action::Restore, target, Some("1"))
        .await
        .unwrap();
    assert_eq!(world.dump("s.id = 1").await, before);
    assert_eq!(
        world.probe(target, "1", &mark).await,
        Probe::AsItShouldBe(outcome)
    );
    run(
        &mut world.live,
        "update app.issues set body = 'x' where id = 101",
    )
    .await;
    assert!(matches!(
        world.probe(target, "1", &mark).await,
        Probe::Unknown { .. }
    ));
    world.connector.close().await;
}

#[tokio::test]
async fn a_changed_row_and_one_too_many_are_caught() {
    let (mut world, target, _) = deleted().await;
    world
        .perform(Action::Restore, target, Some("1"))
        .await
        .unwrap();
    let changes = [
        (
            "update app.issues set title = 'GRÜSSE' where id = 100",
            "update app.issues set title = 'Grüße' where id = 100",
        ),
        (
            "update app.issues set small = 0.1000001 where id = 100",
            "update app.issues set small = 0.1 where id = 100",
        ),
        (
            "insert into app.projects (id, site_id) values (11, 1)",
            "delete from app.projects where id = 11",
        ),
    ];
    for (change, back) in changes {
        run(&mut world.live, change).await;
        let fault = world
            .perform(Action::Verify, target, Some("1"))
            .await
            .unwrap_err();
        assert_eq!(fault.kind, FaultKind::Validation, "{change}");
        run(&mut world.live, back).await;
        world
            .perform(Action::Verify, target, Some("1"))
            .await
            .unwrap();
    }
    world.connector.close().await;
}

#[tokio::test]
async fn triggers_and_tables_without_transactions_are_named() {
    let (mut world, target, _) = deleted().await;
    run(
        &mut world.live,
        "create trigger app.noisy after insert on app.issues for each row set @x = 1",
    )
    .await;
    let fault = world
        .perform(Action::Restore, target, Some("1"))
        .await
        .unwrap_err();
    assert!(
        fault.message.contains("trigger noisy on issues"),
        "{fault:?}"
    );
    run(&mut world.live, "drop trigger app.noisy; alter table app.issues drop foreign key issues_ibfk_2; alter table app.issues drop foreign key issues_ibfk_1; alter table app.issues engine = Aria").await;
    let fault = world
        .perform(Action::Restore, target, Some("1"))
        .await
        .unwrap_err();
    assert!(fault.message.contains("Aria"), "{fault:?}");
    world.connector.close().await;
}

#[tokio::test]
async fn a_site_that_was_not_there_and_an_id_of_another_spelling_are_refused() {
    let (world, target, _) = deleted().await;
    for id in ["77", "1abc", "01"] {
        let fault = world
            .perform(Action::Restore, target, Some(id))
            .await
            .unwrap_err();
        assert!(fault.message.contains("has no site"), "{fault:?}");
    }
    world.connector.close().await;
}

#[tokio::test]
async fn a_wrong_password_is_permanent_and_a_server_that_is_down_is_not() {
    let (mut world, target, _) = deleted().await;
    let (other, _scratch) = world.server.connector("u", "hush-wrong");
    let restore = call(Action::Restore, target, Some("1"));
    let fault = other.perform(&restore, &world.recorder).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Permanent);
    let said = format!("{fault:?}");
    assert!(
        said.contains("1045") && !said.contains("hush-wrong"),
        "{said}"
    );
    other.close().await;
    world.server.kill();
    let fault = world
        .perform(Action::Restore, target, Some("1"))
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Temporary, "{fault:?}");
    world.connector.close().await;
}

#[tokio::test]
async fn what_a_neighbour_has_not_committed_holds_nothing_up() {
    let (mut world, target, _) = deleted().await;
    // Another site's row, below which nothing of ours is, and a shared one of another site's.
    let options = world.server.options(Some("app"));
    let mut neighbour = options.connect().await.unwrap();
    run(
        &mut neighbour,
        "begin; update issues set title = 'being written' where id = 200;
         insert into issues (id, project_id) values (900, 20); update countries set code = 'fr' where code = 'fr'",
    )
    .await;
    let restore = world.perform(Action::Restore, target, Some("1"));
    let restored = tokio::time::timeout(Duration::from_secs(20), restore).await;
    restored
        .expect("it waits for nobody")
        .expect("it is restored");
    // What it refers to is held all the same, until it is in.
    assert_eq!(text(&mut world.live, "select count(*) from app.issues i join app.projects p on p.id = i.project_id where p.site_id = 1").await, "2");
    run(&mut neighbour, "rollback").await;
}
