//! Who reprise is for the vendor: a token that is fetched, kept, and fetched
//! anew once it is no longer accepted.

use std::sync::{Mutex, PoisonError};

use reprise_model::Fault;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::config::Credentials;
use super::fault::Miss;
use super::place;
use super::vendor::Vendor;

/// Of the tokens that were in use this many are kept from view.
const REMEMBERED: usize = 8;

/// The token that is in use; one task fetches it, the others wait.
#[derive(Default)]
pub(super) struct Token {
    kept: tokio::sync::Mutex<Option<SecretString>>,
    seen: Mutex<Vec<SecretString>>,
}

impl Token {
    /// What no message may show.
    pub fn seen(&self) -> Vec<SecretString> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn remember(&self, token: &SecretString) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(0, token.clone());
        seen.truncate(REMEMBERED);
    }

    /// The token, or a newer one than `stale`.
    pub async fn newer_than(
        &self,
        stale: Option<&SecretString>,
        vendor: &Vendor,
        credentials: &Credentials,
    ) -> Result<SecretString, Miss> {
        let mut kept = self.kept.lock().await;
        if let Some(token) = kept.as_ref()
            && stale.is_none_or(|stale| stale.expose_secret() != token.expose_secret())
        {
            return Ok(token.clone());
        }
        let token = match credentials {
            Credentials::Bearer(token) => token.clone(),
            Credentials::Oauth {
                token_url,
                client_id,
                client_secret,
                scope,
            } => {
                let form = form(client_id, client_secret, scope.as_deref());
                fetch(vendor, token_url, form).await?
            }
        };
        self.remember(&token);
        *kept = Some(token.clone());
        Ok(token)
    }
}

/// As `application/x-www-form-urlencoded`.
fn form(id: &SecretString, secret: &SecretString, scope: Option<&str>) -> String {
    let mut url = Url::parse("http://form/").expect("it is an address");
    url.query_pairs_mut()
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", id.expose_secret())
        .append_pair("client_secret", secret.expose_secret())
        .extend_pairs(scope.map(|scope| ("scope", scope)));
    url.query().unwrap_or_default().to_owned()
}

async fn fetch(vendor: &Vendor, url: &str, form: String) -> Result<SecretString, Miss> {
    let request = vendor
        .client
        .request(Method::POST, vendor.address(url)?)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(ACCEPT, "application/json")
        .body(form);
    let answer = vendor.send(request).await?;
    if !answer.status.is_success() {
        let mut miss = vendor.refusal("the token endpoint of", &answer);
        if miss.fault.kind == reprise_model::FaultKind::Permanent {
            miss.fault.hint = Some("look at `auth` of the store and its variables".to_owned());
        }
        return Err(miss);
    }
    let value: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let token = value
        .as_ref()
        .and_then(|value| place::at(value, "access_token"));
    let token = token.and_then(place::text).ok_or_else(|| {
        let shown = &vendor.shown;
        Miss::certain(Fault::permanent(format!(
            "the token endpoint of {shown} gave no access_token"
        )))
    })?;
    Ok(token.into())
}

/// The header of a token, which no log shows.
pub(super) fn bearer(
    token: &SecretString,
) -> Result<(reqwest::header::HeaderName, HeaderValue), Miss> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
        .map_err(|_| Miss::certain(Fault::permanent("the token cannot stand in a header")))?;
    value.set_sensitive(true);
    Ok((AUTHORIZATION, value))
}
