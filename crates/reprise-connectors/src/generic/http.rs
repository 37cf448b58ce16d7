//! `http.check` (and the door to `tcp.check`): asks an address and compares the answer. A site is reachable
//! only when it answers on the path that its users take.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use reprise_model::{Action, Check, Fault, FaultKind, Outcome, Verdict, parse_duration};
use reprise_ports::{Call, Connector, Context, Inspect, Inspection, Probe};
use reqwest::{Client, ClientBuilder, Method, Response, StatusCode, Url, header, redirect};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answers::{certificate_error, innermost, on_site, retry_after, trusting};
use super::hosts::Hosts;
use super::resolve::{Resolver, Secrets};
use super::tcp;

const TIMEOUT: Duration = Duration::from_secs(30);
const REDIRECTS: usize = 5;
/// `contains` looks at this much of the answer.
const BODY_BYTES: usize = 1 << 20;

pub struct HttpConnector {
    /// Relative paths start from here.
    base: PathBuf,
    client: Client,
    resolver: Resolver,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    url: String,
    #[serde(default = "ok")]
    status: Statuses,
    contains: Option<String>,
    timeout: Option<String>,
    #[serde(default)]
    method: Verb,
    #[serde(default)]
    expect_header: BTreeMap<String, String>,
    ca: Option<String>,
    #[serde(default)]
    resolve: Hosts,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Statuses {
    One(u16),
    Any(Vec<u16>),
}

fn ok() -> Statuses {
    Statuses::One(200)
}

impl Statuses {
    fn accepts(&self, status: StatusCode) -> bool {
        match self {
            Self::One(one) => *one == status.as_u16(),
            Self::Any(any) => any.contains(&status.as_u16()),
        }
    }
}

/// A check looks and changes nothing.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Verb {
    #[default]
    Get,
    Head,
}

fn builder() -> ClientBuilder {
    Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .user_agent(concat!("reprise/", env!("CARGO_PKG_VERSION")))
}

/// A client of one question: whom it trusts, and where a host is.
fn client(question: &Question, at: Option<(&str, SocketAddr)>) -> Result<Client, String> {
    let builder = trusting(builder(), question.ca.as_deref())?;
    let builder = match at {
        Some((host, address)) => builder.resolve(host, address),
        None => builder,
    };
    builder.build().map_err(|error| innermost(&error))
}

/// The first expected header that the answer does not have.
fn header_missing(question: &Question, response: &Response) -> Option<String> {
    question.headers.iter().find_map(|(name, expected)| {
        let mut values = response.headers().get_all(name.as_str()).iter();
        let has = values
            .any(|value| String::from_utf8_lossy(value.as_bytes()).contains(expected.as_str()));
        (!has).then(|| format!("the answer has no header `{name}` with `{expected}`"))
    })
}

struct Question {
    url: Url,
    method: Method,
    status: Statuses,
    contains: Option<String>,
    timeout: Duration,
    headers: BTreeMap<String, String>,
    ca: Option<PathBuf>,
    hosts: Hosts,
    secrets: Secrets,
}

impl HttpConnector {
    pub fn new(base: PathBuf, resolver: Resolver) -> Result<Self, String> {
        let client = trusting(builder(), None)?.build();
        Ok(Self {
            base,
            client: client.map_err(|error| error.to_string())?,
            resolver: Arc::clone(&resolver),
        })
    }

    fn question(&self, call: &Call) -> Result<Question, Fault> {
        let wrong = |what: String| Fault::permanent(format!("the options of http.check: {what}"));
        let options: Options = serde_json::from_value(Value::Object(call.with.clone()))
            .map_err(|error| wrong(error.to_string()))?;
        let mut secrets = Secrets::default();
        let url = secrets
            .fill(&options.url, &self.resolver)
            .map_err(|why| wrong(format!("url: {why}")))?;
        let url = Url::parse(&url).map_err(|error| wrong(format!("url: {error}")))?;
        let timeout = match &options.timeout {
            Some(text) => parse_duration(text)
                .ok_or_else(|| wrong(format!("timeout: `{text}` is no duration such as 10s")))?,
            None => TIMEOUT,
        };
        Ok(Question {
            url,
            method: match options.method {
                Verb::Get => Method::GET,
                Verb::Head => Method::HEAD,
            },
            status: options.status,
            contains: options.contains,
            timeout,
            headers: options.expect_header,
            ca: options.ca.map(|ca| self.base.join(ca)),
            hosts: options.resolve.filled(&self.resolver).map_err(wrong)?,
            secrets,
        })
    }

    /// Follows redirects itself, so that each is in the evidence.
    async fn ask(
        &self,
        question: &Question,
        redirects: &mut Vec<String>,
    ) -> Result<(Response, Url), String> {
        let mut url = question.url.clone();
        loop {
            let response = self.step(question, &url).await?;
            let location = response.headers().get(header::LOCATION);
            let target = match location.and_then(|value| value.to_str().ok()) {
                Some(location)
                    if response.status().is_redirection()
                        && !question.status.accepts(response.status()) =>
                {
                    location
                }
                _ => return Ok((response, url)),
            };
            if redirects.len() == REDIRECTS {
                return Err(format!("more than {REDIRECTS} redirects"));
            }
            url = url
                .join(target)
                .map_err(|error| format!("a redirect leads nowhere: {error}"))?;
            redirects.push(question.shown(&url));
        }
    }

