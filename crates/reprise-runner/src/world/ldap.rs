//! `kind: ldap`.

use std::path::Path;
use std::sync::Arc;

use reprise_connectors::ldap::{LdapConfig, LdapConnector, LdapShard};
use reprise_model::{Backup, Store, Tenancy};
use reprise_ports::{CallSite, Connector};
use reprise_spec::{Scene, Template};

use super::Building;

pub(super) fn open(store: &Store, building: &mut Building<'_>) -> Arc<dyn Connector> {
    let shards = store.shards.iter().map(|shard| {
        let (snapshots, changes) = paths(shard.backup.as_ref());
        LdapShard {
            id: shard.id.clone(),
            live: building.live(store, shard),
            snapshots: building.path(snapshots),
            changes: building.path(changes),
            scratch: shard.scratch.as_ref().map(|path| building.path(path)),
        }
    });
    let place = format!("stores.{}.tenant", store.id);
    Arc::new(LdapConnector::new(LdapConfig {
        store: store.id.clone(),
        shards: shards.collect(),
        tenant: match &store.tenant {
            Some(Tenancy::Directory(directory)) => Some(directory.clone()),
            _ => None,
        },
        render: Arc::new(move |text: &str, site: &CallSite| {
            let scene = Scene::new(&place).site(&site.id, &site.attributes);
            Template::render(text, &scene).map_err(|error| error.to_string())
        }),
        scratch_root: building.options.scratch_root.clone(),
        rpo: building.estate.objectives.rpo.map(|rpo| rpo.0),
    }))
}

/// The estate's rules ask a directory's shard for a backup of its own kind.
fn paths(backup: Option<&Backup>) -> (&Path, &Path) {
    match backup {
        Some(Backup::Slapcat { snapshots, changes }) => (snapshots, changes),
        _ => unreachable!("the shape of `kind: ldap` knows no other backup"),
    }
}
