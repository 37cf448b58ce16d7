//! `kind: postgres`.

use std::sync::Arc;

use reprise_connectors::postgres::{PoolSizes, PostgresConfig, PostgresConnector, PostgresShard};
use reprise_model::{Backup, Store, Tenancy};
use reprise_ports::Connector;

use super::Building;

pub(super) fn open(store: &Store, building: &mut Building<'_>) -> Arc<dyn Connector> {
    let shards = store.shards.iter().map(|shard| PostgresShard {
        id: shard.id.clone(),
        live: building.live(store, shard),
        backup: shard
            .backup
            .as_ref()
            .map(|backup| absolute(backup, building))
            .expect("the estate's rules ask a postgres shard for its backup"),
        scratch: shard.scratch.as_ref().map(|path| building.path(path)),
    });
    let shards = shards.collect();
    let options = building.options;
    Arc::new(PostgresConnector::new(PostgresConfig {
        store: store.id.clone(),
        tenant: match &store.tenant {
            Some(Tenancy::Rows(rows)) => Some(rows.clone()),
            _ => None,
        },
        shards,
        scratch_root: options.scratch_root.clone(),
        temp: options.temp.clone(),
        deps: options.deps.clone(),
        pg_bin: options.pg_bin.clone(),
        path: options.path.clone(),
        rpo: building.estate.objectives.rpo.map(|rpo| rpo.0),
        pools: PoolSizes {
            live: options.live_connections,
            ..PoolSizes::default()
        },
    }))
}

fn absolute(backup: &Backup, building: &Building<'_>) -> Backup {
    match backup {
        Backup::BaseBackup { base, wal } => Backup::BaseBackup {
            base: building.path(base),
            wal: building.path(wal),
        },
        Backup::PgBackRest { stanza, config } => Backup::PgBackRest {
            stanza: stanza.clone(),
            config: config.as_ref().map(|path| building.path(path)),
        },
        other => other.clone(),
    }
}
