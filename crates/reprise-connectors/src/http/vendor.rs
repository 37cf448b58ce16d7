//! One end of a vendor: requests with a bound on time and size, and what their
//! answers mean. Redirects are not followed: a token goes where it was meant to.

use std::time::Duration;

use reprise_model::{Fault, ShardId, StoreId};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};

use super::config::{AppsConfig, Credentials};
use super::credentials::{Token, bearer};
use super::fault::{Miss, is_lost, kind_of, message_in};
use crate::generic::{Secrets, innermost, retry_after, trusting};
use crate::shared::percent;

/// Of an answer at most this much is read; a page of a listing is far smaller.
const BODY: usize = 16 << 20;

pub(super) struct Vendor {
    pub client: Client,
    /// The live end without user and password.
    base: Url,
    user: Option<(String, SecretString)>,
    /// Host and port, for people.
    pub shown: String,
    token: Token,
    secrets: Vec<SecretString>,
}

/// A request as data: it is built anew when a token has to be renewed.
pub(super) struct Asked {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Option<Vec<u8>>,
}

pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Vendor {
    pub fn open(config: &AppsConfig, shard: &ShardId) -> Result<Self, Fault> {
        let store = &config.store;
        let live = config
            .shards
            .iter()
            .find(|known| known.id == *shard)
            .and_then(|shard| shard.live.as_ref())
            .ok_or_else(|| Fault::refused(format!("{store}/{shard} has no live end here")))?;
        let (base, user) = split(live, store, shard)?;
        let client = client(config)?;
        let mut secrets = vec![live.clone()];
        secrets.extend(user.iter().map(|(_, password)| password.clone()));
        match &config.auth {
            None => {}
            Some(Credentials::Bearer(token)) => secrets.push(token.clone()),
            Some(Credentials::Oauth {
                client_id,
                client_secret,
                ..
            }) => {
                secrets.extend([client_id.clone(), client_secret.clone()]);
            }
        }
        let port = base.port_or_known_default().unwrap_or_default();
        Ok(Self {
            shown: format!("{}:{port}", base.host_str().unwrap_or_default()),
            client,
            base,
            user,
            token: Token::default(),
            secrets,
        })
    }

    /// An address relative to the live end, or an absolute one.
    pub fn address(&self, url: &str) -> Result<Url, Miss> {
        let joined = if url.starts_with("http://") || url.starts_with("https://") {
            Url::parse(url)
        } else {
            let base = self.base.as_str().trim_end_matches('/');
            Url::parse(&format!("{base}/{}", url.trim_start_matches('/')))
        };
        joined.map_err(|error| {
            Miss::certain(Fault::permanent(format!(
                "`{url}` is no address at {}: {error}",
                self.shown
            )))
        })
    }

    /// The next page, which must be at the same vendor: the token goes along.
    pub fn next(&self, current: &Url, next: &str) -> Result<Url, Miss> {
        let joined = current.join(next).ok();
        joined
            .filter(|url| url.origin() == self.base.origin())
            .ok_or_else(|| {
                let shown = &self.shown;
                Miss::certain(Fault::permanent(format!(
                    "{shown} names a next page that is not its own"
                )))
            })
    }

    /// Asks, with a token that is renewed once.
    pub async fn ask(&self, asked: &Asked, auth: Option<&Credentials>) -> Result<Answer, Miss> {
        let Some(credentials) = auth else {
            return self.send(self.signed(asked)).await;
        };
        let token = self.token.newer_than(None, self, credentials).await?;
        let (name, value) = bearer(&token)?;
        let answer = self.send(self.request(asked).header(name, value)).await?;
        if answer.status != StatusCode::UNAUTHORIZED
            || matches!(credentials, Credentials::Bearer(_))
        {
            return Ok(answer);
        }
        let token = self
            .token
            .newer_than(Some(&token), self, credentials)
            .await?;
        let (name, value) = bearer(&token)?;
        self.send(self.request(asked).header(name, value)).await
    }

    /// By the user of the live URL: a token, where there is one, takes its place.
    fn signed(&self, asked: &Asked) -> RequestBuilder {
        let request = self.request(asked);
        match &self.user {
            Some((user, password)) => request.basic_auth(user, Some(password.expose_secret())),
            None => request,
        }
    }

    fn request(&self, asked: &Asked) -> RequestBuilder {
        let request = self
            .client
            .request(asked.method.clone(), asked.url.clone())
            .headers(asked.headers.clone());
        match &asked.body {
            Some(body) => request.body(body.clone()),
            None => request,
        }
    }

    /// Sends, and reads the answer to its end.
    pub async fn send(&self, request: RequestBuilder) -> Result<Answer, Miss> {
        let lost = |error: reqwest::Error| {
            let why = self.veiled(&innermost(&error.without_url()));
            Miss::lost(Fault::temporary(format!(
                "no answer from {}: {why}",
                self.shown
            )))
        };
        let mut response = request.send().await.map_err(lost)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > BODY {
                let what = format!("the answer of {} is larger than {BODY} bytes", self.shown);
                return Err(Miss::certain(Fault::permanent(what)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status: response.status(),
            headers: response.headers().clone(),
            body,
        })
    }

    /// What an answer that is no success means. `whose` leads: `the token endpoint of`.
    pub fn refusal(&self, whose: &str, answer: &Answer) -> Miss {
        let mut message = format!("{whose} {} answered {}", self.shown, answer.status);
        if let Some(words) = message_in(&answer.body, |words| self.veiled(words)) {
            message = format!("{message}: {words}");
        }
        let mut fault = Fault::new(kind_of(answer.status), message.trim_start());
        fault.retry_after = retry_after(&answer.headers);
        if matches!(answer.status.as_u16(), 401 | 403) {
            fault.hint = Some(
                "the vendor refuses these credentials: look at `auth` of the store".to_owned(),
            );
        }
        Miss {
            fault,
            lost: is_lost(answer.status),
            status: Some(answer.status),
        }
    }

    /// Without anything that was told in confidence. The token is kept from
    /// view as well: a vendor may say which one it refuses.
    pub fn veiled(&self, text: &str) -> String {
        let tokens = self.token.seen();
        Secrets::of(self.secrets.iter().cloned().chain(tokens)).veil(text)
    }
}

pub(crate) fn split(
    live: &SecretString,
    store: &StoreId,
    shard: &ShardId,
) -> Result<(Url, Option<(String, SecretString)>), Fault> {
    // The parser's own message could quote the address, and its password with it.
    let malformed = || Fault::permanent(format!("the live URL of {store}/{shard} is malformed"));
    let mut url = Url::parse(live.expose_secret()).map_err(|_| malformed())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(malformed());
    }
    let plain = |text: &str| {
        let bytes = percent::decode(text).ok_or_else(malformed)?;
        String::from_utf8(bytes).map_err(|_| malformed())
    };
    let user = match url.username() {
        "" => None,
        name => {
            let password = plain(url.password().unwrap_or_default())?;
            Some((plain(name)?, SecretString::from(password)))
        }
    };
    // These fail for addresses without a host only.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Ok((url, user))
}

fn client(config: &AppsConfig) -> Result<Client, Fault> {
    let timeout: Duration = config.apps.timeout.0;
    let builder = Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .timeout(timeout)
        .user_agent(concat!("reprise/", env!("CARGO_PKG_VERSION")));
    let builder = trusting(builder, config.ca.as_deref()).map_err(Fault::permanent)?;
    builder
        .build()
        .map_err(|error| Fault::permanent(format!("no client for {}: {error}", config.store)))
}
