//! `reprise audit events`.

use crate::sandbox::{Ended, Sandbox, snapshot};

const ESTATE: &str = "version: 1
name: acme
sites: { from: sites.csv }
stores:
  activity:
    kind: events
    layer: events
    tenant: {}
    shards:
      main:
        live: ${NOT_SET}
        backup: { kind: segments, path: segments }
  records:
    kind: postgres
    layer: product
    shards:
      main:
        live: ${NOT_SET}
        backup: { kind: basebackup, base: base, wal: wal }
";

fn lines(site: &str, numbers: &[i64]) -> String {
    let line = |n: &i64| {
        format!(
            "{{\"site\":\"{site}\",\"stream\":\"clicks\",\"seq\":{n},\
             \"time\":\"2026-03-01T12:00:{n:02}Z\",\"payload\":null}}\n"
        )
    };
    numbers.iter().map(line).collect()
}

fn audit(sandbox: &Sandbox, more: &[&str]) -> Ended {
    let mut arguments = vec![
        "audit",
        "events",
        "-e",
        "events.yaml",
        "--store",
        "activity",
    ];
    arguments.extend(more);
    sandbox.run(&arguments)
}

#[test]
fn an_audit_says_what_is_missing_and_ends_with_6() {
    let sandbox = Sandbox::new();
    sandbox.write("events.yaml", ESTATE);
    std::fs::create_dir(sandbox.path().join("segments")).expect("a folder");
    sandbox.write("segments/1.jsonl", &lines("17", &[1, 2, 5, 6]));
    sandbox.write("segments/2.jsonl", &lines("23", &[1, 2, 3]));
    let check = |name: &str, more: &[&str], code: i32| {
        let ended = audit(&sandbox, more);
        assert_eq!(ended.code, Some(code), "{ended}");
        snapshot(name, &sandbox, &ended);
    };
    check("audit-gap", &[], 6);
    check("audit-gap-json", &["--json"], 6);
    check("audit-of-one-site", &["--sites", "23"], 0);
    check("audit-before-the-gap", &["--at", "2026-03-01T12:00:02Z"], 6);
    check(
        "audit-behind-the-gap",
        &["--from", "2026-03-01T12:00:06Z"],
        0,
    );
    check("audit-by-attribute", &["--sites", "region=eu"], 2);
    let ended = sandbox.run(&["audit", "events", "-e", "events.yaml", "--store", "activty"]);
    assert_eq!(ended.code, Some(2), "{ended}");
    snapshot("audit-of-no-store", &sandbox, &ended);
    let ended = sandbox.run(&["audit", "events", "-e", "events.yaml", "--store", "records"]);
    assert_eq!(ended.code, Some(2), "{ended}");
    std::fs::remove_dir_all(sandbox.path().join("segments")).expect("a folder");
    assert_eq!(audit(&sandbox, &[]).code, Some(8));
}
