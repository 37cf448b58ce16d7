//! `kind: folder`.

use std::path::PathBuf;
use std::sync::Arc;

use reprise_connectors::folder::{FolderConfig, FolderConnector, FolderShard, Past};
use reprise_model::{Backup, Store, Tenancy};
use reprise_ports::{CallSite, Connector};
use reprise_spec::{Scene, Template};
use secrecy::ExposeSecret;

use super::Building;

pub(super) fn open(store: &Store, building: &mut Building<'_>) -> Arc<dyn Connector> {
    let mut shards = Vec::new();
    for shard in &store.shards {
        let live = building.live(store, shard);
        shards.push(FolderShard {
            id: shard.id.clone(),
            // The path of a tree is no secret: it is named in every message.
            live: live.map(|path| building.path(path.expose_secret().as_ref())),
            past: past(shard.backup.as_ref(), building),
            scratch: shard.scratch.as_ref().map(|path| building.path(path)),
        });
    }
    let place = format!("stores.{}.tenant", store.id);
    Arc::new(FolderConnector::new(FolderConfig {
        store: store.id.clone(),
        shards,
        folder: match &store.tenant {
            Some(Tenancy::FileTree(files)) => Some(files.folder.clone()),
            _ => None,
        },
        render: Arc::new(move |text: &str, site: &CallSite| {
            let scene = Scene::new(&place).site(&site.id, &site.attributes);
            Template::render(text, &scene).map_err(|error| error.to_string())
        }),
        scratch_root: building.options.scratch_root.clone(),
    }))
}

fn past(backup: Option<&Backup>, building: &Building<'_>) -> Past {
    match backup {
        Some(Backup::Folders { path }) => Past::Folders(building.path(path)),
        Some(Backup::Restic {
            repository,
            password_file,
            host,
            path,
        }) => Past::Restic {
            repository: match repository.contains(':') {
                // `sftp:`, `s3:`, `rest:`: no path.
                true => PathBuf::from(repository),
                false => building.path(repository.as_ref()),
            },
            password_file: building.path(password_file),
            host: host.clone(),
            path: path.clone(),
        },
        _ => unreachable!("the shape of `kind: folder` knows no other backup"),
    }
}
