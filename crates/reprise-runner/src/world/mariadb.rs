//! `kind: mariadb`.

use std::path::Path;
use std::sync::Arc;

use reprise_connectors::mariadb::{MariadbConfig, MariadbConnector, MariadbShard};
use reprise_model::{Backup, Store, Tenancy};
use reprise_ports::Connector;
use reprise_spec::live_place;

use super::Building;

pub(super) fn open(store: &Store, building: &mut Building<'_>) -> Arc<dyn Connector> {
    let shards = store.shards.iter().map(|shard| {
        let (base, binlog, time_zone) = past(shard.backup.as_ref());
        // A name and no way there, so a drill may know it.
        let place = live_place(store.id.as_str(), shard.id.as_str());
        let url = building.environment.resolve(&shard.live, &place).ok();
        MariadbShard {
            id: shard.id.clone(),
            live: building.live(store, shard),
            database: url.as_ref().and_then(MariadbShard::database_of),
            base: building.path(base),
            binlog: building.path(binlog),
            time_zone: time_zone.cloned(),
            scratch: shard.scratch.as_ref().map(|path| building.path(path)),
        }
    });
    let shards = shards.collect();
    let options = building.options;
    Arc::new(MariadbConnector::new(MariadbConfig {
        store: store.id.clone(),
        tenant: match &store.tenant {
            Some(Tenancy::Rows(rows)) => Some(rows.clone()),
            _ => None,
        },
        shards,
        scratch_root: options.scratch_root.clone(),
        temp: options.temp.clone(),
        path: options.path.clone(),
        rpo: building.estate.objectives.rpo.map(|rpo| rpo.0),
        live_connections: options.live_connections as usize,
    }))
}

/// The estate's rules ask a shard for a backup of its store's own kind.
fn past(backup: Option<&Backup>) -> (&Path, &Path, Option<&String>) {
    match backup {
        Some(Backup::MariaBackup {
            base,
            binlog,
            time_zone,
        }) => (base, binlog, time_zone.as_ref()),
        _ => unreachable!("the shape of `kind: mariadb` knows no other backup"),
    }
}
