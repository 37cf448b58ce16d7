//! The declared requests, rendered and sent for one site.

use std::collections::{BTreeMap, BTreeSet};

use reprise_model::{Fault, Request, SiteId};
use reprise_ports::CallSite;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use serde_json::Value;

use super::config::{AppsConfig, Seen};
use super::fault::Miss;
use super::listing::App;
use super::place;
use super::vendor::{Answer, Asked, Vendor};

/// A listing of more pages runs in a circle.
const PAGES: usize = 10_000;

/// One site at one end of the vendor.
pub(super) struct Requests<'a> {
    pub config: &'a AppsConfig,
    pub vendor: &'a Vendor,
    pub site: &'a CallSite,
}

/// What the vendor has for a site: each app, and whether it works.
pub(super) type Present = BTreeMap<String, Health>;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Health {
    Works,
    Broken(String),
}

fn wrong(what: String) -> Miss {
    Miss::certain(Fault::permanent(what))
}

impl Requests<'_> {
    /// All pages: of a listing that broke off nobody can say what is missing.
    pub async fn list(&self) -> Result<Present, Miss> {
        let list = &self.config.apps.list;
        let mut asked = self.asked("list", &list.request, None)?;
        let mut present = Present::new();
        let mut pages = BTreeSet::new();
        loop {
            let answer = self.send(&asked, &list.request).await?;
            let value = self.json(&answer)?;
            self.take(&value, &mut present)?;
            let next = list
                .next
                .as_deref()
                .and_then(|next| place::at(&value, next));
            let Some(next) = next.and_then(place::text).filter(|next| !next.is_empty()) else {
                return Ok(present);
            };
            asked.url = self.vendor.next(&asked.url, &next)?;
            if !pages.insert(asked.url.clone()) || pages.len() > PAGES {
                let shown = &self.vendor.shown;
                return Err(wrong(format!("the listing of {shown} has no end")));
            }
        }
    }

    fn take(&self, value: &Value, present: &mut Present) -> Result<(), Miss> {
        let list = &self.config.apps.list;
        let shown = &self.vendor.shown;
        let (items, inside) = place::items(value, &list.id).ok_or_else(|| {
            wrong(format!(
                "the answer of {shown} has no list at `{}`",
                list.id
            ))
        })?;
        let state = list
            .state
            .as_deref()
            .and_then(|state| state.split_once("[]"));
        for item in items {
            let id = place::at(item, inside).and_then(place::text);
            let id =
                id.ok_or_else(|| wrong(format!("an app in the answer of {shown} has no id")))?;
            let state = state.map(|(_, inside)| place::at(item, inside));
            present.insert(id, health(state, &list.ok));
        }
        Ok(())
    }

    /// Asks for the app's effect, under the same key in every attempt.
    pub async fn effect(&self, request: &Request, app: &App, key: &str) -> Result<(), Miss> {
        let mut asked = self.asked("install", request, Some(app))?;
        let name = &self.config.apps.idempotency_header;
        insert(&mut asked.headers, name, &escaped(key))?;
        self.send(&asked, request).await.map(drop)
    }

    /// What `check` says of an app; works where none is declared.
    pub async fn check(&self, app: &App) -> Result<Health, Miss> {
        let Some(check) = &self.config.apps.check else {
            return Ok(Health::Works);
        };
        let asked = self.asked("check", &check.request, Some(app))?;
        let answer = match self.send(&asked, &check.request).await {
            Ok(answer) => answer,
            Err(miss) => return self.refused_check(miss),
        };
        let Some(state) = &check.state else {
            return Ok(Health::Works);
        };
        let value = self.json(&answer)?;
        Ok(health(Some(place::at(&value, state)), &check.ok))
    }

    /// A vendor that says no has looked; one that is busy, or does not know
    /// who asks, has not.
    fn refused_check(&self, miss: Miss) -> Result<Health, Miss> {
        let looked = |status: &StatusCode| !matches!(status.as_u16(), 401 | 403);
        match miss.status.filter(looked) {
            Some(_) if !miss.fault.kind.may_pass() => Ok(Health::Broken(miss.fault.message)),
            Some(_) | None => Err(miss),
        }
    }

    async fn send(&self, asked: &Asked, request: &Request) -> Result<Answer, Miss> {
        let answer = self.vendor.ask(asked, self.config.auth.as_ref()).await?;
        if request.status.contains(&answer.status.as_u16()) {
            return Ok(answer);
        }
        Err(self.vendor.refusal("", &answer))
    }

    fn json(&self, answer: &Answer) -> Result<Value, Miss> {
        serde_json::from_slice(&answer.body).map_err(|_| {
            let shown = &self.vendor.shown;
            wrong(format!("the answer of {shown} is not JSON"))
        })
    }

    fn asked(&self, name: &str, request: &Request, app: Option<&App>) -> Result<Asked, Miss> {
        let url = self.address(name, &request.url, app)?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let body = match &request.body {
            Some(body) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                Some(self.body(name, body, app)?.to_string().into_bytes())
            }
            None => None,
        };
        for (header, text) in &request.headers {
            let text = self.render(name, text, &self.site.id, &self.site.attributes, app)?;
            insert(&mut headers, header, &text)?;
        }
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| wrong(format!("`{}` is no method", request.method)))?;
        Ok(Asked {
            method,
            url,
            headers,
            body,
        })
    }

    /// What is filled into an address is escaped: an id that holds a slash
    /// must not lead to another site.
    fn address(&self, name: &str, text: &str, app: Option<&App>) -> Result<Url, Miss> {
        let attributes = harmless(&self.site.attributes);
        let app = app.map(harmless);
        let site = SiteId::new(escaped(self.site.id.as_str()));
        if is_dots(self.site.id.as_str()) {
            return Err(wrong(format!(
                "site `{}` cannot stand in an address",
                self.site.id
            )));
        }
        let url = self.render(name, text, &site, &attributes, app.as_ref())?;
        self.vendor.address(&url)
    }

    fn body(&self, name: &str, value: &Value, app: Option<&App>) -> Result<Value, Miss> {
        Ok(match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
            Value::String(text) => self
                .render(name, text, &self.site.id, &self.site.attributes, app)?
                .into(),
            Value::Array(items) => {
                let items = items.iter().map(|item| self.body(name, item, app));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Value::Object(map) => {
                let pairs = map.iter();
                let pairs = pairs.map(|(key, item)| Ok((key.clone(), self.body(name, item, app)?)));
                Value::Object(pairs.collect::<Result<_, Miss>>()?)
            }
        })
    }

    fn render(
        &self,
        name: &str,
        text: &str,
        id: &SiteId,
        attributes: &BTreeMap<String, String>,
        app: Option<&App>,
    ) -> Result<String, Miss> {
        let place = format!("stores.{}.tenant.{name}", self.config.store);
        let seen = Seen {
            place: &place,
            site: (id, attributes),
            app,
        };
        (self.config.renderer)(text, &seen).map_err(wrong)
    }
}

