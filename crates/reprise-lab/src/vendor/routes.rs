//! The vendor's own API:
//!
//! ```text
//! POST /oauth/token                     client credentials -> a token
//! GET  /v1/sites/SITE/apps?page=N       { "apps": [{ "id", "state" }], "next" }
//! POST /v1/sites/SITE/apps              { "app": ID }, with an idempotency key
//! PUT  /v1/sites/SITE/apps/APP          connects it again, with a key
//! GET  /v1/sites/SITE/apps/APP          { "id", "state" }
//! ```

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::admin;
use super::mischief::{Doing, What};
use super::server::Vendor;
use super::state::State;

const BODY: usize = 16 << 20;

type Answer = Response<Full<Bytes>>;

/// What a request came with.
struct Asked {
    method: Method,
    segments: Vec<String>,
    query: String,
    token: Option<String>,
    key: Option<String>,
    body: Vec<u8>,
}

pub(super) async fn answer(request: Request<Incoming>, vendor: Arc<Vendor>) -> io::Result<Answer> {
    let asked = read(request).await?;
    if asked.segments.first().is_some_and(|first| first == "admin") {
        let segments: Vec<&str> = asked.segments.iter().skip(1).map(String::as_str).collect();
        let (status, body) = admin::answer(&asked.method, &segments, &asked.body, &vendor);
        vendor.state().keep()?;
        return Ok(json_answer(status, &body));
    }
    let Some((doing, site, app)) = about(&asked) else {
        return Ok(json_answer(
            404,
            &json!({ "error": { "message": "no such address" } }),
        ));
    };
    let mood = vendor.state().moods.met(doing, &site, &app);
    match &mood {
        Some(What::Drop) => return Err(dropped()),
        Some(What::Late(millis)) => tokio::time::sleep(Duration::from_millis(*millis)).await,
        Some(What::Busy(after)) => return Ok(later(429, after)),
        Some(What::Unavailable(after)) => return Ok(later(503, after)),
        Some(What::Refuse(status)) => return Ok(refused(*status, &asked)),
        Some(What::Lose | What::Crash | What::Nothing | What::Leave(_)) | None => {}
    }
    let (status, body) = act(&asked, doing, &site, &app, mood.as_ref(), &vendor);
    if doing == Doing::Install {
        vendor.state().keep()?;
    }
    match mood {
        Some(What::Lose) => Err(dropped()),
        Some(What::Crash) => Ok(json_answer(500, &json!({ "message": "it broke" }))),
        _ => Ok(json_answer(status, &body)),
    }
}

fn dropped() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "dropped on purpose")
}

async fn read(request: Request<Incoming>) -> io::Result<Asked> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY)
        .collect()
        .await
        .map_err(io::Error::other)?;
    let header = |name: &str| Some(parts.headers.get(name)?.to_str().ok()?.to_owned());
    let token = header(AUTHORIZATION.as_str());
    Ok(Asked {
        segments: parts
            .uri
            .path()
            .split('/')
            .filter(|s| !s.is_empty())
            .map(unescaped)
            .collect(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        token: token.and_then(|token| Some(token.strip_prefix("Bearer ")?.to_owned())),
        key: header("idempotency-key"),
        method: parts.method,
        body: body.to_bytes().to_vec(),
    })
}

/// What is asked, of which site and app.
fn about(asked: &Asked) -> Option<(Doing, String, String)> {
    let segments: Vec<&str> = asked.segments.iter().map(String::as_str).collect();
    let (doing, site, app) = match (&asked.method, &segments[..]) {
        (&Method::POST, ["oauth", "token"]) => (Doing::Token, "", String::new()),
        (&Method::GET, ["v1", "sites", site, "apps"]) => (Doing::List, *site, String::new()),
        (&Method::POST, ["v1", "sites", site, "apps"]) => {
            let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
            let app = body["app"].as_str().unwrap_or_default().to_owned();
            (Doing::Install, *site, app)
        }
        (&Method::PUT, ["v1", "sites", site, "apps", app]) => {
            (Doing::Install, *site, (*app).to_owned())
        }
        (&Method::GET, ["v1", "sites", site, "apps", app]) => {
            (Doing::Check, *site, (*app).to_owned())
        }
        _ => return None,
    };
    Some((doing, site.to_owned(), app))
}

