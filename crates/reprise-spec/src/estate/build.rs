//! From a tree that was found to be right to the values. `None` means that
//! the checks let something through.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reprise_model::{
    Backup, Elapsed, Estate, Layer, Objectives, Shard, SiteSource, Store, StoreKind, TableRule,
    Tenant, Text,
};

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
    let layer = node.text_at("layer")?;
    Some(Store {
        id: entry.key.as_str().into(),
        kind: StoreKind::ALL
            .into_iter()
            .find(|known| known.as_str() == kind)?,
        layer: Layer::ALL
            .into_iter()
            .find(|known| known.as_str() == layer)?,
        placement: node.text_at("placement").map(str::to_owned),
        tenant: match node.get("tenant") {
            Some(node) => Some(tenant(node)?),
            None => None,
        },
        shards: all(node.get("shards")?, shard)?,
    })
}

fn tenant(node: &Node) -> Option<Tenant> {
    let mut tables = BTreeMap::new();
    for entry in node.get("tables").map_or(&[][..], Node::entries) {
        let rule = match entry.value.text() {
            Some("shared") => TableRule::Shared,
            Some("ignored") => TableRule::Ignored,
            Some(_) => return None,
            None => TableRule::Key(entry.value.text_at("key")?.to_owned()),
        };
        tables.insert(entry.key.clone(), rule);
    }
    Some(Tenant {
        table: node.text_at("table")?.to_owned(),
        key: node.text_at("key")?.to_owned(),
        tables,
    })
}

fn shard(entry: &Entry) -> Option<Shard> {
    let node = &entry.value;
    Some(Shard {
        id: entry.key.as_str().into(),
        live: Text::new(node.text_at("live")?),
        backup: backup(node.get("backup")?)?,
        scratch: node.text_at("scratch").map(PathBuf::from),
    })
}

fn backup(node: &Node) -> Option<Backup> {
    match node.text_at("kind")? {
        "basebackup" => Some(Backup::BaseBackup {
            base: node.text_at("base")?.into(),
            wal: node.text_at("wal")?.into(),
        }),
        "pgbackrest" => Some(Backup::PgBackRest {
            stanza: node.text_at("stanza")?.to_owned(),
            config: node.text_at("config").map(PathBuf::from),
        }),
        _ => None,
    }
}
