//! `kind: git`.

use std::sync::Arc;

use reprise_connectors::git::{GitConfig, GitConnector, GitShard};
use reprise_model::{Backup, Shard, Store, Tenancy};
use reprise_ports::{CallSite, Connector};
use reprise_spec::{Scene, Template};

use super::Building;

pub(super) fn open(store: &Store, building: &mut Building<'_>) -> Arc<dyn Connector> {
    let shards = store.shards.iter().map(|shard| {
        let (repository, branch) = source(shard, building);
        GitShard {
            id: shard.id.clone(),
            live: building.live(store, shard),
            repository,
            branch,
            scratch: shard.scratch.as_ref().map(|path| building.path(path)),
        }
    });
    let place = format!("stores.{}.tenant", store.id);
    Arc::new(GitConnector::new(GitConfig {
        store: store.id.clone(),
        shards: shards.collect(),
        path: match &store.tenant {
            Some(Tenancy::Files(files)) => Some(files.path.clone()),
            _ => None,
        },
        render: Arc::new(move |text: &str, site: &CallSite| {
            let scene = Scene::new(&place).site(&site.id, &site.attributes);
            Template::render(text, &scene).map_err(|error| error.to_string())
        }),
        scratch_root: building.options.scratch_root.clone(),
        base: building.estate.base.clone(),
    }))
}

/// A repository elsewhere is an address, `scheme://...` or `host:path`; all
/// else is a path. The shape of `kind: git` knows no other backup.
fn source(shard: &Shard, building: &Building<'_>) -> (String, String) {
    let Some(Backup::Git { repository, branch }) = &shard.backup else {
        unreachable!("the estate's rules ask such a shard for its repository")
    };
    let first = repository.split('/').next().unwrap_or_default();
    let repository = match first.contains(':') {
        true => repository.clone(),
        false => building
            .path(repository.as_ref())
            .to_string_lossy()
            .into_owned(),
    };
    (repository, branch.clone())
}
