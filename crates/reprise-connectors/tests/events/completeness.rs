//! Gaps, silences, conflicts and broken pieces, in the archive alone.

use std::fs;
use std::time::Duration;

use reprise_connectors::events::{Audited, Range, WindowKind, audit};
use reprise_model::{Action, Elapsed};

use reprise_ports::Connector;

use super::world::{Recorded, T, Watcher, at, call, line, lines, missing, perform};

fn audited(recorded: &Recorded, range: &Range) -> Audited {
    audit(
        &"activity".into(),
        &"main".into(),
        &recorded.archive(),
        &recorded.events(None),
        Some(at(T)),
        range,
        &recorded.path("scratch"),
    )
    .unwrap()
}

fn kinds(audited: &Audited) -> Vec<(WindowKind, bool, u64)> {
    let windows = audited.windows.iter();
    windows
        .map(|window| (window.kind, window.healed, window.count))
        .collect()
}

#[tokio::test]
async fn a_gap_is_told_as_a_window_of_its_site_alone() {
    let recorded = Recorded::new();
    recorded.put("a.jsonl", &lines("s1", "clicks", (1..=40).chain(44..=120)));
    recorded.put("b.jsonl", &lines("s2", "clicks", 1..=120));
    let connector = recorded.reader();
    let why = missing(&connector, "s1").await;
    let expect = "site s1: store activity: stream clicks: gap of 3 events, \
                  numbers 41 to 43, between 2026-03-01T12:00:40Z and 2026-03-01T12:00:44Z";
    assert_eq!(why, expect);
    assert_eq!(missing(&connector, "s2").await, "");
    let all = audited(&recorded, &Range::default());
    assert_eq!(kinds(&all), [(WindowKind::Gap, false, 3)]);
    assert_eq!((all.sites, all.streams, all.events), (2, 2, 197));
    let later = Range {
        from: Some(at(60)),
        ..Range::default()
    };
    assert!(audited(&recorded, &later).is_complete());
    let other = Range {
        sites: Some(vec!["s2".into()]),
        ..Range::default()
    };
    assert!(audited(&recorded, &other).is_complete());
    assert!(!recorded.path("scratch").read_dir().unwrap().any(|entry| {
        let name = entry.unwrap().file_name();
        name.to_string_lossy().contains("audit")
    }));
}

#[tokio::test]
async fn what_is_missing_at_either_end_is_a_gap() {
    let recorded = Recorded::new();
    recorded.put("a.jsonl", &lines("s1", "a", 3..=120));
    // 100 is at T, and nobody knows when 101 was.
    recorded.put("b.jsonl", &lines("s1", "b", (1..=100).chain(102..=120)));
    // After T nothing matters.
    recorded.put("c.jsonl", &lines("s1", "c", (1..=101).chain(110..=120)));
    let all = audited(&recorded, &Range::default());
    let told: Vec<_> = all
        .windows
        .iter()
        .map(|window| {
            (
                window.stream.as_deref().unwrap(),
                window.from_seq,
                window.to_seq,
            )
        })
        .collect();
    assert_eq!(told, [("a", Some(1), Some(2)), ("b", Some(101), Some(101))]);
}

#[tokio::test]
async fn a_gap_is_filled_from_the_second_copy_and_said_so() {
    let mut recorded = Recorded::new();
    recorded.put("a.jsonl", &lines("s1", "clicks", (1..=40).chain(44..=120)));
    recorded.put_second("other.jsonl.zst", &lines("s1", "clicks", 30..=60));
    let all = audited(&recorded, &Range::default());
    assert_eq!(kinds(&all), [(WindowKind::Gap, true, 3)]);
    assert_eq!(missing(&recorded.reader(), "s1").await, "");
    let half = Recorded {
        has_second: true,
        ..Recorded::new()
    };
    half.put("a.jsonl", &lines("s1", "clicks", (1..=40).chain(44..=120)));
    fs::create_dir(half.path("second")).unwrap();
    fs::write(half.path("second/a.jsonl"), lines("s1", "clicks", 42..=60)).unwrap();
    assert_eq!(
        kinds(&audited(&half, &Range::default())),
        [(WindowKind::Gap, false, 1), (WindowKind::Gap, true, 2)]
    );
}

#[tokio::test]
async fn a_gap_that_was_filled_since_is_seen_by_the_next_recovery() {
    let recorded = Recorded::new();
    recorded.put("a.jsonl", &lines("s1", "clicks", (1..=40).chain(44..=120)));
    let connector = recorded.reader();
    let outcome = perform(&connector, Action::Recover, "", "{}")
        .await
        .unwrap();
    assert_eq!(outcome.output["incomplete_sites"], 1);
    recorded.put("b.jsonl", &lines("s1", "clicks", 41..=43));
    let outcome = perform(&connector, Action::Recover, "", "{}")
        .await
        .unwrap();
    assert_eq!(outcome.output["incomplete_sites"], 0);
    let point = outcome.recovery_point.unwrap();
    assert_eq!((point.point, point.last_before), (at(T), Some(at(T))));
    assert_eq!(point.first_after, Some(at(101)));
    assert_eq!(missing(&connector, "s1").await, "");
}

