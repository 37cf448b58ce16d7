//! What the user of live may do, and what the server hides from who may not.

use reprise_connectors::mariadb::MariadbConnector;
use reprise_model::{Action, Fault, FaultKind, Outcome, Timestamp};
use reprise_ports::Connector;
use tempfile::TempDir;

use super::world::{World, call, run, text};

/// A site deleted after T, and a connector of a user with just these rights.
async fn with(rights: &str) -> (World, Timestamp, MariadbConnector, TempDir) {
    let mut world = World::new().await;
    world
        .commit_at(20, "delete from app.sites where id = 1")
        .await;
    let target = world.at(15.0);
    let (user, scratch) = world.server.connector("u", "right");
    // Before the rights: what is granted now is later than T, with an earlier time.
    let recover = call(Action::Recover, target, None);
    user.perform(&recover, &world.recorder).await.unwrap();
    let grant = format!("revoke all on app.* from u; grant {rights} on app.* to u");
    run(&mut world.live, &grant).await;
    (world, target, user, scratch)
}

async fn restore(
    world: &World,
    user: &MariadbConnector,
    target: Timestamp,
) -> Result<Outcome, Fault> {
    let restore = call(Action::Restore, target, Some("1"));
    user.perform(&restore, &world.recorder).await
}

async fn restored(world: &mut World) -> bool {
    let count = "select count(*) from app.sites where id = 1";
    text(&mut world.live, count).await == "1"
}

#[tokio::test]
async fn to_read_to_insert_and_to_see_triggers_is_enough() {
    let (mut world, target, user, _scratch) = with("select, insert, trigger").await;
    let outcome = restore(&world, &user, target).await.unwrap();
    assert_eq!(outcome.volume.rows, 4);
    let verify = call(Action::Verify, target, Some("1"));
    user.perform(&verify, &world.recorder).await.unwrap();
    assert!(restored(&mut world).await);
    user.close().await;
}

#[tokio::test]
async fn who_may_not_write_is_told_so_for_good() {
    let (mut world, target, user, _scratch) = with("select, trigger").await;
    let fault = restore(&world, &user, target).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Permanent, "{fault:?}");
    assert!(fault.message.contains("1142"), "{fault:?}");
    let hint = fault.hint.as_deref();
    assert_eq!(hint, Some("look at the user's password and grants"));
    assert!(!restored(&mut world).await);
    user.close().await;
}

/// The server shows a table's triggers to those alone who may make some.
#[tokio::test]
async fn triggers_that_cannot_be_seen_are_not_taken_for_none() {
    let (mut world, target, user, _scratch) = with("select, insert, update").await;
    run(
        &mut world.live,
        "create trigger app.noisy after insert on app.issues for each row
           update app.countries set code = code",
    )
    .await;
    let fault = restore(&world, &user, target).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused, "{fault:?}");
    assert!(
        fault
            .message
            .contains("table issues: its triggers cannot be seen"),
        "{fault:?}"
    );
    assert!(!restored(&mut world).await);
    user.close().await;
}
