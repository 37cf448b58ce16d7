//! SeaweedFS: a bucket that keeps versions, with an object for each attachment
//! of a site and a few that its people change all day.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::{Client, Method, Response, Url};
use rusty_s3::actions::{ListObjectsV2, S3Action};
use rusty_s3::{Bucket, Credentials, UrlStyle};
use serde_json::json;

use super::service::{Service, answers};
use super::sources::Sources;
use super::{Described, Items, Layer};
use crate::Error;
use crate::layout::{Layout, write_private};
use crate::manifest::Manifest;

/// What SeaweedFS listens on; the last is S3's own.
pub const PORTS: [&str; 8] = [
    "master",
    "master-grpc",
    "volume",
    "volume-grpc",
    "filer",
    "filer-grpc",
    "s3-grpc",
    "s3",
];
const KEY: &str = "lab";
const BUCKET: &str = "media";
const REGION: &str = "us-east-1";
/// How long a signature is good for.
const SIGNED: Duration = Duration::from_secs(600);
const TRIES: u32 = 50;
const BETWEEN_TRIES: Duration = Duration::from_millis(200);
const CONCURRENT: usize = 16;
/// Objects of a site that change.
const AVATARS: u64 = 4;

pub struct Media {
    folder: PathBuf,
    service: Service,
    ports: Vec<u16>,
    secret: String,
    client: Client,
    bucket: Bucket,
    credentials: Credentials,
}

fn prefix(site: i64) -> String {
    format!("sites/{site}/")
}

impl Media {
    pub fn new(layout: &Layout, manifest: &Manifest, secret: &str) -> Result<Self, Error> {
        let ports = PORTS
            .iter()
            .map(|name| manifest.port(&format!("media-{name}")));
        let ports: Vec<u16> = ports.collect::<Result<_, _>>()?;
        let folder = layout.service("media");
        let end: Url = format!("http://127.0.0.1:{}", ports[7])
            .parse()
            .expect("an address with a port is a URL");
        let bucket = Bucket::new(end, UrlStyle::Path, BUCKET, REGION)
            .expect("the bucket's name fits into a URL");
        Ok(Self {
            service: Service::new(folder.clone()),
            folder,
            ports,
            secret: secret.to_owned(),
            client: super::client(),
            bucket,
            credentials: Credentials::new(KEY, secret),
        })
    }

