//! A bucket of its own for each test, an independent client for it, and calls
//! of the connector.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use reprise_connectors::s3::{S3Config, S3Connector, S3Shard};
use reprise_model::{Action, AttemptId, Fault, Outcome, TaskIx, Timestamp};
use reprise_ports::{Call, CallSite, Connector, Context, Probe, Progress};
use reqwest::{Method, Response};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::weed::{KEY, SECRET, Weed, weed};

pub struct World {
    pub bucket: String,
    pub connector: S3Connector,
    pub folder: tempfile::TempDir,
    pub weed: Arc<Weed>,
    client: reqwest::Client,
    signer: (rusty_s3::Bucket, rusty_s3::Credentials),
}

#[derive(Default)]
pub struct Quiet {
    pub cancelled: CancellationToken,
}

#[async_trait]
impl Context for Quiet {
    fn progress(&self, _progress: Progress) {}

    async fn mark(&self, _mark: Value) -> Result<(), Fault> {
        Ok(())
    }

    fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }
}

pub fn url(key: &str, secret: &str, port: u16, bucket: &str) -> String {
    let secret = secret
        .replace('/', "%2F")
        .replace('+', "%2B")
        .replace('=', "%3D");
    format!("s3+http://{key}:{secret}@127.0.0.1:{port}/{bucket}?region=us-east-1")
}

pub fn connector(live: String, scratch: &std::path::Path) -> S3Connector {
    connector_of("sites/{{ site.id }}/", live, scratch)
}

pub fn connector_of(prefix: &str, live: String, scratch: &std::path::Path) -> S3Connector {
    S3Connector::new(S3Config {
        store: "media".into(),
        shards: vec![S3Shard {
            id: "main".into(),
            live: Some(live.into()),
            scratch: None,
        }],
        prefix: Some(prefix.to_owned()),
        render: Arc::new(|text: &str, site: &CallSite| {
            Ok(text.replace("{{ site.id }}", site.id.as_str()))
        }),
        scratch_root: scratch.to_owned(),
    })
}

impl World {
    /// A bucket that keeps versions.
    pub async fn new() -> Self {
        Self::on(&weed()).await
    }

    /// The same on another server.
    pub async fn on(weed: &Arc<Weed>) -> Self {
        let world = Self::bucket_on(Arc::clone(weed)).await;
        world.keep_versions().await;
        world
    }

    pub async fn keep_versions(&self) {
        let body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        let answer = self
            .send(Method::PUT, None, &[("versioning", "")], &[], body.into())
            .await;
        assert!(answer.status().is_success(), "{answer:?}");
    }

    pub async fn unversioned() -> Self {
        Self::bucket_on(weed()).await
    }

    async fn bucket_on(weed: Arc<Weed>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let bucket = format!("media-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let port = weed.port;
        let folder = tempfile::tempdir().expect("a folder");
        let connector = connector(url(KEY, SECRET, port, &bucket), folder.path());
        let endpoint = format!("http://127.0.0.1:{port}").parse().expect("a URL");
        let signed = rusty_s3::Bucket::new(
            endpoint,
            rusty_s3::UrlStyle::Path,
            bucket.clone(),
            "us-east-1".to_owned(),
        );
        let signer = (
            signed.expect("a bucket"),
            rusty_s3::Credentials::new(KEY, SECRET),
        );
        // An error means that one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        let world = Self {
            bucket,
            connector,
            folder,
            client,
            signer,
            weed,
        };
        let made = world.send(Method::PUT, None, &[], &[], Vec::new()).await;
        assert!(made.status().is_success(), "{made:?}");
        world
    }

