//! `kind: events`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use reprise_connectors::events::{Archive, EventsConfig, EventsConnector, EventsShard};
use reprise_model::{Backup, Estate, Events, Shard, Store, Tenancy};
use reprise_ports::{CallSite, Connector};
use reprise_spec::{Scene, Template};

use super::{Building, WorldError};

pub(super) fn open(
    store: &Store,
    building: &mut Building<'_>,
) -> Result<Arc<dyn Connector>, WorldError> {
    let (events, _) = recorded(building.estate, store).ok_or_else(|| {
        WorldError::Http(format!(
            "store `{}` does not say what its events are",
            store.id
        ))
    })?;
    let events = events.clone();
    let shards = store.shards.iter().map(|shard| EventsShard {
        id: shard.id.clone(),
        live: building.live(store, shard),
        archive: archive(&building.estate.base, shard),
        scratch: shard.scratch.as_ref().map(|path| building.path(path)),
    });
    let place = format!("stores.{}.tenant.http", store.id);
    Ok(Arc::new(EventsConnector::new(EventsConfig {
        store: store.id.clone(),
        events,
        shards: shards.collect(),
        render: Arc::new(
            move |text: &str, site: &CallSite, names: &BTreeMap<String, String>| {
                let scene = Scene::new(&place)
                    .site(&site.id, &site.attributes)
                    .values(names);
                Template::render(text, &scene).map_err(|error| error.to_string())
            },
        ),
        scratch_root: building.options.scratch_root.clone(),
        live_connections: building.options.live_connections as usize,
    })))
}

/// What a store records, and where each of its shards keeps it; absent for
/// stores of other kinds.
pub fn recorded<'a>(
    estate: &Estate,
    store: &'a Store,
) -> Option<(&'a Events, Vec<(&'a Shard, Archive)>)> {
    let Some(Tenancy::Events(events)) = &store.tenant else {
        return None;
    };
    let shards = store.shards.iter();
    let shards = shards.map(|shard| (shard, archive(&estate.base, shard)));
    Some((events, shards.collect()))
}

/// The shape of `kind: events` knows no other backup.
fn archive(base: &Path, shard: &Shard) -> Archive {
    match &shard.backup {
        Some(Backup::Segments { path, second }) => Archive {
            path: base.join(path),
            second: second.as_ref().map(|second| base.join(second)),
        },
        _ => unreachable!("the estate's rules ask such a shard for its segments"),
    }
}
