//! Real programs: shell scripts, each a case of the protocol.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reprise_model::{AttemptId, FaultKind, RunId, TaskIx, TaskKey, Timestamp, Verdict};
use reprise_ports::{CallSite, Progress};
use secrecy::SecretString;
use serde_json::Map;
use tokio_util::sync::CancellationToken;

use super::*;

#[derive(Default)]
struct Listener {
    fractions: Mutex<Vec<f64>>,
    cancelled: CancellationToken,
    /// Cancels as soon as the program reports progress.
    impatient: bool,
}

#[async_trait]
impl Context for Listener {
    fn progress(&self, progress: Progress) {
        self.fractions.lock().unwrap().extend(progress.fraction);
        if self.impatient {
            self.cancelled.cancel();
        }
    }

    async fn mark(&self, _mark: Value) -> Result<(), Fault> {
        Ok(())
    }

    fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }
}

fn call(script: &str) -> Call {
    let with = json!({
        "command": ["/bin/sh", "-c", script],
        "env": { "TOKEN": "${TOKEN}" },
    });
    Call {
        run: RunId::from("r1"),
        attempt: AttemptId {
            task: TaskIx(3),
            number: 2,
        },
        task: TaskKey::from("extra/4711"),
        idempotency_key: "r1-extra/4711".to_owned(),
        action: Action::Exec,
        target_time: Timestamp::from_micros(0),
        site: Some(CallSite {
            id: "4711".into(),
            attributes: BTreeMap::new(),
        }),
        store: None,
        shard: None,
        companions: Default::default(),
        with: with.as_object().cloned().unwrap_or_else(Map::new),
        outputs: BTreeMap::new(),
    }
}

async fn run(script: &str, listener: &Listener) -> Result<Outcome, Fault> {
    let resolver: Resolver = Arc::new(|name| match name {
        "TOKEN" => Ok(SecretString::from("hush-hush")),
        other => Err(format!("`{other}` is not set")),
    });
    let environment = [("PATH", "/usr/bin:/bin"), ("HOME", "/"), ("OTHER", "leak")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let connector = ExecConnector::new("/".into(), environment, resolver);
    connector.perform(&call(script), listener).await
}

#[tokio::test]
async fn a_program_reports_progress_output_and_verdicts() {
    let listener = Listener::default();
    let script = r#"
        read task
        case "$task" in *'"idempotency_key":"r1-extra/4711"'*) ;; *) exit 1;; esac
        echo '{"progress":0.5}'
        echo '{"output":{"a":1}}'; echo '{"output":{"b":"x","a":2}}'
        echo '{"verdict":"pass","name":"seen","evidence":{"n":3}}'
    "#;
    let outcome = run(script, &listener).await.unwrap();
    assert_eq!(*listener.fractions.lock().unwrap(), [0.5]);
    assert_eq!(Value::Object(outcome.output), json!({ "a": 2, "b": "x" }));
    assert_eq!(outcome.checks[0].verdict, Verdict::Pass);
    assert_eq!(outcome.checks[0].evidence, json!({ "n": 3 }));
}

#[tokio::test]
async fn the_end_decides_what_kind_of_fault_it_is() {
    let check = async |script: &str, kind: FaultKind, expect: &str| {
        let fault = run(script, &Listener::default()).await.unwrap_err();
        assert_eq!(fault.kind, kind, "{script}: {fault}");
        assert!(fault.message.contains(expect), "{script}: {fault}");
        assert!(!fault.message.contains("hush-hush"), "{fault}");
    };
    check("exit 75", FaultKind::Temporary, "75").await;
    check(
        "echo no such issue >&2; exit 3",
        FaultKind::Permanent,
        "no such issue",
    )
    .await;
    check("kill -9 $$", FaultKind::Temporary, "signal").await;
    check(
        "echo hello",
        FaultKind::Permanent,
        "line 1: line is no message",
    )
    .await;
    check("echo '{\"progress\":7}'", FaultKind::Permanent, "line 1").await;
    check(
        "head -c 2000000 /dev/zero",
        FaultKind::Permanent,
        "longer than",
    )
    .await;
    check("echo $TOKEN >&2; exit 1", FaultKind::Permanent, "***").await;
    check("echo $TOKEN", FaultKind::Permanent, "***").await;
    let verdict = r#"echo '{"verdict":"fail","name":"links","evidence":{"broken":2}}'"#;
    check(verdict, FaultKind::Validation, "links").await;
}

#[tokio::test]
async fn what_could_not_look_does_not_let_the_site_through() {
    let verdicts = r#"
        echo '{"verdict":"pass","name":"a","evidence":{}}'
        echo '{"verdict":"unknown","name":"b","evidence":{"why":"no route"}}'
        echo no route to the mirror >&2
    "#;
    for (end, kind, expect) in [
        (
            "exit 0",
            FaultKind::Validation,
            "check `b` is unknown: no route; no route",
        ),
        (
            "exit 3",
            FaultKind::Permanent,
            "ended with exit status: 3; no route",
        ),
        (
            "exit 75",
            FaultKind::Temporary,
            "ended with exit status: 75; no route",
        ),
    ] {
        let script = format!("{verdicts}{end}");
        let fault = run(&script, &Listener::default()).await.unwrap_err();
        assert_eq!(fault.kind, kind, "{fault}");
        assert!(fault.message.contains(expect), "{fault}");
        let told: Vec<Verdict> = fault.checks.iter().map(|check| check.verdict).collect();
        assert_eq!(told, [Verdict::Pass, Verdict::Unknown], "{end}");
    }
}

#[tokio::test]
async fn only_the_named_environment_is_seen() {
    let script = r#"test -z "$OTHER" && test "$HOME" = / && test "$TOKEN" = hush-hush"#;
    run(script, &Listener::default()).await.unwrap();
}

#[tokio::test]
async fn a_cancelled_program_is_ended_with_all_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let listener = Listener {
        impatient: true,
        ..Listener::default()
    };
    let script = format!(
        "sleep 600 & echo $! > {}; echo '{{\"progress\":0}}'; wait",
        pid.display()
    );
    let fault = run(&script, &listener).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Cancelled);
    let pid = std::fs::read_to_string(pid).unwrap();
    // Gone, or a zombie that init has not collected yet. A killed process
    // takes a moment to end.
    let gone = async {
        loop {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
            if stat.is_err() || stat.unwrap().contains(") Z ") {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let gone = tokio::time::timeout(Duration::from_secs(20), gone).await;
    assert!(gone.is_ok(), "process {} lives on", pid.trim());
}

#[tokio::test]
async fn a_program_that_cannot_be_run_is_named() {
    let mut call = call("");
    call.with.insert("command".to_owned(), json!(["./absent"]));
    let resolver: Resolver = Arc::new(|_| Ok(SecretString::from("hush-hush")));
    let connector = ExecConnector::new("/nowhere".into(), [], resolver);
    let fault = connector
        .perform(&call, &Listener::default())
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Permanent);
    assert!(fault.message.contains("/nowhere/./absent"), "{fault}");
}