    pub async fn send(
        &self,
        method: Method,
        key: Option<&str>,
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Response {
        let (bucket, credentials) = &self.signer;
        let url = match key {
            Some(key) => bucket.object_url(key),
            None => bucket.base_url().clone(),
        };
        let signed_as = match method {
            Method::PUT => rusty_s3::Method::Put,
            Method::HEAD => rusty_s3::Method::Head,
            Method::DELETE => rusty_s3::Method::Delete,
            _ => rusty_s3::Method::Get,
        };
        let url = rusty_s3::signing::sign(
            &jiff::Timestamp::now(),
            signed_as,
            url,
            credentials.key(),
            credentials.secret(),
            None,
            "us-east-1",
            900,
            query.iter().copied(),
            headers.iter().copied(),
        );
        let mut request = self.client.request(method, url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.expect("an answer")
    }

    pub async fn put(&self, key: &str, body: &str) {
        self.put_with(key, body, &[]).await;
    }

    pub async fn put_with(&self, key: &str, body: &str, headers: &[(&str, &str)]) {
        let answer = self
            .send(
                Method::PUT,
                Some(key),
                &[],
                headers,
                body.as_bytes().to_vec(),
            )
            .await;
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// The id of the marker.
    pub async fn delete(&self, key: &str) -> String {
        let answer = self
            .send(Method::DELETE, Some(key), &[], &[], Vec::new())
            .await;
        assert!(answer.status().is_success(), "{answer:?}");
        let id = answer.headers().get("x-amz-version-id");
        let id = id.and_then(|id| id.to_str().ok());
        id.unwrap_or_default().to_owned()
    }

    /// The current object's bytes; nothing where it is deleted.
    pub async fn get(&self, key: &str) -> Option<String> {
        let answer = self
            .send(Method::GET, Some(key), &[], &[], Vec::new())
            .await;
        match answer.status().as_u16() {
            200 => Some(answer.text().await.expect("a body")),
            404 => None,
            other => panic!("{other}: {answer:?}"),
        }
    }

    pub async fn listing(&self) -> String {
        let query = [("max-keys", "1000"), ("prefix", ""), ("versions", "")];
        let answer = self.send(Method::GET, None, &query, &[], Vec::new()).await;
        answer.text().await.expect("a body")
    }

    /// The id of the first version that a key had.
    pub async fn oldest_id(&self, key: &str) -> String {
        let listing = self.listing().await;
        let of_key = format!("<Key>{key}</Key>");
        let (_, rest) = listing.rsplit_once(&of_key).expect("a version");
        let (_, rest) = rest.split_once("<VersionId>").expect("its id");
        rest.split_once('<').expect("its end").0.to_owned()
    }

    /// As a server leaves a key that breaks off in a write, on a full disk for
    /// instance: readers get what was there before it.
    pub async fn tear(&self, key: &str, before: &str) {
        let (port, bucket) = (self.weed.filer, &self.bucket);
        let folder = format!("http://127.0.0.1:{port}/buckets/{bucket}/{key}.versions?tagging");
        let latest = "Seaweed-X-Amz-Latest-Version";
        let request = self
            .client
            .put(folder)
            .header(format!("{latest}-Id"), before);
        let request = request.header(format!("{latest}-File-Name"), format!("v_{before}"));
        let request = request.header(format!("{latest}-Is-Delete-Marker"), "true");
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_success(), "{answer:?}");
    }

    pub async fn perform(
        &self,
        action: Action,
        site: &str,
        target: Timestamp,
        with: Value,
    ) -> Result<Outcome, Fault> {
        let call = call(action, site, target, with);
        self.connector.perform(&call, &Quiet::default()).await
    }

    pub async fn probe(&self, site: &str, target: Timestamp) -> Probe {
        let call = call(Action::Restore, site, target, serde_json::json!({}));
        let probe = self.connector.probe(&call, None, &Quiet::default()).await;
        probe.expect("it could look")
    }
}

pub fn call(action: Action, site: &str, target: Timestamp, with: Value) -> Call {
    let with: Map<String, Value> = serde_json::from_value(with).expect("a map");
    Call {
        run: "r1".into(),
        attempt: AttemptId {
            task: TaskIx(1),
            number: 1,
        },
        task: "t".into(),
        idempotency_key: "k".to_owned(),
        action,
        target_time: target,
        site: Some(CallSite {
            id: site.into(),
            attributes: BTreeMap::new(),
        }),
        store: Some("media".into()),
        shard: Some("main".into()),
        companions: Arc::from([]),
        with,
        outputs: BTreeMap::new(),
    }
}

/// A moment of its own second, after all that was done and before all that
/// will be: times of the server are whole seconds, so that there is no other
/// way than to let two of them begin.
pub async fn moment() -> Timestamp {
    let second = next_second().await;
    next_second().await;
    Timestamp::from_micros(second * 1_000_000)
}

pub async fn next_second() -> i64 {
    let now = || jiff::Timestamp::now().as_second();
    let second = now() + 1;
    while now() < second {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    second
}
