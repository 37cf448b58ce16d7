//! Both checks against a real server with TLS on the loopback address, with an
//! authority of its own.

use std::sync::Arc;

use async_trait::async_trait;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use reprise_model::{
    Action, AttemptId, Fault, FaultKind, Outcome, RunId, SiteId, TaskIx, TaskKey, Timestamp,
    Verdict,
};
use reprise_ports::{Call, CallSite, Connector, Context, Progress};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::HttpConnector;

const HOST: &str = "shop.example.test";

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

struct Shop {
    address: String,
    folder: TempDir,
}

impl Shop {
    /// Says `220 ready` to everybody, or answers HTTP by path.
    async fn open(banner: bool) -> Self {
        let folder = TempDir::new().unwrap();
        let config = certified(&folder);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let answer = match banner {
                        true => "220 ready\r\n".to_owned(),
                        false => answer_to(&mut stream).await,
                    };
                    let _ = stream.write_all(answer.as_bytes()).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        Self { address, folder }
    }

    async fn ask(&self, action: Action, with: Value) -> Result<Outcome, Fault> {
        let call = Call {
            run: RunId::from("r1"),
            attempt: AttemptId {
                task: TaskIx(0),
                number: 1,
            },
            task: TaskKey::from("reachable/7"),
            idempotency_key: "k".to_owned(),
            action,
            target_time: Timestamp::from_micros(0),
            site: Some(CallSite {
                id: SiteId::from("7"),
                attributes: Default::default(),
            }),
            store: None,
            shard: None,
            companions: Default::default(),
            with: with.as_object().cloned().unwrap(),
            outputs: Default::default(),
        };
        let resolver: super::Resolver = Arc::new(|_| Ok(SecretString::from("hush-hush")));
        let connector = HttpConnector::new(self.folder.path().to_owned(), resolver).unwrap();
        connector
            .perform(&call, &Silent(CancellationToken::new()))
            .await
    }

    async fn get(&self, url: &str, ca: Option<&str>) -> Result<Outcome, Fault> {
        let mut with = json!({ "url": url, "resolve": { "*.example.test": self.address } });
        if let Some(ca) = ca {
            with["ca"] = ca.into();
        }
        self.ask(Action::HttpCheck, with).await
    }
}

async fn answer_to(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut request = [0; 4096];
    let read = stream.read(&mut request).await.unwrap_or(0);
    let text = String::from_utf8_lossy(&request[..read]).into_owned();
    let host = text
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap_or("none");
    let head = match text.split(' ').nth(1).unwrap_or("/") {
        "/moved" => "302 Found\r\nlocation: /",
        "/away" => "302 Found\r\nlocation: https://real.example.org/",
        _ => "200 OK\r\nx-shop: seven",
    };
    format!(
        "HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{host}",
        host.len()
    )
}

/// A certificate for the host; its authority is in `ca.pem`, a stranger in `other.pem`.
fn certified(folder: &TempDir) -> ServerConfig {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join(name), certificate.pem()).unwrap();
        Issuer::new(params, key)
    };
    authority("other.pem");
    let issuer = authority("ca.pem");
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![HOST.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap()
}

#[tokio::test]
async fn a_page_over_tls_passes_under_its_own_name() {
    let shop = Shop::open(false).await;
    let with = json!({
        "url": "https://shop.example.test:8443/moved",
        "contains": "shop.example.test:8443",
        "expect_header": { "x-shop": "seven" },
        "ca": "ca.pem",
        "resolve": { "shop.example.test": shop.address },
    });
    let outcome = shop.ask(Action::HttpCheck, with.clone()).await.unwrap();
    let evidence = &outcome.checks[0].evidence;
    assert_eq!(evidence["address"], shop.address);
    assert_eq!(evidence["site"], "7");
    assert_eq!(evidence["tls"], true);
    assert_eq!(
        evidence["redirects"],
        json!(["https://shop.example.test:8443/"])
    );
    let mut other = with;
    other["expect_header"] = json!({ "x-shop": "eight" });
    let fault = shop.ask(Action::HttpCheck, other).await.unwrap_err();
    assert!(
        fault.message.contains("no header `x-shop` with `eight`"),
        "{fault}"
    );
}

