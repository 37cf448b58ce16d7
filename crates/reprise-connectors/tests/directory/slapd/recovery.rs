//! T is cut exactly, and what cannot be had is refused.

use std::fs;

use reprise_model::{Action, FaultKind, Timestamp};

use super::server::Server;
use super::world::{connector, is_done, perform, seed};

fn describe(text: &str) -> String {
    format!(
        "dn: uid=s1u1,ou=s1,ou=sites,dc=acme\nchangetype: modify\nreplace: description\ndescription: {text}\n\n"
    )
}

fn described(server: &Server, target: &str) -> String {
    let compact = target.parse::<Timestamp>().unwrap().compact();
    let state = server
        .path("scratch")
        .join(format!("people-main-{compact}/state.ldif"));
    let text = fs::read_to_string(state).unwrap();
    let entry = text
        .split("\n\n")
        .find(|e| e.starts_with("dn: uid=s1u1,"))
        .unwrap();
    let line = entry.lines().find_map(|l| l.strip_prefix("description: "));
    line.unwrap().to_owned()
}

#[tokio::test]
async fn changes_of_one_second_are_told_apart_to_the_microsecond() {
    let server = Server::start();
    seed(&server);
    server.snapshot("a.ldif");
    let texts = ["v0", "v1", "v2", "v3", "v4"];
    server.change(&texts.map(describe).concat());
    server.write_log();
    let moments = server.moments();
    let own = &moments[moments.len() - 5..];
    let connector = connector(&server, &server.admin());
    for index in 1..4 {
        let at: Timestamp = own[index].parse().unwrap();
        for (target, text) in [(at.as_micros(), index), (at.as_micros() - 1, index - 1)] {
            let target = Timestamp::from_micros(target).to_string();
            let outcome = perform(&connector, Action::Recover, &target, "{}")
                .await
                .unwrap();
            assert_eq!(described(&server, &target), texts[text], "at {target}");
            let point = outcome.recovery_point.unwrap();
            assert_eq!(point.last_before, Some(own[text].parse().unwrap()));
            assert_eq!(point.first_after, Some(own[text + 1].parse().unwrap()));
            assert_eq!(point.point.to_string(), target);
            assert!(is_done(&connector, Action::Recover, &target).await);
        }
    }
    let target = own[2].as_str();
    perform(&connector, Action::Release, target, "{}")
        .await
        .unwrap();
    assert!(!is_done(&connector, Action::Recover, target).await);
    assert!(is_done(&connector, Action::Release, target).await);
}

/// A deletion leaves no number in a snapshot: by its own numbers this one was
/// made before T.
#[tokio::test]
async fn a_snapshot_that_was_made_after_t_is_not_taken_for_one_of_before() {
    let server = Server::start();
    seed(&server);
    server.snapshot("b-old.ldif");
    server.change(&describe("then"));
    let target = server.now();
    server.delete_tree("ou=s1,ou=sites,dc=acme");
    server.snapshot("a-late.ldif");
    // Of the log, what was purged does not help.
    let log = server.slapcat("cn=log");
    let kept = log
        .split("\n\n")
        .filter(|entry| !entry.contains("reqType: add"));
    let kept = kept.collect::<Vec<_>>().join("\n\n");
    fs::write(server.path("changes.ldif"), kept).unwrap();
    let connector = connector(&server, &server.admin());
    perform(&connector, Action::Recover, &target, "{}")
        .await
        .unwrap();
    assert_eq!(described(&server, &target), "then");
    fs::remove_file(server.path("snapshots").join("b-old.ldif")).unwrap();
    perform(&connector, Action::Release, &target, "{}")
        .await
        .unwrap();
    let fault = perform(&connector, Action::Recover, &target, "{}")
        .await
        .unwrap_err();
    assert!(
        fault.message.contains("after the target time"),
        "{}",
        fault.message
    );
}

#[tokio::test]
async fn gaps_and_logs_that_end_too_early_are_refused() {
    let server = Server::start();
    seed(&server);
    server.snapshot("a.ldif");
    server.change(&["v0", "v1", "v2", "v3"].map(describe).concat());
    server.write_log();
    let moments = server.moments();
    let target = moments[moments.len() - 2].clone();
    let connector = connector(&server, &server.admin());
    let refused = async |target: &str, needle: &str| {
        let fault = perform(&connector, Action::Recover, target, "{}")
            .await
            .unwrap_err();
        assert_eq!(fault.kind, FaultKind::Refused);
        assert!(fault.message.contains(needle), "{}", fault.message);
    };
    // The log ends with the last change, and T is later.
    let end: Timestamp = server.now().parse().unwrap();
    let later = Timestamp::from_micros(end.as_micros() + 1_000_000).to_string();
    refused(&later, "ends at").await;
    // T is before every snapshot.
    refused("2020-01-01T00:00:00Z", "no snapshot at or before").await;
    // One change has gone from the middle.
    let whole = fs::read_to_string(server.path("changes.ldif")).unwrap();
    let torn = whole
        .split("\n\n")
        .filter(|entry| !entry.contains("description:= v1"));
    fs::write(
        server.path("changes.ldif"),
        torn.collect::<Vec<_>>().join("\n\n"),
    )
    .unwrap();
    refused(&target, "gap").await;
    // The log was purged beyond the snapshot.
    let purged = |line: &str| match line.starts_with("minCSN: ") {
        true => format!("minCSN: {}", line_csn(&whole)),
        false => line.to_owned(),
    };
    let lines: Vec<String> = whole.lines().map(purged).collect();
    fs::write(server.path("changes.ldif"), lines.join("\n")).unwrap();
    refused(&target, "is lost").await;
    // A log that ends within an entry.
    let end = whole.rfind("entryCSN: ").unwrap() + 12;
    fs::write(server.path("changes.ldif"), &whole[..end]).unwrap();
    refused(&target, "entryCSN").await;
    // A snapshot that does.
    fs::write(server.path("changes.ldif"), &whole).unwrap();
    let place = server.path("snapshots").join("a.ldif");
    let text = fs::read_to_string(&place).unwrap();
    for end in [text.rfind("entryCSN: ").unwrap(), text.len() - 1] {
        fs::write(&place, &text[..end]).unwrap();
        refused(&target, "a.ldif: it ends within an entry, after line").await;
    }
}

fn line_csn(log: &str) -> String {
    let lines = log
        .lines()
        .filter_map(|line| line.strip_prefix("entryCSN: "));
    lines.max().unwrap().to_owned()
}