    /// One request. An address that stands for the host takes the place of
    /// DNS and port alone: the certificate and the request name the host.
    async fn step(&self, question: &Question, url: &Url) -> Result<Response, String> {
        let host = url.host_str().unwrap_or_default();
        let request = match (question.hosts.of(host)?, &question.ca) {
            (None, None) => self.client.request(question.method.clone(), url.clone()),
            (None, Some(_)) => {
                client(question, None)?.request(question.method.clone(), url.clone())
            }
            (Some(_), _) if url.domain().is_none() => {
                return Err(format!(
                    "`{host}` is an address; `resolve` stands for names"
                ));
            }
            (Some(address), _) => {
                let client = client(question, Some((host, address)))?;
                let mut bare = url.clone();
                // This fails for addresses without a host only.
                let _ = bare.set_port(None);
                let request = client.request(question.method.clone(), bare);
                match url.port() {
                    Some(port) => request.header(header::HOST, format!("{host}:{port}")),
                    None => request,
                }
            }
        };
        request.send().await.map_err(|error| {
            let why = innermost(&error.without_url());
            certificate_error(&why).unwrap_or(why)
        })
    }

    async fn examine(&self, call: &Call, question: &Question) -> Result<Outcome, Fault> {
        let start = Instant::now();
        let mut redirects = Vec::new();
        let mut evidence = Map::new();
        evidence.insert("url".to_owned(), question.shown(&question.url).into());
        if let Some(site) = &call.site {
            evidence.insert("site".to_owned(), site.id.as_str().into());
        }
        let answer = tokio::time::timeout(question.timeout, async {
            let (response, url) = self.ask(question, &mut redirects).await?;
            let status = response.status();
            if let Some(address) = response.remote_addr() {
                evidence.insert("address".to_owned(), address.to_string().into());
            }
            let header = header_missing(question, &response);
            let retry = retry_after(response.headers());
            let matched = match &question.contains {
                Some(text) => Some(contains(response, text).await?),
                None => None,
            };
            Ok::<_, String>((status, url, retry, matched, header))
        })
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {:?}", question.timeout)));
        let elapsed = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        evidence.insert("elapsed_ms".to_owned(), elapsed.into());
        evidence.insert("redirects".to_owned(), json!(redirects));
        let why = match answer {
            Err(why) => question.secrets.veil(&why),
            Ok((status, url, retry, matched, header)) => {
                evidence.insert("status".to_owned(), status.as_u16().into());
                evidence.insert("final_url".to_owned(), question.shown(&url).into());
                evidence.insert("tls".to_owned(), (url.scheme() == "https").into());
                evidence.insert("matched".to_owned(), json!(matched));
                let expected = question.status.accepts(status);
                if !expected && (status.is_server_error() || status.as_u16() == 429) {
                    let what = format!("{} answered {status}", question.shown(&url));
                    let mut fault = Fault::temporary(on_site(call, &what));
                    fault.retry_after = retry;
                    fault.checks.push(check(Verdict::Fail, evidence));
                    return Err(fault);
                }
                if expected && matched != Some(false) && header.is_none() {
                    return Ok(Outcome {
                        checks: vec![check(Verdict::Pass, evidence)],
                        ..Outcome::default()
                    });
                }
                match (expected, header) {
                    (true, Some(header)) => question.secrets.veil(&header),
                    (true, None) => "the answer does not contain the expected text".to_owned(),
                    (false, _) => format!("the answer was {status}"),
                }
            }
        };
        evidence.insert("why".to_owned(), why.as_str().into());
        let message = format!("{} is not reachable: {why}", question.shown(&question.url));
        let mut fault = Fault::new(FaultKind::Validation, on_site(call, &message));
        fault.checks.push(check(Verdict::Fail, evidence));
        Err(fault)
    }
}

impl Question {
    /// A URL for people: no user, no password, and no query once a secret
    /// may be in it.
    fn shown(&self, url: &Url) -> String {
        let mut url = url.clone();
        // These fail for URLs that have no host, and hold nothing to hide.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        if !self.secrets.is_empty() && url.query().is_some() {
            url.set_query(Some("***"));
        }
        self.secrets.veil(url.as_str())
    }
}

fn check(verdict: Verdict, evidence: Map<String, Value>) -> Check {
    Check {
        name: "reachable".to_owned(),
        verdict,
        evidence: Value::Object(evidence),
    }
}

async fn contains(mut response: Response, text: &str) -> Result<bool, String> {
    let mut body = Vec::new();
    while body.len() < BODY_BYTES {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => return Err(innermost(&error.without_url())),
        }
    }
    Ok(String::from_utf8_lossy(&body).contains(text))
}

#[async_trait]
impl Connector for HttpConnector {
    fn offers(&self) -> &'static [Action] {
        &[Action::HttpCheck, Action::TcpCheck]
    }

    async fn inspect(&self, _inspect: &Inspect) -> Inspection {
        Inspection::default()
    }

    async fn perform(&self, call: &Call, context: &dyn Context) -> Result<Outcome, Fault> {
        let work = async {
            match call.action {
                Action::TcpCheck => tcp::check(call, &self.base, &self.resolver).await,
                _ => self.examine(call, &self.question(call)?).await,
            }
        };
        tokio::select! {
            answer = work => answer,
            () = context.cancelled().cancelled() => {
                Err(Fault::new(FaultKind::Cancelled, "the check was cancelled"))
            }
        }
    }

    /// To look again costs nothing.
    async fn probe(
        &self,
        _call: &Call,
        _mark: Option<&Value>,
        _context: &dyn Context,
    ) -> Result<Probe, Fault> {
        Ok(Probe::NotYet)
    }

    async fn close(&self) {}
}

#[cfg(test)]
mod tests;