#[tokio::test]
async fn a_certificate_that_is_not_accepted_is_told_as_such() {
    let shop = Shop::open(false).await;
    let check = async |url: &str, ca: Option<&str>| {
        let fault = shop.get(url, ca).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Validation, "{fault}");
        assert!(
            fault.message.contains("its certificate is not accepted: "),
            "{fault}"
        );
        assert!(fault.message.starts_with("site 7: https://"), "{fault}");
    };
    check("https://shop.example.test/", None).await;
    check("https://shop.example.test/", Some("other.pem")).await;
    check("https://till.example.test/", Some("ca.pem")).await;
    shop.get("https://shop.example.test/", Some("ca.pem"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_drill_asks_no_other_host() {
    let shop = Shop::open(false).await;
    for url in [
        "https://shop.example.test/away",
        "https://real.example.org/",
    ] {
        let fault = shop.get(url, Some("ca.pem")).await.unwrap_err();
        assert!(
            fault
                .message
                .contains("`real.example.org` is not in `resolve`"),
            "{fault}"
        );
    }
    let with = json!({ "url": "http://127.0.0.1:9/", "resolve": { "*": shop.address } });
    let fault = shop.ask(Action::HttpCheck, with).await.unwrap_err();
    assert!(
        fault.message.contains("`resolve` stands for names"),
        "{fault}"
    );
}

#[tokio::test]
async fn a_site_that_does_not_answer_is_named_with_its_address() {
    let shop = Shop::open(false).await;
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = port.local_addr().unwrap().to_string();
    drop(port);
    let resolve = json!({ HOST: nobody });
    let page = json!({ "url": "https://shop.example.test/", "resolve": resolve });
    let door = json!({ "host": HOST, "port": 443, "resolve": resolve });
    for (action, with) in [(Action::HttpCheck, page), (Action::TcpCheck, door)] {
        let fault = shop.ask(action, with).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Validation);
        assert!(fault.message.starts_with("site 7: "), "{fault}");
        assert!(
            fault.message.contains(HOST) && fault.message.contains("refused"),
            "{fault}"
        );
        assert_eq!(fault.checks[0].verdict, Verdict::Fail);
        assert_eq!(fault.checks[0].evidence["site"], "7");
    }
}

#[tokio::test]
async fn a_door_is_opened_and_listened_at() {
    let shop = Shop::open(true).await;
    let with = |more: Value| {
        let mut with = json!({
            "host": HOST, "port": "25", "tls": true, "ca": "ca.pem", "banner": "220 ",
            "resolve": { "*": shop.address },
        });
        with.as_object_mut()
            .unwrap()
            .extend(more.as_object().cloned().unwrap());
        with
    };
    let outcome = shop.ask(Action::TcpCheck, with(json!({}))).await.unwrap();
    let evidence = &outcome.checks[0].evidence;
    assert_eq!(evidence["address"], shop.address);
    assert_eq!(evidence["heard"], "220 ready\r\n");
    let check = async |more: Value, expect: &str| {
        let fault = shop.ask(Action::TcpCheck, with(more)).await.unwrap_err();
        assert!(fault.message.contains(expect), "{fault}");
    };
    check(json!({ "banner": "250 " }), "it did not say `250 `").await;
    check(
        json!({ "ca": "other.pem" }),
        "its certificate is not accepted: ",
    )
    .await;
    check(
        json!({ "tls": false, "timeout": "50ms" }),
        "no answer within 50ms",
    )
    .await;
    check(json!({ "port": "x" }), "`x` is no port").await;
    check(json!({ "colour": "red" }), "colour").await;
}
