//! The layers of a full estate beside PostgreSQL: one file for each kind of
//! store, all behind [`Layer`] (`docs/design/lab.md`).

mod activity;
mod apps;
mod audit;
mod config;
mod diary;
mod directory;
pub mod front;
mod ldif;
mod load;
mod media;
pub mod plant;
mod service;
mod sources;
mod then;
mod up;
mod wiki;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest, Sha256};

pub use audit::{LayerSummary, audit};
pub use load::writers;
use service::Service;
pub use then::{change_once_more, delete, hand_over, remember};
pub use up::{build, ports, start, stop};

use crate::Error;
use crate::layout::Layout;
use crate::manifest::Manifest;
use sources::Sources;

/// All that a site has in a layer: what it is called, and a digest of it.
pub type Items = BTreeMap<String, String>;

/// A store's end that an estate describes: text for `estate.yaml` and
/// variables for `env`.
#[derive(Debug, Default)]
pub struct Described {
    pub estate: String,
    pub env: Vec<(String, String)>,
}

#[async_trait]
pub trait Layer: Send {
    /// The store's name in the estate.
    fn name(&self) -> &'static str;

    /// Makes what has to be there before the first start.
    fn create(&mut self) -> Result<(), Error>;

    /// Starts its servers; those that run go on.
    fn start(&mut self) -> Result<(), Error>;

    /// Everything that the sites have at first.
    async fn fill(&mut self, sources: &Sources) -> Result<(), Error>;

    /// Takes the backup that the past is recovered from.
    async fn back_up(&mut self) -> Result<(), Error>;

    /// Reads all that a site has in live.
    async fn items(&mut self, site: i64) -> Result<Items, Error>;

    /// Does what an application does to a site: one change that follows from `number`.
    async fn change(&mut self, site: i64, number: u64) -> Result<(), Error>;

    /// Deletes the site from live.
    async fn delete(&mut self, site: i64) -> Result<(), Error>;

    /// Puts the log of changes up to now where a recovery looks for it.
    async fn hand_over(&mut self) -> Result<(), Error>;

    fn described(&self) -> Described;
}

/// The layers of the lab, none where it is not a full one.
pub fn of(layout: &Layout, manifest: &Manifest) -> Result<Vec<Box<dyn Layer>>, Error> {
    if !manifest.build.full {
        return Ok(Vec::new());
    }
    let secret = layout.read_secret()?;
    let port = |name: &str| manifest.port(name);
    Ok(vec![
        Box::new(directory::Directory::new(
            layout,
            port("directory")?,
            &secret,
        )),
        Box::new(wiki::Wiki::new(layout, port("wiki")?, &secret)?),
        Box::new(media::Media::new(layout, manifest, &secret)?),
        Box::new(apps::Apps::new(layout, port("apps")?, &secret)),
        Box::new(activity::Activity::new(layout, manifest, &secret)?),
        Box::new(config::Config::new(layout)),
    ])
}

/// Of whatever an item consists of.
fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let bytes = hasher.finalize();
    bytes[..12]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The longest wait for an answer of a server on this machine.
const ANSWER: Duration = Duration::from_secs(30);

/// A client for the loopback address.
fn client() -> reqwest::Client {
    // An error means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(ANSWER)
        .build();
    client.expect("the client asks for nothing that this machine may lack")
}