/// The site's own task sees it, too: the shard is recovered only once.
#[tokio::test]
async fn a_gap_that_was_filled_since_is_seen_by_the_next_attempt() {
    let recorded = Recorded::new();
    recorded.put("a.jsonl", &lines("s1", "clicks", (1..=40).chain(44..=120)));
    let connector = recorded.reader();
    assert!(missing(&connector, "s1").await.contains("gap of 3 events"));
    recorded.put("b.jsonl", &lines("s1", "clicks", 41..=43));
    let mut call = call(Action::Verify, "s1", r#"{"only":"completeness"}"#);
    call.attempt.number = 2;
    connector.perform(&call, &Watcher::default()).await.unwrap();
}

#[tokio::test]
async fn what_has_no_event_at_all_is_missing_where_it_is_expected() {
    let mut recorded = Recorded::new();
    recorded.put("a.jsonl", &lines("s1", "clicks", 1..=120));
    let expect = "site s9: store activity: absent (the record has no event of this site)";
    assert_eq!(missing(&recorded.reader(), "s9").await, expect);
    // Beside one that has some, it just had none.
    let mut beside = call(Action::Verify, "s9", r#"{"only":"completeness"}"#);
    beside.companions = ["s9".into(), "s1".into()].into();
    let verified = recorded
        .reader()
        .perform(&beside, &Watcher::default())
        .await;
    assert_eq!(verified.unwrap().checks[0].evidence["healed"], 1);
    let named = Range {
        sites: Some(vec!["s1".into(), "s9".into()]),
        ..Range::default()
    };
    let all = audited(&recorded, &named);
    assert_eq!((all.sites, all.absent), (1, vec!["s9".into()]));

    recorded.streams = Some(vec!["clicks".to_owned(), "logins".to_owned()]);
    let expect = "site s1: store activity: stream logins: absent (the record has no event of it)";
    assert_eq!(missing(&recorded.reader(), "s1").await, expect);
    let all = audited(&recorded, &Range::default());
    assert_eq!(kinds(&all), [(WindowKind::Absent, false, 0)]);
    assert!(!all.is_complete());

    recorded.streams = Some(Vec::new());
    assert_eq!(missing(&recorded.reader(), "s9").await, "");
    // A record of nothing is complete for nobody.
    let empty = Recorded::new();
    empty.put("a.jsonl", "");
    assert!(!audited(&empty, &Range::default()).is_complete());
}

#[tokio::test]
async fn an_archive_that_ends_before_t_proves_only_its_end() {
    let recorded = Recorded::new();
    recorded.put("a.jsonl", &lines("s1", "clicks", 1..=90));
    let outcome = perform(&recorded.reader(), Action::Recover, "", "{}").await;
    let point = outcome.unwrap().recovery_point.unwrap();
    assert_eq!((point.point, point.first_after), (at(90), None));
}

#[tokio::test]
async fn silences_are_windows_where_the_estate_says_how_long() {
    let mut recorded = Recorded::new();
    let text = line("s1", "a", 1, 10) + &line("s1", "a", 2, 20) + &line("s1", "a", 3, 60);
    recorded.put("a.jsonl", &text);
    assert!(audited(&recorded, &Range::default()).is_complete());
    recorded.max_silence = Some(Elapsed(Duration::from_secs(30)));
    let all = audited(&recorded, &Range::default());
    let told: Vec<_> = all
        .windows
        .iter()
        .map(|window| (window.kind, window.from_time, window.to_time))
        .collect();
    let silence = |from, to| (WindowKind::Silence, Some(at(from)), Some(at(to)));
    assert_eq!(told, [silence(20, 60), silence(60, T)]);
    // Without a moment, a stream that stopped is silent to the archive's end.
    recorded.put("b.jsonl", &lines("s2", "a", 1..=200));
    let to_the_end = audit(
        &"activity".into(),
        &"main".into(),
        &recorded.archive(),
        &recorded.events(None),
        None,
        &Range::default(),
        &recorded.path("scratch"),
    );
    let windows = to_the_end.unwrap().windows;
    let last = windows
        .iter()
        .max_by_key(|window| window.from_time)
        .unwrap();
    assert_eq!(
        (last.from_time, last.to_time),
        (Some(at(60)), Some(at(200)))
    );
    assert!(missing(&recorded.reader(), "s1").await.contains("silence"));
}

#[tokio::test]
async fn a_corrupt_segment_fails_unless_the_second_copy_is_whole() {
    let mut recorded = Recorded::new();
    let (early, late) = (lines("s1", "a", 1..=50), lines("s1", "a", 51..=99));
    recorded.put("a.jsonl", &early);
    recorded.put("b.jsonl.zst", &late);
    let path = recorded.path("first/b.jsonl.zst");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&path, bytes).unwrap();
    let all = audited(&recorded, &Range::default());
    assert!(!all.is_complete());
    assert_eq!(
        all.windows.last().map(|window| window.kind),
        Some(WindowKind::Damage)
    );
    assert!(
        missing(&recorded.reader(), "s1")
            .await
            .contains("b.jsonl.zst")
    );
    // Nobody knows whose events were in it.
    assert!(missing(&recorded.reader(), "s2").await.contains("damage"));
    recorded.put_second("b.jsonl", &late);
    assert!(audited(&recorded, &Range::default()).is_complete());
}

#[tokio::test]
async fn a_truncated_segment_and_a_torn_line_are_broken_pieces() {
    let recorded = Recorded::new();
    recorded.put("a.jsonl.zst", &lines("s1", "a", 1..=99));
    let path = recorded.path("first/a.jsonl.zst");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
    assert!(!audited(&recorded, &Range::default()).is_complete());

    let recorded = Recorded::new();
    let text = lines("s1", "a", 1..=99);
    recorded.put("a.jsonl", &text[..text.len() - 10]);
    let all = audited(&recorded, &Range::default());
    assert_eq!(kinds(&all), [(WindowKind::Damage, false, 0)]);
    // A stream that goes on without a gap after T has lost nothing.
    let recorded = Recorded::new();
    let text = lines("s1", "a", 1..=120) + &line("s1", "a", 121, 121)[..20];
    recorded.put("a.jsonl", &text);
    assert!(audited(&recorded, &Range::default()).is_complete());
}

#[tokio::test]
async fn a_copy_that_is_shorter_does_not_heal_a_broken_segment() {
    let mut recorded = Recorded::new();
    let text = lines("s1", "a", 1..=99);
    recorded.put("a.jsonl", &text[..text.len() - 10]);
    recorded.put_second("a.jsonl", &lines("s1", "a", 1..=90));
    assert!(!audited(&recorded, &Range::default()).is_complete());
    recorded.put_second("a.jsonl.zst", &text);
    assert!(audited(&recorded, &Range::default()).is_complete());
    fs::write(recorded.path("first/b.jsonl.zst"), "").unwrap();
    assert!(!audited(&recorded, &Range::default()).is_complete());
}

#[tokio::test]
async fn a_torn_line_long_after_t_does_not_fail_a_quiet_stream() {
    let recorded = Recorded::new();
    let text = lines("s1", "a", 1..=50) + &lines("s2", "a", 1..=999) + "{\"site\":";
    recorded.put("a.jsonl", &text);
    assert!(audited(&recorded, &Range::default()).is_complete());
}

#[tokio::test]
async fn the_same_event_twice_is_harmless_and_two_of_one_number_are_not() {
    let recorded = Recorded::new();
    recorded.put("a.jsonl", &lines("s1", "a", 1..=120));
    recorded.put("b.jsonl", &lines("s1", "a", 5..=9));
    let all = audited(&recorded, &Range::default());
    assert!(all.is_complete());
    assert!(kinds(&all).contains(&(WindowKind::Duplicate, true, 5)));
    recorded.put("c.jsonl", &line("s1", "a", 7, 8));
    let all = audited(&recorded, &Range::default());
    assert!(kinds(&all).contains(&(WindowKind::Conflict, false, 1)));
}

#[tokio::test]
async fn copies_that_differ_are_a_conflict() {
    let mut recorded = Recorded::new();
    recorded.put("a.jsonl", &lines("s1", "a", 1..=120));
    recorded.put_second("a.jsonl", &line("s1", "a", 7, 8));
    let all = audited(&recorded, &Range::default());
    assert_eq!(kinds(&all), [(WindowKind::Conflict, false, 1)]);
}

#[tokio::test]
async fn disorder_is_sorted_and_told() {
    let recorded = Recorded::new();
    let text = lines("s1", "a", [1, 2, 5, 3, 4, 6]) + &lines("s1", "a", 7..=120);
    recorded.put("a.jsonl", &text);
    let all = audited(&recorded, &Range::default());
    assert_eq!(kinds(&all), [(WindowKind::Disorder, true, 2)]);
}

#[tokio::test]
async fn numbers_and_times_that_disagree_across_t_are_no_guess() {
    let recorded = Recorded::new();
    let text = lines("s1", "a", 1..=8) + &line("s1", "a", 9, 101) + &line("s1", "a", 10, 99);
    recorded.put("a.jsonl", &text);
    let why = missing(&recorded.reader(), "s1").await;
    assert!(
        why.contains("crossing of 1 event, numbers 9 to 10"),
        "{why}"
    );
}

#[tokio::test]
async fn an_empty_archive_is_refused_by_name() {
    let recorded = Recorded::new();
    let fault = perform(&recorded.reader(), Action::Recover, "", "{}")
        .await
        .unwrap_err();
    assert!(
        fault.message.contains("holds no segments"),
        "{}",
        fault.message
    );
}
