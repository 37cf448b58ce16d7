//! Third-party apps behind a vendor's API: which apps a site had, and how the
//! vendor is asked about them. The values of a store of kind `http`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Elapsed, StoreId, Text};

/// All that is declared of one vendor. Texts of requests are templates over
/// `site` and, but for `list`, over `app`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Apps {
    pub at: AppsAt,
    pub auth: Option<Auth>,
    pub list: ListRequest,
    /// The effect that brings an app back.
    pub install: Request,
    /// For an app that the vendor lists and that does not work; `install` where absent.
    pub reconnect: Option<Request>,
    /// Asked of each app by `verify`, where a listing does not tell enough.
    pub check: Option<CheckRequest>,
    /// Whether apps that the site did not have at T pass a verification.
    pub extra_allowed: bool,
    /// The header that carries the idempotency key of an effect.
    pub idempotency_header: String,
    /// Longest wait for one answer.
    pub timeout: Elapsed,
    /// Authorities to be trusted instead of the system's.
    pub ca: Option<PathBuf>,
}

/// Where the apps of all sites as they were at T are listed: rows with `site`
/// and `app`, every further column an attribute of the app.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppsAt {
    /// CSV with a header line, or JSON lines; with `since` and `until` where
    /// the file tells times.
    File { path: PathBuf },
    /// A query against the one shard of a store recovered to T.
    Query { store: StoreId, query: String },
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Request {
    pub method: String,
    /// Relative to the live end.
    pub url: String,
    pub headers: BTreeMap<String, String>,
    /// Sent as JSON, each text in it a template.
    pub body: Option<Value>,
    /// What is a success.
    pub status: Vec<u16>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ListRequest {
    pub request: Request,
    /// Where the ids are, such as `items[].id`.
    pub id: String,
    /// Where the states are, in the same items.
    pub state: Option<String>,
    /// States of an app that works; empty: being listed is enough.
    pub ok: Vec<String>,
    /// Where the address of the next page is; absent or null on the last.
    pub next: Option<String>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CheckRequest {
    pub request: Request,
    pub state: Option<String>,
    pub ok: Vec<String>,
}

/// How reprise shows who it is. Secrets in the address of the live end serve
/// vendors that take a user and a password.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// Client credentials: a token is fetched, kept, and fetched anew when it
    /// is no longer accepted.
    Oauth {
        /// Absolute, or relative to the live end.
        token_url: String,
        client_id: Text,
        client_secret: Text,
        scope: Option<String>,
    },
    Bearer(Text),
}

impl Apps {
    /// The texts that hold references, by the key they stand at below `tenant`.
    pub fn secrets(&self) -> Vec<(&'static str, &Text)> {
        match &self.auth {
            None => Vec::new(),
            Some(Auth::Bearer(token)) => vec![("auth.bearer", token)],
            Some(Auth::Oauth {
                client_id,
                client_secret,
                ..
            }) => vec![
                ("auth.oauth.client_id", client_id),
                ("auth.oauth.client_secret", client_secret),
            ],
        }
    }
}
