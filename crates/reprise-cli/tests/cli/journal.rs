//! What operators are told of a journal: quickly how a run stands, and with
//! its place what does not verify.

use sqlx::{AssertSqlSafe, Connection, Executor, SqliteConnection};

use crate::sandbox::Sandbox;

/// A run that stopped at its gates.
fn at_gates() -> Sandbox {
    let sandbox = Sandbox::new();
    let started = sandbox.with_options("run", "all", &["--confirm", "3"]);
    assert_eq!(started.code, Some(5), "{started}");
    sandbox
}

/// Changes the journal behind reprise's back.
fn change(sandbox: &Sandbox, sql: &str) {
    let url = format!("sqlite://{}/.reprise/state.db", sandbox.path().display());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut connection = SqliteConnection::connect(&url).await.expect("a journal");
        let changed = connection.execute(AssertSqlSafe(sql)).await;
        assert!(changed.expect("valid SQL").rows_affected() > 0, "{sql}");
        connection.close().await.expect("closed");
    });
}

#[test]
fn the_summary_says_what_a_fold_of_the_journal_says() {
    let sandbox = at_gates();
    let noted = (
        sandbox.run(&["status", "--json"]).json(),
        sandbox.run(&["status"]).stdout,
    );
    // Damage that a fold would meet shows that none was made.
    change(&sandbox, "update plans set body = 'x' || body");
    assert_eq!(sandbox.run(&["status"]).stdout, noted.1);
    assert_eq!(sandbox.run(&["report"]).code, Some(9));
    change(&sandbox, "update plans set body = substr(body, 2)");
    change(&sandbox, "delete from summaries");
    let folded = (
        sandbox.run(&["status", "--json"]).json(),
        sandbox.run(&["status"]).stdout,
    );
    assert_eq!(noted, folded);
    assert_eq!(folded.0["as_of"], serde_json::Value::Null);
}

#[test]
fn a_summary_that_lags_behind_a_dead_owner_is_not_believed() {
    let sandbox = at_gates();
    let folded = sandbox.run(&["status"]).stdout;
    change(
        &sandbox,
        "update summaries set next_seq = next_seq - 1, body = replace(body, 'at_gates', 'running')",
    );
    assert_eq!(sandbox.run(&["status"]).stdout, folded);
}

#[test]
fn a_torn_tail_is_told_and_cut_by_a_resume() {
    let sandbox = at_gates();
    change(
        &sandbox,
        "insert into pages (run, first_seq, last_seq, epoch, hash, body)
         select run, next_seq, next_seq + 3, runs.epoch, head, '{\"seq\":' from pages
         join runs on runs.id = pages.run limit 1",
    );
    change(&sandbox, "delete from summaries");
    for command in ["status", "report"] {
        let told = sandbox.run(&[command]);
        assert_eq!(told.code, Some(0), "{told}");
        assert!(
            told.stderr.contains("the end of the journal is torn: 1"),
            "{told}"
        );
    }
    let run = sandbox.run(&["runs", "--json"]).json()["runs"][0]["run"].clone();
    let run = run.as_str().expect("a run");
    sandbox.run(&["approve", run, "handover"]);
    let resumed = sandbox.run(&["resume"]);
    assert_eq!(resumed.code, Some(0), "{resumed}");
    assert!(
        resumed.stderr.contains("the end of the journal is torn: 1"),
        "{resumed}"
    );
    let report = sandbox.run(&["report"]);
    assert_eq!(
        (report.code, report.stderr.as_str()),
        (Some(0), ""),
        "{report}"
    );
}

#[test]
fn what_does_not_verify_ends_with_9_and_names_run_and_entry() {
    let damages = [
        // A page that was acknowledged, altered, cut short, or missing at the end.
        (
            "update pages set body = replace(body, '\"number\":1', '\"number\":2') where first_seq = (select first_seq from pages where body like '%\"number\":1%' limit 1)",
            None,
        ),
        (
            "update pages set body = substr(body, 1, 30) where first_seq = 0",
            Some(0),
        ),
        ("delete from pages where first_seq = 0", Some(0)),
        ("update runs set next_seq = next_seq + 1", None),
        ("update runs set head = zeroblob(32)", None),
    ];
    for (damage, entry) in damages {
        let sandbox = at_gates();
        let run = sandbox.run(&["runs", "--json"]).json()["runs"][0]["run"].clone();
        change(&sandbox, damage);
        change(&sandbox, "delete from summaries");
        // `resume` claims the run before it reads: twice, so that the first
        // has not made it look whole.
        for command in ["status", "report", "resume", "resume", "report"] {
            let refused = sandbox.run(&[command]);
            assert_eq!(refused.code, Some(9), "{damage}: {command}: {refused}");
            let place = match entry {
                Some(entry) => format!("does not verify at entry {entry}:"),
                None => "does not verify at entry ".to_owned(),
            };
            assert!(refused.stderr.contains(&place), "{damage}: {refused}");
            let run = run.as_str().expect("a run");
            assert!(refused.stderr.contains(run), "{damage}: {refused}");
        }
    }
}
