//! Replay over HTTP.

use std::time::Duration;

use reprise_connectors::events::EventsConnector;
use reprise_model::{Action, Elapsed, EventTarget, FaultKind, HttpTarget};

use super::server::{Mischief, Server};
use super::world::{Recorded, comes_back, is_done, lines, perform};

fn connector(recorded: &Recorded, server: &Server, timeout: Duration) -> EventsConnector {
    let target = EventTarget::Http(HttpTarget {
        apply: "{{ site.id }}/{{ stream }}".into(),
        offset: "{{ site.id }}/{{ stream }}".into(),
        clear: Some("{{ site.id }}".into()),
        batch: 10,
        timeout: Elapsed(timeout),
    });
    recorded.connector(&server.url, Some(target))
}

fn recorded() -> Recorded {
    let recorded = Recorded::new();
    recorded.put("a.jsonl.zst", &lines("s1", "a/b c", 1..=120));
    recorded.put("b.jsonl", &lines("s2", "a/b c", 1..=120));
    recorded
}

const STREAM: &str = "s1/a%2Fb%20c";

#[tokio::test]
async fn a_site_is_replayed_to_t_in_batches() {
    let (recorded, server) = (recorded(), Server::start().await);
    let connector = connector(&recorded, &server, Duration::from_secs(30));
    let outcome = comes_back(&connector, "s1").await;
    assert_eq!(outcome.volume.rows, 100);
    assert_eq!(server.numbers(STREAM), (1..=100).collect::<Vec<i64>>());
    assert_eq!(server.state.lock().unwrap().posts, 10);
    assert_eq!(server.state.lock().unwrap().streams.len(), 1);
}

#[tokio::test]
async fn drops_and_lost_answers_leave_each_event_once() {
    let (recorded, server) = (recorded(), Server::start().await);
    let connector = connector(&recorded, &server, Duration::from_secs(30));
    let (drop, lose, busy) = (
        Some(Mischief::Drop),
        Some(Mischief::Lose),
        Some(Mischief::Busy),
    );
    server.tell(&[drop, None, lose, lose, busy, None, None, lose, drop]);
    let mut faults = 0;
    while let Err(fault) = perform(&connector, Action::Restore, "s1", "{}").await {
        assert_eq!(fault.kind, FaultKind::Temporary, "{fault:?}");
        assert!(
            fault.message.starts_with("site s1: store activity: "),
            "{}",
            fault.message
        );
        let asked_to_wait = fault.retry_after == Some(Elapsed(Duration::from_secs(3)));
        assert_eq!(asked_to_wait, fault.message.contains("503"));
        faults += 1;
    }
    assert!(faults >= 5, "{faults}");
    assert_eq!(server.numbers(STREAM), (1..=100).collect::<Vec<i64>>());
    assert!(is_done(&connector, "s1").await);
    // One key for one batch, whichever the attempt.
    let state = server.state.lock().unwrap();
    assert_eq!(state.keys[0], state.keys[1]);
}

#[tokio::test]
async fn a_target_that_refuses_is_not_asked_again_and_a_slow_one_is() {
    let (recorded, server) = (recorded(), Server::start().await);
    let connector = connector(&recorded, &server, Duration::from_millis(200));
    server.tell(&[Some(Mischief::Refuse)]);
    let fault = perform(&connector, Action::Restore, "s1", "{}")
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Permanent);
    server.tell(&[Some(Mischief::Hang)]);
    let fault = perform(&connector, Action::Restore, "s1", "{}")
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Temporary);
    comes_back(&connector, "s1").await;
}

#[tokio::test]
async fn live_that_is_later_than_t_is_cleared_only_when_told() {
    let (recorded, server) = (recorded(), Server::start().await);
    let connector = connector(&recorded, &server, Duration::from_secs(30));
    let state = &server.state;
    state
        .lock()
        .unwrap()
        .streams
        .insert(STREAM.to_owned(), (1..=110).collect());
    let neighbour = "s2/a%2Fb%20c";
    state
        .lock()
        .unwrap()
        .streams
        .insert(neighbour.to_owned(), vec![1]);
    let fault = perform(&connector, Action::Restore, "s1", "{}")
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused);
    assert!(
        fault.message.contains("10 events past the target time"),
        "{}",
        fault.message
    );
    let with = r#"{"on_conflict":"replace"}"#;
    perform(&connector, Action::Restore, "s1", with)
        .await
        .unwrap();
    assert_eq!(server.numbers(STREAM), (1..=100).collect::<Vec<i64>>());
    assert_eq!(server.numbers(neighbour), [1]);
    // A target that remembers keys must not answer for what it has forgotten.
    let state = server.state.lock().unwrap();
    assert!(
        state.keys.iter().all(|key| key.contains("cleared-1")),
        "{:?}",
        state.keys
    );
}