fn act(
    asked: &Asked,
    doing: Doing,
    site: &str,
    app: &str,
    mood: Option<&What>,
    vendor: &Vendor,
) -> (u16, Value) {
    let mut state = vendor.state();
    if doing == Doing::Token {
        return token(asked, &mut state, vendor);
    }
    if asked
        .token
        .as_ref()
        .is_none_or(|token| !state.tokens.contains(token))
    {
        state.counts.unauthorized += 1;
        return (
            401,
            json!({ "error": { "message": "the token is not valid" } }),
        );
    }
    match doing {
        Doing::Token | Doing::List => list(asked, site, &mut state, vendor.options.page),
        Doing::Install => install(asked, site, app, mood, &mut state),
        Doing::Check => check(site, app, &mut state),
    }
}

fn token(asked: &Asked, state: &mut State, vendor: &Vendor) -> (u16, Value) {
    let form = String::from_utf8_lossy(&asked.body).into_owned();
    let value = |name: &str| {
        let pairs = form.split('&').filter_map(|pair| pair.split_once('='));
        let found = pairs.clone().find(|(known, _)| *known == name);
        found.map(|(_, value)| unescaped(&value.replace('+', " ")))
    };
    let options = &vendor.options;
    let known = value("grant_type").as_deref() == Some("client_credentials")
        && value("client_id").as_ref() == Some(&options.client_id)
        && value("client_secret").as_ref() == Some(&options.client_secret);
    if !known {
        let words = format!(
            "no client has the secret {}",
            value("client_secret").unwrap_or_default()
        );
        return (
            401,
            json!({ "error": "invalid_client", "error_description": words }),
        );
    }
    let token = state.issue_token();
    (
        200,
        json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600 }),
    )
}

fn list(asked: &Asked, site: &str, state: &mut State, page: usize) -> (u16, Value) {
    state.counts.lists += 1;
    let number = asked
        .query
        .split('&')
        .find_map(|pair| pair.strip_prefix("page="));
    let from: usize = number.and_then(|text| text.parse().ok()).unwrap_or(0);
    let Some(apps) = state.sites.get(site) else {
        return (200, json!({ "apps": [], "next": null }));
    };
    let items: Vec<Value> = apps
        .iter()
        .skip(from)
        .take(page)
        .map(|(id, state)| json!({ "id": id, "state": state }))
        .collect();
    let next = (from + page < apps.len()).then(|| format!("?page={}", from + page));
    (200, json!({ "apps": items, "next": next }))
}

fn install(
    asked: &Asked,
    site: &str,
    app: &str,
    mood: Option<&What>,
    state: &mut State,
) -> (u16, Value) {
    let Some(key) = &asked.key else {
        return (
            400,
            json!({ "error": { "message": "there is no Idempotency-Key" } }),
        );
    };
    if app.is_empty() {
        return (422, json!({ "error": { "message": "there is no app" } }));
    }
    match mood {
        Some(What::Nothing) => state.effect(key, site, app, "active", true),
        Some(What::Leave(found)) => state.effect(key, site, app, found, false),
        _ => state.effect(key, site, app, "active", false),
    }
}

fn check(site: &str, app: &str, state: &mut State) -> (u16, Value) {
    state.counts.checks += 1;
    match state.sites.get(site).and_then(|apps| apps.get(app)) {
        Some(found) => (200, json!({ "id": app, "state": found })),
        None => (404, json!({ "error": { "message": "no such app" } })),
    }
}

fn json_answer(status: u16, body: &Value) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT);
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn later(status: u16, after: &str) -> Answer {
    let mut response = json_answer(status, &json!({ "message": "not now" }));
    if let Ok(after) = HeaderValue::from_str(after) {
        response.headers_mut().insert(RETRY_AFTER, after);
    }
    response
}

/// As careless vendors do, it repeats what it was sent.
fn refused(status: u16, asked: &Asked) -> Answer {
    let sent = asked.token.as_deref().unwrap_or_default();
    let words = format!(
        "the plan of this app is no longer sold (token {sent})\n{}",
        "x".repeat(400)
    );
    json_answer(status, &json!({ "error": { "message": words } }))
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let code = code.and_then(|two| u8::from_str_radix(two, 16).ok());
        rest = match (first, code) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                &after[2..]
            }
            (first, _) => {
                bytes.push(*first);
                after
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
