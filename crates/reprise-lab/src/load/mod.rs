//! The neighbours: writers that go on during everything.

mod operations;
mod writer;

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::Error;
use crate::cluster::admin;
use crate::layers;
use crate::layout::Layout;
use crate::ledger;
use crate::manifest::{Manifest, Store};
use writer::Writer;

pub use writer::{counted, lost_a_race, note};

#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Options {
    /// End after this much time; without it, go on until interrupted.
    #[arg(long)]
    pub seconds: Option<u64>,
    /// Transactions a second on each cluster.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rate: u32,
    /// Which transactions come in which order.
    #[arg(long, default_value_t = 1)]
    pub seed: u32,
}

/// What the writers did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    pub committed: u64,
    /// Nothing to change, a lost race for a lock, a row that went away.
    pub without_effect: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.committed += other.committed;
        self.without_effect += other.without_effect;
    }
}

/// Writes on every cluster until `stop` turns true or the time is over.
pub async fn load(
    layout: &Layout,
    options: Options,
    stop: watch::Receiver<bool>,
) -> Result<Tally, Error> {
    let manifest = Manifest::load(layout)?;
    let ledger = Arc::new(ledger::Writer::open(layout)?);
    let homes = homes(layout, &manifest).await?;
    let mut writers = JoinSet::new();
    for (number, entry) in manifest.clusters.iter().enumerate() {
        let sites: Vec<i64> = homes
            .iter()
            .filter(|(_, shard)| entry.store != Store::Product || *shard == entry.name)
            .map(|(id, _)| *id)
            .collect();
        let writer = Writer {
            entry: entry.clone(),
            connection: admin(layout, entry).await?,
            sites,
            ledger: ledger.clone(),
            layout: layout.clone(),
            period: Duration::from_secs(1) / options.rate,
        };
        let seed = u64::from(options.seed) * 1000 + number as u64;
        writers.spawn(writer.run(seed, options.seconds.map(Duration::from_secs), stop.clone()));
    }
    layers::writers(
        layout,
        &manifest,
        options.seed.into(),
        options.seconds.map(Duration::from_secs),
        &stop,
        &mut writers,
    )?;
    let mut tally = Tally::default();
    while let Some(done) = writers.join_next().await {
        tally += done.map_err(|error| Error::Worker(error.to_string()))??;
    }
    Ok(tally)
}

/// The sites that there are now, each with its shard.
async fn homes(layout: &Layout, manifest: &Manifest) -> Result<Vec<(i64, String)>, Error> {
    let mut homes = Vec::new();
    for entry in &manifest.clusters {
        if entry.store == Store::Catalogue {
            let mut connection = admin(layout, entry).await?;
            homes = sqlx::query_as("select id, shard from sites order by id")
                .fetch_all(&mut connection)
                .await
                .map_err(Error::sql("listing sites", &entry.name))?;
        }
    }
    Ok(homes)
}

/// The sites that the accident has announced: nobody writes to them any more.
pub fn announced(layout: &Layout) -> BTreeSet<i64> {
    let text = fs::read_to_string(layout.deleted()).unwrap_or_default();
    parse_ids(&text)
}

/// One id a line; `#` starts a comment.
pub fn parse_ids(text: &str) -> BTreeSet<i64> {
    text.lines()
        .filter_map(|line| line.split('#').next()?.trim().parse().ok())
        .collect()
}
