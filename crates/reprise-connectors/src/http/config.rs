//! What the connector is made of, with paths and secrets resolved.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use reprise_model::{Apps, ShardId, SiteId, StoreId};
use reprise_ports::Connector;
use secrecy::SecretString;

pub struct AppsConfig {
    pub store: StoreId,
    pub apps: Apps,
    pub auth: Option<Credentials>,
    pub shards: Vec<AppsShard>,
    pub listing: Listing,
    pub renderer: Renderer,
    /// PEM file of the authorities to be trusted.
    pub ca: Option<PathBuf>,
}

pub struct AppsShard {
    pub id: ShardId,
    /// A drill has none.
    pub live: Option<SecretString>,
}

pub enum Credentials {
    Oauth {
        token_url: String,
        client_id: SecretString,
        client_secret: SecretString,
        scope: Option<String>,
    },
    Bearer(SecretString),
}

/// Where the apps of all sites as they were at T are read from.
pub enum Listing {
    File(PathBuf),
    Query {
        name: StoreId,
        store: Arc<dyn Connector>,
        shard: ShardId,
        query: String,
    },
}

/// What a request's templates see.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// For errors: which text is rendered.
    pub place: &'a str,
    pub site: (&'a SiteId, &'a BTreeMap<String, String>),
    /// The attributes of the app, `id` among them.
    pub app: Option<&'a BTreeMap<String, String>>,
}

/// Renders a text: templates are not this crate's to know.
pub type Renderer = Arc<dyn Fn(&str, &Seen<'_>) -> Result<String, String> + Send + Sync>;