    /// Asks again while the server says that it is the one who cannot: its S3
    /// answers before there is a volume to write to.
    async fn send(&self, method: Method, url: Url, body: Vec<u8>) -> Result<Response, Error> {
        let mut tried = 0;
        loop {
            let request = self.client.request(method.clone(), url.clone());
            let answer = request.body(body.clone()).send().await;
            let answer = answer.and_then(Response::error_for_status);
            let busy =
                |error: &reqwest::Error| error.status().is_some_and(|it| it.is_server_error());
            match answer {
                Err(error) if busy(&error) && tried < TRIES => tried += 1,
                // Its own words would show the signature.
                answer => {
                    return answer.map_err(|error| {
                        Error::Worker(format!("the bucket: {}", error.without_url()))
                    });
                }
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
    }

    async fn put(&self, key: &str, content: &[u8]) -> Result<(), Error> {
        let action = self.bucket.put_object(Some(&self.credentials), key);
        self.send(Method::PUT, action.sign(SIGNED), content.to_vec())
            .await
            .map(drop)
    }

    async fn remove(&self, key: &str) -> Result<(), Error> {
        let action = self.bucket.delete_object(Some(&self.credentials), key);
        self.send(Method::DELETE, action.sign(SIGNED), Vec::new())
            .await
            .map(drop)
    }

    /// The first of the site's objects.
    async fn first(&self, site: i64) -> Result<Option<String>, Error> {
        let prefix = prefix(site);
        let (items, _) = self.page(&prefix, None).await?;
        let first = items.into_keys().next();
        Ok(first.map(|key| format!("{prefix}{key}")))
    }

    pub async fn lose_one(&self, site: i64) -> Result<Option<String>, Error> {
        let Some(key) = self.first(site).await? else {
            return Ok(None);
        };
        self.remove(&key).await?;
        Ok(Some(key))
    }

    pub async fn spoil_one(&self, site: i64) -> Result<Option<String>, Error> {
        let Some(key) = self.first(site).await? else {
            return Ok(None);
        };
        let action = self.bucket.get_object(Some(&self.credentials), &key);
        let answer = self
            .send(Method::GET, action.sign(SIGNED), Vec::new())
            .await?;
        let unread = |error: reqwest::Error| Error::Worker(error.without_url().to_string());
        let mut content = answer.bytes().await.map_err(unread)?.to_vec();
        if let Some(first) = content.first_mut() {
            *first ^= 1;
        }
        self.put(&key, &content).await?;
        Ok(Some(key))
    }

    async fn keep_versions(&self) -> Result<(), Error> {
        let made = self.bucket.create_bucket(&self.credentials);
        self.send(Method::PUT, made.sign(SIGNED), Vec::new())
            .await?;
        let url = rusty_s3::signing::sign(
            &jiff::Timestamp::now(),
            rusty_s3::Method::Put,
            self.bucket.base_url().clone(),
            KEY,
            &self.secret,
            None,
            REGION,
            SIGNED.as_secs(),
            [("versioning", "")].into_iter(),
            std::iter::empty::<(&str, &str)>(),
        );
        let text = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        self.send(Method::PUT, url, text.into()).await.map(drop)
    }

    async fn page(
        &self,
        prefix: &str,
        from: Option<&str>,
    ) -> Result<(Items, Option<String>), Error> {
        let mut action = self.bucket.list_objects_v2(Some(&self.credentials));
        action.with_prefix(prefix);
        if let Some(from) = from {
            action.with_continuation_token(from);
        }
        let answer = self
            .send(Method::GET, action.sign(SIGNED), Vec::new())
            .await?;
        let unread = |what: String| Error::Worker(format!("the bucket's listing: {what}"));
        let body = answer
            .text()
            .await
            .map_err(|error| unread(error.to_string()))?;
        let page =
            ListObjectsV2::parse_response(&body).map_err(|error| unread(error.to_string()))?;
        let items = page.contents.iter().map(|object| {
            let key = object.key.strip_prefix(prefix).unwrap_or(&object.key);
            let size = object.size.unwrap_or_default();
            let etag = object.etag.as_deref().unwrap_or_default();
            (key.to_owned(), format!("{size} {etag}"))
        });
        Ok((items.collect(), page.next_continuation_token))
    }
}

#[async_trait]
impl Layer for Media {
    fn name(&self) -> &'static str {
        "media"
    }

    fn create(&mut self) -> Result<(), Error> {
        std::fs::create_dir_all(&self.folder).map_err(Error::io("create", &self.folder))?;
        let who = json!({ "identities": [{
            "name": "lab",
            "credentials": [{ "accessKey": KEY, "secretKey": self.secret }],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }] });
        write_private(&self.folder.join("s3.json"), &who.to_string())
    }

    fn start(&mut self) -> Result<(), Error> {
        let deps = std::env::var_os("REPRISE_DEPS").map_or_else(|| ".deps".into(), PathBuf::from);
        let program = std::path::absolute(deps.join("bin/weed"))
            .map_err(Error::io("find", &PathBuf::from("weed")))?;
        if !program.exists() {
            return Err(Error::Refused(
                "no SeaweedFS on this machine; `make deps` fetches it".to_owned(),
            ));
        }
        let flags = [
            "master.port",
            "master.port.grpc",
            "volume.port",
            "volume.port.grpc",
            "filer.port",
            "filer.port.grpc",
            "s3.port.grpc",
            "s3.port",
        ];
        let mut command = Command::new(program);
        command
            .args([
                "-logtostderr=true",
                "server",
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
            ])
            .arg(format!("-dir={}", self.folder.display()))
            .args(["-filer", "-s3", "-s3.port.iceberg=0", "-s3.port.lance=0"])
            .args([
                "-volume.max=50",
                "-master.volumeSizeLimitMB=64",
                "-volume.preStopSeconds=0",
                "-volume.minFreeSpace=100MiB",
            ])
            .arg(format!(
                "-s3.config={}",
                self.folder.join("s3.json").display()
            ))
            .args(
                flags
                    .iter()
                    .zip(&self.ports)
                    .map(|(flag, port)| format!("-{flag}={port}")),
            )
            .current_dir(&self.folder);
        let port = self.ports[7];
        self.service
            .start(command, || answers(port) && is_ready(port))
    }

    async fn fill(&mut self, sources: &Sources) -> Result<(), Error> {
        self.keep_versions().await?;
        let attachments = sources.tenants.iter().flat_map(|tenant| {
            let folder = prefix(tenant.site.id);
            let objects = tenant.attachments.iter();
            objects.map(move |it| {
                (
                    format!("{folder}attachments/{}", it.id),
                    it.content.as_slice(),
                )
            })
        });
        let avatars = sources.tenants.iter().flat_map(|tenant| {
            let folder = prefix(tenant.site.id);
            (0..AVATARS).map(move |n| (format!("{folder}avatars/{n}"), b"first".as_slice()))
        });
        let this = &*self;
        let all: Vec<(String, &[u8])> = attachments.chain(avatars).collect();
        stream::iter(all.into_iter().map(Ok))
            .try_for_each_concurrent(CONCURRENT, |(key, content)| async move {
                this.put(&key, content).await
            })
            .await
    }

    /// The bucket keeps its own past.
    async fn back_up(&mut self) -> Result<(), Error> {
        Ok(())
    }

    async fn items(&mut self, site: i64) -> Result<Items, Error> {
        let prefix = prefix(site);
        let (mut items, mut next) = self.page(&prefix, None).await?;
        while let Some(from) = next {
            let (more, then) = self.page(&prefix, Some(&from)).await?;
            items.extend(more);
            next = then;
        }
        Ok(items)
    }

    async fn change(&mut self, site: i64, number: u64) -> Result<(), Error> {
        let key = format!("{}avatars/{}", prefix(site), number % AVATARS);
        match number.is_multiple_of(5) {
            true => self.remove(&key).await,
            false => self.put(&key, format!("avatar {number}").as_bytes()).await,
        }
    }

    async fn delete(&mut self, site: i64) -> Result<(), Error> {
        let prefix = prefix(site);
        let keys: Vec<String> = self.items(site).await?.into_keys().collect();
        let this = &*self;
        stream::iter(keys)
            .map(|key| format!("{prefix}{key}"))
            .map(Ok)
            .try_for_each_concurrent(CONCURRENT, |key| async move { this.remove(&key).await })
            .await
    }

    async fn hand_over(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn described(&self) -> Described {
        Described {
            estate: include_str!("media.yaml").to_owned(),
            env: vec![(
                "MEDIA_URL".to_owned(),
                format!(
                    "s3+http://{KEY}:{}@127.0.0.1:{}/{BUCKET}?region={REGION}",
                    self.secret, self.ports[7]
                ),
            )],
        }
    }
}

/// Its S3 listens before its filer can be asked.
fn is_ready(port: u16) -> bool {
    use std::io::{Read, Write};
    let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
    let _ = stream.write_all(b"GET /status HTTP/1.0\r\nHost: localhost\r\n\r\n");
    let mut head = [0; 12];
    stream.read_exact(&mut head).is_ok() && head.ends_with(b"200")
}
