//! One bucket over HTTP: requests signed by `rusty-s3`, sent by the client
//! that the house has, tried again while the server is busy or away.
//!
//! **Retries** are inside of a request because a slice is thousands of them:
//! one lost connection must not cost an attempt of the task. Every request
//! here may be repeated: it looks, or it brings a key to a state. A copy that
//! was done although its answer was lost makes one more version of the same.

use std::time::Duration;

use reprise_model::{Fault, FaultKind};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Response, StatusCode, Url};
use rusty_s3::signing::sign;
use tokio_util::sync::CancellationToken;

use super::address::Address;
use super::xml::{self, Element};
use crate::generic::retry_after;

const TRIES: u32 = 6;
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// A server that asks for more patience than this is asked by a later attempt.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(10);
/// Without a byte for so long, an answer will not come.
const SILENCE: Duration = Duration::from_secs(60);
/// Of an answer that is an error, no more than this is read.
const LONGEST_ERROR: usize = 16 << 10;
/// A signature's life, in seconds: the longest that a request waits to be sent.
const SIGNED_FOR: u64 = 900;

pub struct Bucket {
    address: Address,
    client: Client,
    /// Such as `media/main live (127.0.0.1:8333/media)`.
    pub end: String,
}

/// One request. Query and headers need not be in order.
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    pub method: Method,
    pub key: Option<&'a str>,
    pub query: Vec<(&'a str, &'a str)>,
    /// Names in lower case; all of them are signed.
    pub headers: Vec<(&'a str, String)>,
    pub body: Option<String>,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Bucket {
    pub fn new(address: Address, end: &str) -> Result<Self, Fault> {
        // An error means that one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .http1_only()
            .user_agent(concat!("reprise/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Fault::permanent(format!("{end}: no HTTP client: {error}")))?;
        let end = format!("{end} ({})", address.place());
        Ok(Self {
            address,
            client,
            end,
        })
    }

    /// Where it is, without a secret.
    pub fn place(&self) -> String {
        self.address.place()
    }

    /// `/BUCKET/KEY?versionId=ID` as `x-amz-copy-source` wants it.
    pub fn copy_source(&self, key: &str, version: &str) -> Result<String, Fault> {
        let path = self.url(Some(key))?.path().to_owned();
        Ok(format!("{path}?versionId={version}"))
    }

    /// The address of a key. A key such as `a/../b` would become another one
    /// on its way, perhaps a neighbour's: it is refused.
    fn url(&self, key: Option<&str>) -> Result<Url, Fault> {
        let bucket = &self.address.bucket;
        let Some(key) = key else {
            return Ok(bucket.base_url().clone());
        };
        let dots = key.split('/').any(|part| matches!(part, "." | ".."));
        if !dots && !key.is_empty() {
            return Ok(bucket.object_url(key));
        }
        Err(Fault::permanent(format!(
            "{}: the key `{key}` cannot be asked for by HTTP",
            self.end
        )))
    }

    fn signed(&self, request: &Request<'_>) -> Result<Url, Fault> {
        let mut query = request.query.clone();
        query.sort_unstable();
        let mut headers: Vec<(&str, &str)> = request
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        headers.sort_unstable();
        let credentials = &self.address.credentials;
        Ok(sign(
            &jiff::Timestamp::now(),
            method(&request.method),
            self.url(request.key)?,
            credentials.key(),
            credentials.secret(),
            None,
            self.address.bucket.region(),
            SIGNED_FOR,
            query.into_iter(),
            headers.into_iter(),
        ))
    }

    /// Sends and hands the open answer over; a busy or absent server is asked again.
    async fn open(
        &self,
        request: &Request<'_>,
        cancelled: &CancellationToken,
    ) -> Result<Response, Fault> {
        let mut wait = FIRST_WAIT;
        for tried in 1.. {
            let url = self.signed(request)?;
            let mut sent = self.client.request(request.method.clone(), url);
            for (name, value) in &request.headers {
                let (name, value) =
                    header(name, value).map_err(|what| self.fault(request, &what))?;
                sent = sent.header(name, value);
            }
            let body = request.body.clone().unwrap_or_default();
            if request.body.is_some()
                || request.method == Method::PUT
                || request.method == Method::POST
            {
                sent = sent.body(body);
            }
            let answer = tokio::select! {
                () = cancelled.cancelled() => return Err(cancel()),
                answer = sent.send() => answer,
            };
            let fault = match answer {
                Ok(answer) if !busy(answer.status()) => return Ok(answer),
                Ok(answer) => self.busy(request, answer).await,
                Err(error) => self.lost(request, error),
            };
            // A longer wait is the engine's, which has other work meanwhile.
            let asked = fault.retry_after.map_or(wait, |after| after.0);
            let passes = fault.kind == FaultKind::Temporary;
            if tried == TRIES || asked > LONGEST_WAIT || !passes {
                return Err(fault);
            }
            tokio::select! {
                () = cancelled.cancelled() => return Err(cancel()),
                () = tokio::time::sleep(wait.max(asked)) => wait *= 2,
            }
        }
        unreachable!("the last try returns")
    }

    async fn busy(&self, request: &Request<'_>, mut answer: Response) -> Fault {
        let (status, after) = (answer.status(), retry_after(answer.headers()));
        let mut body = Vec::new();
        while body.len() < LONGEST_ERROR
            && let Ok(Some(more)) = answer.chunk().await
        {
            body.extend(more);
        }
        let error = xml::parse(&body).unwrap_or_default();
        let code = error.text_of("Code").unwrap_or_default();
        if has_no_room(code, status) {
            return self.said(request, status, &error);
        }
        let message = format!("{} {code}", status.as_u16());
        let mut fault = Fault::temporary(format!(
            "{}: {}: the server is busy or broken ({})",
            self.end,
            what(request),
            message.trim_end()
        ));
        fault.retry_after = after;
        match status {
            StatusCode::INTERNAL_SERVER_ERROR => fault.hint(
                "its own log tells why; SeaweedFS answers like this while its disk is full, and then until it is restarted",
            ),
            _ => fault,
        }
    }

    /// The whole answer, also one that refuses.
    pub async fn ask(
        &self,
        request: &Request<'_>,
        cancelled: &CancellationToken,
    ) -> Result<Answer, Fault> {
        let mut tried = 1;
        loop {
            let answer = self.open(request, cancelled).await?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            let body = tokio::select! {
                () = cancelled.cancelled() => return Err(cancel()),
                body = answer.bytes() => body,
            };
            match body {
                Ok(body) => {
                    let body = body.to_vec();
                    return Ok(Answer {
                        status,
                        headers,
                        body,
                    });
                }
                Err(error) if tried == TRIES => return Err(self.lost(request, error)),
                Err(_) => tried += 1,
            }
        }
    }

    /// The answer, where a refusal is a fault.
    pub async fn expect(
        &self,
        request: &Request<'_>,
        cancelled: &CancellationToken,
    ) -> Result<Answer, Fault> {
        let answer = self.ask(request, cancelled).await?;
        match answer.status.is_success() {
            true => Ok(answer),
            false => Err(self.refusal(request, &answer)),
        }
    }

    /// The answer's tree. S3 may say 200 and put an error into the body.
    pub async fn tree(
        &self,
        request: &Request<'_>,
        cancelled: &CancellationToken,
    ) -> Result<Element, Fault> {
        self.element(request, &self.ask(request, cancelled).await?)
    }

    /// The same of an answer that is there.
    pub fn element(&self, request: &Request<'_>, answer: &Answer) -> Result<Element, Fault> {
        if !answer.status.is_success() {
            return Err(self.refusal(request, answer));
        }
        let root = xml::parse(&answer.body)
            .map_err(|why| self.fault(request, &format!("the answer cannot be read: {why}")))?;
        if root.name == "Error" {
            return Err(self.said(request, answer.status, &root));
        }
        Ok(root)
    }

    /// An object's bytes, piece by piece.
    pub async fn body(
        &self,
        request: &Request<'_>,
        cancelled: &CancellationToken,
        mut piece: impl FnMut(&[u8]),
    ) -> Result<(), Fault> {
        let mut answer = self.open(request, cancelled).await?;
        if !answer.status().is_success() {
            let (status, headers) = (answer.status(), answer.headers().clone());
            let body = answer.bytes().await.unwrap_or_default().to_vec();
            return Err(self.refusal(
                request,
                &Answer {
                    status,
                    headers,
                    body,
                },
            ));
        }
        loop {
            let next = tokio::select! {
                () = cancelled.cancelled() => return Err(cancel()),
                next = answer.chunk() => next,
            };
            match next.map_err(|error| self.lost(request, error))? {
                Some(bytes) => piece(&bytes),
                None => return Ok(()),
            }
        }
    }

    pub fn refusal(&self, request: &Request<'_>, answer: &Answer) -> Fault {
        let root = xml::parse(&answer.body).unwrap_or_default();
        self.said(request, answer.status, &root)
    }

    fn said(&self, request: &Request<'_>, status: StatusCode, error: &Element) -> Fault {
        let code = error.text_of("Code").unwrap_or_default();
        let message = format!("the server refuses: {} {code}", status.as_u16());
        let fault = self.fault(request, message.trim_end());
        match (code, status) {
            _ if has_no_room(code, status) => {
                fault.hint("make room on the server, then `reprise retry`")
            }
            ("SlowDown" | "InternalError" | "ServiceUnavailable" | "RequestTimeout", _) => Fault {
                kind: FaultKind::Temporary,
                ..fault
            },
            ("RequestTimeTooSkewed", _) => fault.hint("this machine's clock is wrong"),
            ("SignatureDoesNotMatch" | "InvalidAccessKeyId", _) => {
                fault.hint("the key or the secret in the URL of the bucket is wrong")
            }
            ("InvalidObjectState", _) => {
                fault.hint("the version is archived: bring it back with `aws s3api restore-object`, then `reprise retry`")
            }
            (_, StatusCode::FORBIDDEN) => {
                fault.hint("the key must list, read, write and delete versions of the bucket")
            }
            _ => fault,
        }
    }

    fn fault(&self, request: &Request<'_>, message: &str) -> Fault {
        Fault::permanent(format!("{}: {}: {message}", self.end, what(request)))
    }

    /// The URL of a request holds a signature: it is taken out of the error.
    fn lost(&self, request: &Request<'_>, error: reqwest::Error) -> Fault {
        let error = error.without_url();
        let mut why = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(next) = source {
            why = format!("{why}: {next}");
            source = next.source();
        }
        Fault::temporary(format!("{}: {}: {why}", self.end, what(request)))
    }
}

fn what(request: &Request<'_>) -> String {
    let option = request.query.first().map_or("", |(name, _)| name);
    match request.key {
        Some(key) => format!("{} `{key}`", request.method),
        None => format!("{} {option}", request.method),
    }
}

pub fn cancel() -> Fault {
    Fault::new(FaultKind::Cancelled, "cancelled during media")
}

/// Said by MinIO, Ceph and others; it does not pass by itself.
fn has_no_room(code: &str, status: StatusCode) -> bool {
    status == StatusCode::INSUFFICIENT_STORAGE
        || code.ends_with("StorageFull")
        || code.ends_with("QuotaExceeded")
}

fn busy(status: StatusCode) -> bool {
    // 501 says that there is no such thing here, which will not pass.
    status == StatusCode::TOO_MANY_REQUESTS
        || (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED)
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
    let value = HeaderValue::from_str(value).map_err(|error| error.to_string())?;
    Ok((name, value))
}

fn method(method: &Method) -> rusty_s3::Method {
    match *method {
        Method::HEAD => rusty_s3::Method::Head,
        Method::PUT => rusty_s3::Method::Put,
        Method::POST => rusty_s3::Method::Post,
        Method::DELETE => rusty_s3::Method::Delete,
        _ => rusty_s3::Method::Get,
    }
}
