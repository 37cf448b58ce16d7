//! A target that is asked by HTTP.
//!
//! `GET offset` gives `{ "seq": N }`, and `count` where the target knows it;
//! 404 where it has nothing of the stream. `POST apply` takes
//! `{ "after": N, "events": [...] }`; a target whose offset is not `after`
//! answers 409 or 412 and does nothing. A drop, a time-out or a 5xx leaves it
//! open whether a batch was taken: the next attempt asks for the offset.

use std::collections::BTreeMap;

use reprise_model::{Fault, FaultKind, HttpTarget, SiteId};
use reprise_ports::CallSite;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Applied, Due, Held};
use crate::events::config::{EventsConfig, EventsShard};
use crate::generic::{Secrets, innermost, retry_after, trusting};
use crate::http::{escaped, harmless, is_dots, kind_of, message_in, split};

/// An offset is a short answer.
const BODY: usize = 1 << 20;
const KEY_HEADER: &str = "Idempotency-Key";

pub(in crate::events) struct HttpSession<'a> {
    end: String,
    config: &'a EventsConfig,
    target: &'a HttpTarget,
    client: Client,
    base: Url,
    user: Option<(String, SecretString)>,
    secrets: Vec<SecretString>,
}

#[derive(Serialize)]
struct Batch<'a> {
    after: i64,
    events: Vec<Sent<'a>>,
}

#[derive(Serialize)]
struct Sent<'a> {
    site: &'a str,
    stream: &'a str,
    seq: i64,
    time: reprise_model::Timestamp,
    payload: &'a RawValue,
}

struct Answer {
    status: StatusCode,
    fault: Option<Fault>,
    body: Vec<u8>,
}

impl<'a> HttpSession<'a> {
    pub fn open(
        end: String,
        config: &'a EventsConfig,
        shard: &EventsShard,
        live: &SecretString,
        target: &'a HttpTarget,
    ) -> Result<Self, Fault> {
        let (base, user) = split(live, &config.store, &shard.id)?;
        let builder = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(target.timeout.0)
            .user_agent(concat!("reprise/", env!("CARGO_PKG_VERSION")));
        let client = trusting(builder, None)
            .and_then(|builder| builder.build().map_err(|error| error.to_string()))
            .map_err(|error| Fault::permanent(format!("{end}: no client: {error}")))?;
        let mut secrets = vec![live.clone()];
        secrets.extend(user.iter().map(|(_, password)| password.clone()));
        Ok(Self {
            end,
            config,
            target,
            client,
            base,
            user,
            secrets,
        })
    }

    pub fn batch(&self) -> usize {
        usize::try_from(self.target.batch)
            .unwrap_or(usize::MAX)
            .max(1)
    }

    /// What is filled into an address is escaped: no id leads to another site.
    fn address(&self, template: &str, site: &CallSite, stream: &str) -> Result<Url, Fault> {
        for part in [site.id.as_str(), stream] {
            if is_dots(part) {
                return Err(Fault::permanent(format!(
                    "`{part}` cannot stand in an address"
                )));
            }
        }
        let safe = CallSite {
            id: SiteId::new(escaped(site.id.as_str())),
            attributes: harmless(&site.attributes),
        };
        let names = BTreeMap::from([("stream".to_owned(), escaped(stream))]);
        let path = (self.config.render)(template, &safe, &names).map_err(Fault::permanent)?;
        self.join(&path)
    }

    fn join(&self, path: &str) -> Result<Url, Fault> {
        let base = self.base.as_str().trim_end_matches('/');
        Url::parse(&format!("{base}/{}", path.trim_start_matches('/'))).map_err(|error| {
            Fault::permanent(format!("{}: `{path}` is no address: {error}", self.end))
        })
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.client.request(method, url);
        match &self.user {
            Some((user, password)) => request.basic_auth(user, Some(password.expose_secret())),
            None => request,
        }
    }

