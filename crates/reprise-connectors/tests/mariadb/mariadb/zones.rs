//! Statements that are logged as such, of a server that is not in UTC.

use reprise_model::{Action, FaultKind};
use reprise_ports::{Connector, Inspect, Level};

use super::world::{Server, World, call, text};

const ZONE: &str = "Pacific/Auckland";
const TIMES: &str = "select concat(made, ' ', seen) as id from app.issues where id = 901";

/// The log says `SYSTEM` of the zone, and the session `+00:00` for the rest.
async fn in_auckland(states: Option<&str>) -> World {
    in_zone(ZONE, states).await
}

async fn in_zone(zone: &str, states: Option<&str>) -> World {
    let settings = ["--binlog-format=MIXED", "--default-time-zone=SYSTEM"];
    let mut server = Server::start_in(zone, &settings).await;
    server.time_zone = states.map(str::to_owned);
    let mut world = World::on(server).await;
    world
        .commit_at(
            10,
            "set time_zone = 'SYSTEM'; insert into app.issues (id, project_id, made, seen)
               values (901, 10, now(), '2026-07-01 12:00:00'); set time_zone = '+00:00'",
        )
        .await;
    world
        .commit_at(20, "delete from app.sites where id = 1")
        .await;
    world
}

#[tokio::test]
async fn statements_are_replayed_in_the_zone_that_is_stated() {
    let mut world = in_auckland(Some(ZONE)).await;
    world
        .commit_at(
            30,
            "set time_zone = 'SYSTEM'; insert into app.issues (id, project_id, made, seen)
               values (901, 20, from_unixtime(unix_timestamp() - 20), '2026-07-01 12:00:00'); set time_zone = '+00:00'",
        )
        .await;
    let live = text(&mut world.live, TIMES).await;
    assert!(live.ends_with("2026-07-01 00:00:00.000000"), "{live}");
    let target = world.at(15.0);
    world.perform(Action::Recover, target, None).await.unwrap();
    assert_eq!(world.in_scratch(target, TIMES).await, [live]);
    world.connector.close().await;
}

#[tokio::test]
async fn where_no_zone_is_stated_what_depends_on_it_is_refused() {
    let world = in_auckland(None).await;
    // Nothing up to here depends on it.
    let early = world.at(5.0);
    world.perform(Action::Recover, early, None).await.unwrap();
    let target = world.at(15.0);
    let fault = world
        .perform(Action::Recover, target, None)
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused, "{fault:?}");
    assert!(
        fault.message.starts_with("1 transactions of shard `s01`"),
        "{fault:?}"
    );
    assert!(fault.message.contains("and live is in NZ"), "{fault:?}");
    assert!(fault.hint.unwrap().contains("`time_zone: UTC`"));
    let inspect = Inspect {
        shard: "s01".into(),
        target_time: Some(target),
        sites: Vec::new(),
    };
    let findings = world.connector.inspect(&inspect).await.findings;
    assert_eq!(findings[0].level, Level::Error, "{findings:?}");
    assert_eq!(findings[0].message, fault.message);
    world.connector.close().await;

    // A drill has nobody to ask, and says so.
    let scratch = super::world::open_folder();
    let binlog = world.server.data();
    let drill = world.server.drill_on(scratch.path(), &binlog, Some("app"));
    let recover = call(Action::Recover, target, None);
    let done = drill.perform(&recover, &world.recorder).await.unwrap();
    let basis = done.recovery_point.unwrap().basis;
    assert!(
        basis.contains("were replayed in UTC, which nobody states"),
        "{basis}"
    );
    drill.close().await;
}

#[tokio::test]
async fn live_that_is_in_utc_says_what_nobody_states() {
    let mut world = in_zone("UTC", None).await;
    world
        .commit_at(
            30,
            "set time_zone = 'SYSTEM'; insert into app.issues (id, project_id, made, seen)
               values (901, 20, from_unixtime(unix_timestamp() - 20), '2026-07-01 12:00:00'); set time_zone = '+00:00'",
        )
        .await;
    let live = text(&mut world.live, TIMES).await;
    let target = world.at(15.0);
    let done = world.perform(Action::Recover, target, None).await.unwrap();
    assert_eq!(world.in_scratch(target, TIMES).await, [live]);
    let basis = done.recovery_point.unwrap().basis;
    assert!(!basis.contains("nobody states"), "{basis}");
    world.connector.close().await;
}

#[tokio::test]
async fn a_zone_that_nobody_knows_is_refused() {
    let world = in_auckland(Some("Pacific/Oakland")).await;
    let target = world.at(15.0);
    let recover = call(Action::Recover, target, None);
    let done = world.connector.perform(&recover, &world.recorder).await;
    let fault = done.unwrap_err();
    assert!(
        fault
            .message
            .contains("`time_zone: Pacific/Oakland` is not known"),
        "{fault:?}"
    );
    world.connector.close().await;
}
