//! `kind: s3`.

use std::sync::Arc;

use reprise_connectors::s3::{S3Config, S3Connector, S3Shard};
use reprise_model::{Store, Tenancy};
use reprise_ports::{CallSite, Connector};
use reprise_spec::{Scene, Template};

use super::Building;

pub(super) fn open(store: &Store, building: &mut Building<'_>) -> Arc<dyn Connector> {
    let shards = store.shards.iter().map(|shard| S3Shard {
        id: shard.id.clone(),
        live: building.live(store, shard),
        scratch: shard.scratch.as_ref().map(|path| building.path(path)),
    });
    let place = format!("stores.{}.tenant", store.id);
    Arc::new(S3Connector::new(S3Config {
        store: store.id.clone(),
        shards: shards.collect(),
        prefix: match &store.tenant {
            Some(Tenancy::Objects(objects)) => Some(objects.prefix.clone()),
            _ => None,
        },
        render: Arc::new(move |text: &str, site: &CallSite| {
            let scene = Scene::new(&place).site(&site.id, &site.attributes);
            Template::render(text, &scene).map_err(|error| error.to_string())
        }),
        scratch_root: building.options.scratch_root.clone(),
    }))
}
