//! Replay into PostgreSQL.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;

use reprise_connectors::events::EventsConnector;
use reprise_model::{Action, EventTarget, FaultKind, SqlTarget, Timestamp};
use reprise_ports::{Connector, Inspect, Level};
use sqlx::PgConnection;

use super::cluster::{Cluster, connect, run, text};
use super::world::{Recorded, T, Watcher, at, call, comes_back, is_done, lines, perform, timed};

struct World {
    recorded: Recorded,
    live: PgConnection,
    url: String,
    _cluster: Arc<Cluster>,
}

/// No key on the rows: an event that is applied twice is there twice.
const SCHEMA: &str = "create table activity \
    (site_id text, stream text, seq bigint, at timestamptz, body jsonb); \
    create table reprise_offsets \
    (site text, stream text, seq bigint not null, primary key (site, stream))";

impl World {
    async fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("events_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let cluster = Cluster::shared();
        let mut admin = connect(&cluster.options("postgres")).await;
        run(&mut admin, &format!("create database {name}")).await;
        let mut live = connect(&cluster.options(&name)).await;
        run(&mut live, SCHEMA).await;
        Self {
            recorded: Recorded::new(),
            live,
            url: format!("postgres://postgres@127.0.0.1:{}/{name}", cluster.port),
            _cluster: cluster,
        }
    }

    fn connector(&self) -> EventsConnector {
        self.recorded.connector(&self.url, Some(target()))
    }

    /// The numbers that live has of a stream, in order of arrival.
    async fn numbers(&mut self, site: &str, stream: &str) -> String {
        let sql = format!(
            "select string_agg(seq::text, ',' order by ctid) from activity \
             where site_id = '{site}' and stream = '{stream}'"
        );
        text(&mut self.live, &sql).await
    }
}

fn target() -> EventTarget {
    EventTarget::Sql(SqlTarget {
        apply: "insert into activity values ($1, $2, $3, $4, $5)".into(),
        offsets: "reprise_offsets".into(),
        count: Some("select stream, count(*) from activity where site_id = $1 group by 1".into()),
        clear: Some("delete from activity where site_id = $1".into()),
    })
}

fn joined(numbers: impl IntoIterator<Item = i64>) -> String {
    let numbers: Vec<String> = numbers
        .into_iter()
        .map(|number| number.to_string())
        .collect();
    numbers.join(",")
}

#[tokio::test]
async fn a_site_is_replayed_to_t_and_no_further() {
    let mut world = World::new().await;
    // Two sites interleaved, over plain and packed segments.
    let both = |from, to| -> String {
        (from..=to)
            .map(|n| lines("s1", "clicks", [n]) + &lines("s2", "clicks", [n]))
            .collect()
    };
    world.recorded.put("001.jsonl.zst", &both(1, 50));
    world.recorded.put("002.jsonl", &both(51, 99));
    let just_after = Timestamp::from_micros(at(T).as_micros() + 1);
    let end = timed("s1", "clicks", 100, at(T)) + &timed("s1", "clicks", 101, just_after);
    world
        .recorded
        .put("003.jsonl", &(end + &lines("s1", "sales", 1..=3)));
    let connector = world.connector();
    let outcome = comes_back(&connector, "s1").await;
    assert_eq!(outcome.volume.rows, 103);
    let point = outcome.recovery_point.unwrap();
    assert_eq!(
        (point.point, point.last_before, point.first_after),
        (at(T), Some(at(T)), Some(just_after))
    );
    assert_eq!(world.numbers("s1", "clicks").await, joined(1..=100));
    assert_eq!(world.numbers("s1", "sales").await, "1,2,3");
    assert_eq!(world.numbers("s2", "clicks").await, "");
    let row = "at = timestamptz '2026-03-01 12:01:40+00' and body = '{\"n\":100}'";
    let row = format!("select count(*) from activity where seq = 100 and {row}");
    assert_eq!(text(&mut world.live, &row).await, "1");
    // Once more changes nothing.
    let again = perform(&connector, Action::Restore, "s1", "{}")
        .await
        .unwrap();
    assert_eq!(again.volume.rows, 0);
    assert_eq!(world.numbers("s1", "clicks").await, joined(1..=100));
}

