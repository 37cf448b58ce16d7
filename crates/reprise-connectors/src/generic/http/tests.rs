//! A server of a few lines on the loopback address gives the answers.

use reprise_model::{AttemptId, Elapsed, RunId, TaskIx, TaskKey, Timestamp};
use reprise_ports::Progress;
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::*;

struct Silent(CancellationToken);

#[async_trait]
impl Context for Silent {
    fn progress(&self, _progress: Progress) {}

    async fn mark(&self, _mark: Value) -> Result<(), Fault> {
        Ok(())
    }

    fn cancelled(&self) -> &CancellationToken {
        &self.0
    }
}

/// Answers by path; ends with the test's runtime. Returns its base URL.
async fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let read = stream.read(&mut request).await.unwrap_or(0);
                let text = String::from_utf8_lossy(&request[..read]).into_owned();
                let path = text.split(' ').nth(1).unwrap_or("/").to_owned();
                let head = match path.split('?').next().unwrap_or("/") {
                    "/moved" => "302 Found\r\nlocation: /",
                    "/loop" => "302 Found\r\nlocation: /loop",
                    "/busy" => "503 Service Unavailable\r\nretry-after: 7",
                    "/absent" => "404 Not Found",
                    "/silent" => std::future::pending().await,
                    _ => "200 OK",
                };
                let answer = format!(
                    "HTTP/1.1 {head}\r\ncontent-length: 7\r\nconnection: close\r\n\r\nwelcome"
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    format!("http://{address}")
}

async fn ask(with: Value) -> Result<Outcome, Fault> {
    let call = Call {
        run: RunId::from("r1"),
        attempt: AttemptId {
            task: TaskIx(0),
            number: 1,
        },
        task: TaskKey::from("reachable/1"),
        idempotency_key: "k".to_owned(),
        action: Action::HttpCheck,
        target_time: Timestamp::from_micros(0),
        site: None,
        store: None,
        shard: None,
        companions: Default::default(),
        with: with.as_object().cloned().unwrap(),
        outputs: Default::default(),
    };
    let resolver: Resolver = Arc::new(|_| Ok(SecretString::from("hush-hush")));
    let connector = HttpConnector::new(PathBuf::new(), resolver).unwrap();
    connector
        .perform(&call, &Silent(CancellationToken::new()))
        .await
}

#[tokio::test]
async fn an_answer_as_expected_passes_with_evidence() {
    let base = server().await;
    let outcome = ask(json!({ "url": format!("{base}/moved"), "contains": "welcome" }))
        .await
        .unwrap();
    let evidence = &outcome.checks[0].evidence;
    assert_eq!(outcome.checks[0].verdict, Verdict::Pass);
    assert_eq!(evidence["status"], 200);
    assert_eq!(evidence["final_url"], format!("{base}/"));
    assert_eq!(evidence["redirects"], json!([format!("{base}/")]));
    assert_eq!(
        (&evidence["tls"], &evidence["matched"]),
        (&json!(false), &json!(true))
    );
    ask(json!({ "url": format!("{base}/absent"), "status": [200, 404] }))
        .await
        .unwrap();
}

#[tokio::test]
async fn anything_else_is_a_fault_that_says_why() {
    let base = server().await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}/", closed.local_addr().unwrap());
    drop(closed);
    let check = async |with: Value, kind: FaultKind, expect: &str| {
        let fault = ask(with).await.unwrap_err();
        assert_eq!(fault.kind, kind, "{fault}");
        assert!(fault.message.contains(expect), "{fault}");
        fault
    };
    let url = |path: &str| json!({ "url": format!("{base}{path}") });
    check(url("/absent"), FaultKind::Validation, "404").await;
    check(url("/loop"), FaultKind::Validation, "more than 5 redirects").await;
    check(json!({ "url": nobody }), FaultKind::Validation, "refused").await;
    let silent = json!({ "url": format!("{base}/silent"), "timeout": "50ms" });
    check(silent, FaultKind::Validation, "no answer within 50ms").await;
    let other = json!({ "url": base, "contains": "goodbye" });
    check(other, FaultKind::Validation, "does not contain").await;
    let busy = check(url("/busy"), FaultKind::Temporary, "503").await;
    assert_eq!(busy.retry_after, Some(Elapsed::from_secs(7)));
    check(
        json!({ "url": base, "colour": "red" }),
        FaultKind::Permanent,
        "colour",
    )
    .await;
}

#[tokio::test]
async fn no_secret_is_in_the_evidence() {
    let base = server().await.replace("http://", "http://user:pass@");
    for path in ["/", "/absent"] {
        let url = format!("{base}{path}?key=${{KEY}}&a=b");
        let shown = format!("{:?}", ask(json!({ "url": url })).await);
        assert!(shown.contains("?***"), "{shown}");
        for hidden in ["hush-hush", "pass@", "a=b"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }
}