    async fn send(&self, doing: &str, request: RequestBuilder) -> Result<Answer, Fault> {
        let lost = |error: reqwest::Error| {
            let why = self.veiled(&innermost(&error.without_url()));
            Fault::temporary(format!("{}: {doing}: no answer: {why}", self.end))
        };
        let mut response = request.send().await.map_err(lost)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > BODY {
                let what = format!(
                    "{}: {doing}: the answer is larger than {BODY} bytes",
                    self.end
                );
                return Err(Fault::permanent(what));
            }
            body.extend_from_slice(&chunk);
        }
        let status = response.status();
        let fault = (!status.is_success()).then(|| {
            let mut message = format!("{}: {doing}: answered {status}", self.end);
            if let Some(words) = message_in(&body, |words| self.veiled(words)) {
                message = format!("{message}: {words}");
            }
            let mut fault = Fault::new(kind_of(status), message);
            fault.retry_after = retry_after(response.headers());
            if matches!(status.as_u16(), 401 | 403) {
                fault.hint = Some("the target refuses the user and password in `live`".to_owned());
            }
            fault
        });
        Ok(Answer {
            status,
            fault,
            body,
        })
    }

    fn veiled(&self, text: &str) -> String {
        Secrets::of(self.secrets.iter().cloned()).veil(text)
    }

    pub async fn held(&self, site: &CallSite, streams: &[String]) -> Result<Held, Fault> {
        let mut held = Held::default();
        let mut counts = BTreeMap::new();
        for stream in streams {
            let url = self.address(&self.target.offset, site, stream)?;
            let doing = format!("asking for the offset of {stream}");
            let answer = self.send(&doing, self.request(Method::GET, url)).await?;
            if answer.status == StatusCode::NOT_FOUND {
                continue;
            }
            if let Some(fault) = answer.fault {
                return Err(fault);
            }
            let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let seq = value.get("seq").and_then(Value::as_i64).ok_or_else(|| {
                Fault::permanent(format!("{}: {doing}: the answer has no `seq`", self.end))
            })?;
            held.offsets.insert(stream.clone(), seq);
            if let Some(count) = value.get("count").and_then(Value::as_u64) {
                counts.insert(stream.clone(), count);
            }
        }
        // A target that counts does so for every stream that it has.
        if !counts.is_empty() && counts.len() == held.offsets.len() {
            held.counts = Some(counts);
        }
        Ok(held)
    }

    pub async fn apply(
        &self,
        site: &CallSite,
        stream: &str,
        after: i64,
        due: &[Due],
        key: &str,
    ) -> Result<Applied, Fault> {
        let Some(last) = due.last() else {
            return Ok(Applied::Yes);
        };
        let url = self.address(&self.target.apply, site, stream)?;
        let events = due.iter().map(|event| Sent {
            site: site.id.as_str(),
            stream,
            seq: event.seq,
            time: event.time,
            payload: &event.payload,
        });
        let body = Batch {
            after,
            events: events.collect(),
        };
        let body = serde_json::to_vec(&body).expect("a batch is plain data");
        let doing = format!("applying {stream} up to number {}", last.seq);
        let key = format!("{}/{}/{after}", escaped(key), escaped(stream));
        let request = self
            .request(Method::POST, url)
            .header(CONTENT_TYPE, "application/json")
            .header(KEY_HEADER, key)
            .body(body);
        let answer = self.send(&doing, request).await?;
        match (answer.status, answer.fault) {
            (StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED, _) => Ok(Applied::Moved),
            (_, Some(fault)) => Err(fault),
            (_, None) => Ok(Applied::Yes),
        }
    }

    pub async fn clear(&self, site: &CallSite) -> Result<(), Fault> {
        let clear = self.target.clear.as_ref().ok_or_else(|| {
            Fault::permanent("`on_conflict: replace` needs `http.clear` in the store's tenant")
        })?;
        let names = BTreeMap::new();
        if is_dots(site.id.as_str()) {
            return Err(Fault::permanent(format!(
                "`{}` cannot stand in an address",
                site.id
            )));
        }
        let safe = CallSite {
            id: SiteId::new(escaped(site.id.as_str())),
            attributes: harmless(&site.attributes),
        };
        let path = (self.config.render)(clear, &safe, &names).map_err(Fault::permanent)?;
        let request = self.request(Method::DELETE, self.join(&path)?);
        let answer = self.send("clearing the site", request).await?;
        match (answer.status, answer.fault) {
            (StatusCode::NOT_FOUND, _) | (_, None) => Ok(()),
            (_, Some(fault)) => Err(fault),
        }
    }

    /// Any answer shows that it is there, but for a refusal of who asks.
    pub async fn look(&self) -> Result<String, Fault> {
        let request = self.request(Method::GET, self.join("")?);
        let answer = self.send("looking", request).await?;
        match answer.fault {
            Some(fault) if matches!(answer.status.as_u16(), 401 | 403) => Err(fault),
            Some(fault) if fault.kind == FaultKind::Temporary => Err(fault),
            Some(_) | None => Ok("the live end answers".to_owned()),
        }
    }
}