#[tokio::test]
async fn an_incomplete_site_is_refused_and_nothing_is_written() {
    let mut world = World::new().await;
    world
        .recorded
        .put("a.jsonl", &lines("s1", "a", (1..=4).chain(6..=120)));
    world.recorded.put("b.jsonl", &lines("s2", "a", 1..=120));
    let connector = world.connector();
    let fault = perform(&connector, Action::Restore, "s1", "{}")
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused);
    assert!(
        fault
            .message
            .contains("site s1: store activity: the events are not complete")
    );
    assert!(
        fault.message.contains("stream a: gap of 1 event, number 5"),
        "{}",
        fault.message
    );
    assert_eq!(
        text(&mut world.live, "select count(*) from activity").await,
        "0"
    );
    let fault = perform(&connector, Action::Verify, "s1", "{}")
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Validation);
    comes_back(&connector, "s2").await;
}

#[tokio::test]
async fn what_fills_a_gap_is_replayed() {
    let mut world = World::new().await;
    world
        .recorded
        .put("a.jsonl", &lines("s1", "a", (1..=4).chain(6..=120)));
    world
        .recorded
        .put_second("b.jsonl.zst", &lines("s1", "a", [5]));
    comes_back(&world.connector(), "s1").await;
    assert_eq!(world.numbers("s1", "a").await, joined(1..=100));
}

/// Polls a future so many times, and drops it if it is not done by then.
async fn cut_off<F: Future>(polls: u32, work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    let mut left = polls;
    std::future::poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test]
async fn cut_off_anywhere_each_event_is_there_once() {
    let mut world = World::new().await;
    let many = (1..=1600).map(|n| timed("s1", "a", n, at(n / 20)));
    world.recorded.put("a.jsonl", &many.collect::<String>());
    let connector = world.connector();
    perform(&connector, Action::Recover, "", "{}")
        .await
        .unwrap();
    let (mut cuts, mut polls) = (0, 1_u32);
    let call = call(Action::Restore, "s1", "{}");
    loop {
        let watcher = Watcher::default();
        let work = connector.perform(&call, &watcher);
        match cut_off(polls, work).await {
            None => cuts += 1,
            Some(Ok(_)) => break,
            Some(Err(fault)) => panic!("{fault:?}"),
        }
        // Every attempt comes further, and none is cut at the same place.
        polls += 1 + polls / 20;
        assert!(cuts < 200, "the replay does not end");
    }
    // A busy machine has more done at each poll.
    assert!(cuts > 1, "{cuts} cuts");
    assert_eq!(world.numbers("s1", "a").await, joined(1..=1600));
    assert!(is_done(&connector, "s1").await);
}

#[tokio::test]
async fn two_who_replay_the_same_site_apply_each_event_once() {
    let mut world = World::new().await;
    let many = (1..=1600).map(|n| timed("s1", "a", n, at(n / 20)));
    world.recorded.put("a.jsonl", &many.collect::<String>());
    let (one, other) = (world.connector(), world.connector());
    perform(&one, Action::Recover, "", "{}").await.unwrap();
    let ends = futures::future::join(
        perform(&one, Action::Restore, "s1", "{}"),
        perform(&other, Action::Restore, "s1", "{}"),
    )
    .await;
    for end in [ends.0, ends.1] {
        let may_pass = end.map_or_else(|fault| fault.kind == FaultKind::Temporary, |_| true);
        assert!(may_pass);
    }
    comes_back(&one, "s1").await;
    assert_eq!(world.numbers("s1", "a").await, joined(1..=1600));
}

#[tokio::test]
async fn live_that_is_later_than_t_is_in_the_way() {
    let mut world = World::new().await;
    world.recorded.put("a.jsonl", &lines("s1", "a", 1..=120));
    let later = "insert into activity select 's1', 'a', n, now(), '{}' from generate_series(1, 104) n; \
         insert into activity values ('s2', 'a', 1, now(), '{}'); \
         insert into reprise_offsets values ('s1', 'a', 104), ('s1', 'new', 2), ('s2', 'a', 1)";
    run(&mut world.live, later).await;
    let connector = world.connector();
    let fault = perform(&connector, Action::Restore, "s1", "{}")
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused);
    assert!(
        fault
            .message
            .contains("stream a is 4 events past the target time"),
        "{}",
        fault.message
    );
    assert!(
        fault.message.contains("stream new is 2 events past"),
        "{}",
        fault.message
    );
    let with = r#"{"on_conflict":"keep"}"#;
    let fault = perform(&connector, Action::Restore, "s1", with)
        .await
        .unwrap_err();
    assert!(fault.message.contains("knows refuse and replace"));
    let with = r#"{"on_conflict":"replace"}"#;
    perform(&connector, Action::Restore, "s1", with)
        .await
        .unwrap();
    assert_eq!(world.numbers("s1", "a").await, joined(1..=100));
    assert_eq!(world.numbers("s2", "a").await, "1");
    comes_back(&connector, "s1").await;
}