/// Without a list of good states, being there is enough. `state` is absent
/// where none is declared, and empty where the answer has none.
fn health(state: Option<Option<&Value>>, ok: &[String]) -> Health {
    let Some(state) = state else {
        return Health::Works;
    };
    match state.and_then(place::text) {
        Some(state) if ok.is_empty() || ok.contains(&state) => Health::Works,
        Some(state) => Health::Broken(state),
        None => Health::Broken("no state".to_owned()),
    }
}

fn insert(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), Miss> {
    let name = HeaderName::try_from(name).map_err(|_| wrong(format!("`{name}` is no header")))?;
    let value = HeaderValue::try_from(value)
        .map_err(|_| wrong(format!("the value of header `{name}` cannot be sent")))?;
    headers.insert(name, value);
    Ok(())
}

pub(crate) fn is_dots(text: &str) -> bool {
    matches!(text, "." | ".." | "")
}

/// Escaped, and without what leads elsewhere even so: a template that uses it
/// is told that it is not there.
pub(crate) fn harmless(attributes: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let pairs = attributes.iter().filter(|(_, value)| !is_dots(value));
    pairs
        .map(|(name, value)| (name.clone(), escaped(value)))
        .collect()
}

/// Letters, digits and `-._~` as they are, every other byte as `%XX`.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}
