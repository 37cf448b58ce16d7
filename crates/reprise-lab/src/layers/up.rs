//! Building the layers beside the PostgreSQL clusters, and starting them again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use reprise_pgserver::free_ports;
use rustix::process::Signal;

use super::diary::Diary;
use super::sources::sources;
use super::{Described, Items, Service, front, media};
use crate::Error;
use crate::layout::Layout;
use crate::manifest::{Build, Manifest};
use crate::sites::Site;

/// A free port for each server of a full estate.
pub fn ports(build: &Build) -> Result<BTreeMap<String, u16>, Error> {
    if !build.full {
        return Ok(BTreeMap::new());
    }
    let names = ["directory", "wiki", "apps", "front"].map(str::to_owned);
    let media = media::PORTS.map(|port| format!("media-{port}"));
    let names: Vec<String> = names.into_iter().chain(media).collect();
    let free = free_ports(names.len());
    let free = free.map_err(Error::io("find a port on", Path::new("127.0.0.1")))?;
    Ok(names.into_iter().zip(free).collect())
}

/// Fills every layer from what the rows say, and takes its backup. Returns
/// what an operator of the estate would write about them.
pub async fn build(
    layout: &Layout,
    manifest: &Manifest,
    sites: &[Site],
) -> Result<Vec<Described>, Error> {
    let mut layers = super::of(layout, manifest)?;
    if layers.is_empty() {
        return Ok(Vec::new());
    }
    let sources = sources(layout, manifest, sites).await?;
    let diary = Diary::open(layout)?;
    for layer in &mut layers {
        layer.create()?;
        layer.start()?;
        layer.fill(&sources).await?;
        layer.back_up().await?;
        for site in sites {
            let items = layer.items(site.id).await?;
            diary.note(layer.name(), site.id, &Items::new(), &items)?;
        }
    }
    let front = Described {
        env: vec![(
            "FRONT".to_owned(),
            format!("127.0.0.1:{}", manifest.port("front")?),
        )],
        ..Described::default()
    };
    let layers = layers.iter().map(|layer| layer.described());
    Ok(layers.chain([front]).collect())
}

/// Starts those servers that do not run.
pub fn start(layout: &Layout, manifest: &Manifest) -> Result<(), Error> {
    for mut layer in super::of(layout, manifest)? {
        layer.start()?;
    }
    match manifest.build.full {
        true => front::start(layout, manifest),
        false => Ok(()),
    }
}

/// Ends every server in the folder, finished lab or not; says how many ran.
pub fn stop(layout: &Layout) -> Result<usize, Error> {
    let Ok(folders) = fs::read_dir(layout.services()) else {
        return Ok(0);
    };
    let mut stopped = 0;
    for folder in folders.flatten() {
        // SeaweedFS takes half a minute to end in order, and keeps nothing back.
        let signal = match folder.file_name() == "media" {
            true => Signal::KILL,
            false => Signal::TERM,
        };
        stopped += usize::from(Service::new(folder.path()).stop(signal)?);
    }
    Ok(stopped)
}