#[tokio::test]
async fn an_offset_whose_events_are_gone_is_found_out() {
    let mut world = World::new().await;
    world.recorded.put("a.jsonl", &lines("s1", "a", 1..=120));
    let connector = world.connector();
    comes_back(&connector, "s1").await;
    run(
        &mut world.live,
        "delete from activity where seq between 5 and 8",
    )
    .await;
    let fault = perform(&connector, Action::Verify, "s1", "{}")
        .await
        .unwrap_err();
    assert!(
        fault
            .message
            .contains("stream a has 96 events where its offset says 100")
    );
    assert!(!is_done(&connector, "s1").await);
    let fault = perform(&connector, Action::Restore, "s1", "{}")
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused);
    let with = r#"{"on_conflict":"replace"}"#;
    perform(&connector, Action::Restore, "s1", with)
        .await
        .unwrap();
    assert_eq!(world.numbers("s1", "a").await, joined(1..=100));
}

#[tokio::test]
async fn a_verification_says_how_far_the_replay_came() {
    let mut world = World::new().await;
    world.recorded.put("a.jsonl", &lines("s1", "a", 1..=120));
    let part = "insert into activity select 's1', 'a', n, now(), '{}' from generate_series(1, 30) n; \
                insert into reprise_offsets values ('s1', 'a', 30)";
    run(&mut world.live, part).await;
    let connector = world.connector();
    let fault = perform(&connector, Action::Verify, "s1", "{}")
        .await
        .unwrap_err();
    assert!(
        fault
            .message
            .contains("stream a was replayed to 30, not to 100")
    );
    let outcome = comes_back(&connector, "s1").await;
    assert_eq!(outcome.volume.rows, 70);
}

#[tokio::test]
async fn a_server_that_is_down_may_come_back_and_a_stranger_does_not() {
    let world = World::new().await;
    world.recorded.put("a.jsonl", &lines("s1", "a", 1..=120));
    let restore = async |url: &str| {
        let connector = world.recorded.connector(url, Some(target()));
        perform(&connector, Action::Restore, "s1", "{}")
            .await
            .unwrap_err()
    };
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let fault = restore(&format!("postgres://u:hush@127.0.0.1:{port}/x")).await;
    assert_eq!(fault.kind, FaultKind::Temporary);
    assert!(!fault.message.contains("hush"), "{}", fault.message);
    let stranger = world.url.replace("postgres@", "stranger:hush@");
    let fault = restore(&stranger).await;
    assert_eq!(fault.kind, FaultKind::Permanent);
    assert!(!fault.message.contains("hush"), "{}", fault.message);
}

#[tokio::test]
async fn a_statement_that_the_target_refuses_leaves_nothing() {
    let mut world = World::new().await;
    world.recorded.put("a.jsonl", &lines("s1", "a", 1..=120));
    run(&mut world.live, "alter table activity add check (seq < 60)").await;
    let connector = world.connector();
    let fault = perform(&connector, Action::Restore, "s1", "{}")
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused);
    assert_eq!(
        text(&mut world.live, "select count(*) from activity").await,
        "0"
    );
    assert_eq!(
        text(&mut world.live, "select count(*) from reprise_offsets").await,
        "0"
    );
}

#[tokio::test]
async fn a_check_looks_at_the_segments_and_the_offsets() {
    let mut world = World::new().await;
    world.recorded.put("a.jsonl", &lines("s1", "a", 1..=120));
    let inspect = Inspect {
        shard: "main".into(),
        target_time: Some(at(T)),
        sites: Vec::new(),
    };
    let found = world.connector().inspect(&inspect).await.findings;
    assert!(
        found.iter().all(|finding| finding.level == Level::Ok),
        "{found:?}"
    );
    assert_eq!(
        text(&mut world.live, "select count(*) from reprise_offsets").await,
        "0"
    );
    run(
        &mut world.live,
        "alter table reprise_offsets drop constraint reprise_offsets_pkey",
    )
    .await;
    let found = world.connector().inspect(&inspect).await.findings;
    assert_eq!(found[1].level, Level::Error);
    run(&mut world.live, "drop table reprise_offsets").await;
    let found = world.connector().inspect(&inspect).await.findings;
    assert!(
        found[1]
            .hint
            .as_deref()
            .unwrap()
            .starts_with("create table reprise_offsets")
    );
}
