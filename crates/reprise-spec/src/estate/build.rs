//! From a tree that was found to be right to the values. `None` means that
//! the checks let something through.

use std::path::PathBuf;

use reprise_model::{Elapsed, Estate, Layer, Objectives, SiteSource, Store, StoreKind};

use super::kinds;
use crate::shape::duration;
use crate::yaml::{Entry, Node};

pub(super) fn estate(root: &Node, base: PathBuf) -> Option<Estate> {
    let objective = |key| -> Option<Elapsed> { duration(root.get("objectives")?.text_at(key)?) };
    Some(Estate {
        name: root.text_at("name")?.to_owned(),
        base,
        objectives: Objectives {
            rpo: objective("rpo"),
            rto: objective("rto"),
        },
        sites: sites(root.get("sites")?)?,
        stores: all(root.get("stores")?, store)?,
    })
}

fn all<T>(map: &Node, build: fn(&Entry) -> Option<T>) -> Option<Vec<T>> {
    map.entries().iter().map(build).collect()
}

fn sites(node: &Node) -> Option<SiteSource> {
    if let Some(path) = node.text_at("from") {
        return Some(SiteSource::File { path: path.into() });
    }
    Some(SiteSource::Query {
        store: node.text_at("store")?.into(),
        query: node.text_at("query")?.to_owned(),
    })
}

fn store(entry: &Entry) -> Option<Store> {
    let node = &entry.value;
    let kind = node.text_at("kind")?;
    let kind = StoreKind::ALL
        .into_iter()
        .find(|known| known.as_str() == kind)?;
    let layer = node.text_at("layer")?;
    let shards = node.get("shards")?.entries().iter();
    Some(Store {
        id: entry.key.as_str().into(),
        kind,
        layer: Layer::ALL
            .into_iter()
            .find(|known| known.as_str() == layer)?,
        placement: node.text_at("placement").map(str::to_owned),
        tenant: match node.get("tenant") {
            Some(node) => Some(kinds::tenancy(kind, node)?),
            None => None,
        },
        shards: shards
            .map(|entry| kinds::shard(kind, entry))
            .collect::<Option<_>>()?,
    })
}
