//! `lab.json`: what was built, so that later commands find it. No secrets.

use std::collections::BTreeMap;
use std::fs;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::layout::{Layout, replace};

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Manifest {
    pub version: u32,
    pub build: Build,
    pub clusters: Vec<ClusterEntry>,
    /// Of the servers of the other layers, by name.
    #[serde(default)]
    pub ports: BTreeMap<String, u16>,
}

/// What decides the contents of an estate: same values, same rows.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, clap::Args)]
pub struct Build {
    /// Product shards.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=50))]
    pub shards: u32,
    /// Sites, spread over the shards.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub sites: u32,
    /// Everything random follows from it.
    #[arg(long, default_value_t = 42)]
    pub seed: u32,
    /// Multiplies the size of every site.
    #[arg(long, default_value_t = 1.0, value_parser = positive)]
    pub scale: f64,
    /// Every kind of store, not PostgreSQL alone.
    #[arg(long)]
    #[serde(default)]
    pub full: bool,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ClusterEntry {
    /// The shard's name in the estate.
    pub name: String,
    pub store: Store,
    pub port: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Store {
    Catalogue,
    Identity,
    Product,
}

impl Store {
    /// The store's name in the estate, and its database's.
    pub fn name(self) -> &'static str {
        match self {
            Self::Catalogue => "catalogue",
            Self::Identity => "identity",
            Self::Product => "product",
        }
    }
}

impl Build {
    /// The clusters it takes, in the order of the estate.
    pub fn clusters(&self) -> Vec<(String, Store)> {
        let shards = (1..=self.shards).map(|n| (shard_name(n), Store::Product));
        [Store::Catalogue, Store::Identity]
            .into_iter()
            .map(|store| (store.name().to_owned(), store))
            .chain(shards)
            .collect()
    }
}

pub fn shard_name(number: u32) -> String {
    format!("s{number:02}")
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value <= 1000.0 => Ok(value),
        _ => Err("a number above 0, up to 1000".to_owned()),
    }
}

impl Manifest {
    pub fn port(&self, server: &str) -> Result<u16, Error> {
        self.ports
            .get(server)
            .copied()
            .ok_or_else(|| Error::Refused(format!("the lab has no server `{server}`")))
    }

    /// Absent where no lab was finished.
    pub fn find(layout: &Layout) -> Result<Option<Self>, Error> {
        let path = layout.manifest();
        let Ok(text) = fs::read_to_string(&path) else {
            return Ok(None);
        };
        let manifest: Self = serde_json::from_str(&text).map_err(Error::unreadable(&path))?;
        Ok(Some(manifest))
    }

    pub fn load(layout: &Layout) -> Result<Self, Error> {
        Self::find(layout)?.ok_or_else(|| Error::NoLab(layout.root().to_owned()))
    }

    pub fn save(&self, layout: &Layout) -> Result<(), Error> {
        let text =
            serde_json::to_string_pretty(self).map_err(Error::unreadable(&layout.manifest()))?;
        replace(&layout.manifest(), &text)
    }
}
