//! Which moment is reached, and what is said about it.

use std::time::Duration;

use reprise_model::FaultKind;
use reprise_ports::Connector;

use super::origin::{Origin, micros, recover, rows};

const RPO: Option<Duration> = Some(Duration::from_millis(1));

async fn cuts_exactly(major: u32) {
    let origin = Origin::new(major).await;
    origin.backup("one", "none").await;
    let first = origin.commit(1).await;
    let second = origin.commit(2).await;
    origin.archive().await;
    let connector = origin.connector();
    for (target, expect) in [
        (micros(first, -1), vec![]),
        (first, vec!["1"]),
        (micros(second, -1), vec!["1"]),
    ] {
        let outcome = recover(&connector, target).await.unwrap();
        assert_eq!(rows(&connector, target).await, expect, "{target}");
        let point = outcome.recovery_point.unwrap();
        assert_eq!(point.point, target);
        let bracket = match expect.is_empty() {
            true => (None, Some(first)),
            false => (Some(first), Some(second)),
        };
        assert_eq!((point.last_before, point.first_after), bracket);
    }
    connector.close().await;
}

#[tokio::test]
async fn the_cut_is_exact_to_the_microsecond_on_15() {
    cuts_exactly(15).await;
}

#[tokio::test]
async fn the_cut_is_exact_to_the_microsecond_on_16() {
    cuts_exactly(16).await;
}

#[tokio::test]
async fn the_cut_is_exact_to_the_microsecond_on_18() {
    cuts_exactly(18).await;
}

#[tokio::test]
async fn a_moment_before_the_backups_end_is_refused_and_the_earliest_is_named() {
    let origin = Origin::new(15).await;
    let early = origin.commit(1).await;
    // A backup tells its end in whole seconds.
    origin.sql("select pg_sleep(1.01)").await;
    origin.backup("one", "none").await;
    origin.commit(2).await;
    origin.archive().await;
    let fault = recover(&origin.connector(), early).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused);
    assert!(fault.message.contains("before the backup's end"), "{fault}");
    assert!(fault.hint.unwrap().contains("--at 20"));
    assert!(!origin.path("scratch").exists(), "nothing was touched");
}

#[tokio::test]
async fn the_newest_backup_that_ended_in_time_is_taken() {
    let origin = Origin::new(15).await;
    origin.backup("one", "none").await;
    let target = origin.commit(1).await;
    origin.sql("select pg_sleep(1.01)").await;
    origin.backup("two", "none").await;
    let late = origin.commit(2).await;
    origin.commit(3).await;
    origin.archive().await;
    let connector = origin.connector();
    recover(&connector, target).await.unwrap();
    assert_eq!(rows(&connector, target).await, ["1"]);
    let outcome = recover(&connector, late).await.unwrap();
    assert_eq!(rows(&connector, late).await, ["1", "2"]);
    let ended = outcome.output["backup_end"].as_str().unwrap();
    assert!(
        ended.parse::<reprise_model::Timestamp>().unwrap() > target,
        "{ended}"
    );
    connector.close().await;
}

#[tokio::test]
async fn a_quiet_server_is_no_error_when_live_shows_that_it_is_quiet() {
    let origin = Origin::new(15).await;
    origin.backup("one", "none").await;
    let last = origin.commit(1).await;
    origin.archive().await;
    let target = origin.now().await;
    let connector = origin.connector_with(Some(origin.url()), origin.backup_config(), RPO);
    let point = recover(&connector, target)
        .await
        .unwrap()
        .recovery_point
        .unwrap();
    assert_eq!((point.point, point.last_before), (target, Some(last)));
    assert_eq!(point.first_after, None);
    assert!(point.basis.contains("live server"), "{}", point.basis);
    assert_eq!(rows(&connector, target).await, ["1"]);
    connector.close().await;
}

#[tokio::test]
async fn a_server_that_was_idle_since_its_backup_is_recovered_too() {
    let origin = Origin::new(18).await;
    origin.commit(1).await;
    origin.backup("one", "stream").await;
    let target = origin.now().await;
    let connector = origin.connector_with(Some(origin.url()), origin.backup_config(), RPO);
    let outcome = recover(&connector, target).await.unwrap();
    assert_eq!(outcome.recovery_point.unwrap().point, target);
    assert_eq!(rows(&connector, target).await, ["1"]);
    connector.close().await;
}

#[tokio::test]
async fn an_archive_that_stops_too_early_is_refused_with_the_newest_moment() {
    let origin = Origin::new(15).await;
    origin.backup("one", "none").await;
    origin.commit(1).await;
    origin.archive().await;
    origin.sql("select pg_sleep(0.05)").await;
    let target = origin.commit(2).await;
    let ahead = origin.connector_with(Some(origin.url()), origin.backup_config(), None);
    let drill = origin.connector_with(None, origin.backup_config(), RPO);
    for connector in [ahead, drill] {
        let fault = recover(&connector, target).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Refused);
        assert!(
            fault.message.contains("ends before the target time"),
            "{fault}"
        );
        assert!(fault.hint.unwrap().contains("--at 20"));
    }
}

#[tokio::test]
async fn without_an_objective_a_short_archive_says_how_short_it_is() {
    let origin = Origin::new(15).await;
    origin.backup("one", "none").await;
    origin.commit(1).await;
    origin.archive().await;
    origin.sql("select pg_sleep(0.05)").await;
    let target = origin.commit(2).await;
    let connector = origin.connector_with(None, origin.backup_config(), None);
    let point = recover(&connector, target)
        .await
        .unwrap()
        .recovery_point
        .unwrap();
    assert!(point.point < target, "{point:?}");
    connector.close().await;
}
