//! Brings a shard to the target time, off to the side.
//!
//! The protocol is in `docs/design/mariadb.md`. In short: the newest backup
//! that ends before T is copied and prepared in a locked and marked folder, a
//! private server starts on it, the binary log is replayed up to the last
//! transaction before T, the server is asked what it really reached, and only
//! then the marker says *ready*.

mod ask;
mod attempt;
mod backup;
mod binlog;
mod cut;
mod events;
mod inspect;
mod ready;
mod replay;
mod server;
mod statement;
mod zone;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use reprise_model::{Fault, FaultKind, Outcome, ShardId, Timestamp};
use reprise_ports::{Context, Probe};
use sqlx::mysql::MySqlConnectOptions;
use tokio_util::sync::CancellationToken;

use self::attempt::Attempt;
use self::backup::{BackupId, Source};
use self::ready::{Ready, Replayed};
use self::server::{Host, Server};
use super::{MariadbConfig, MariadbShard};
use crate::shared::folder;

type Folder = folder::Folder<BackupId, Ready>;
type Marker = folder::Marker<BackupId, Ready>;

/// A scratch server that is up, with the folder that is locked for it.
#[derive(Debug)]
struct Scratch {
    server: Server,
    ready: Ready,
    /// Keeps the lock as long as the server runs; dropped after it.
    _folder: Arc<Folder>,
}

/// One shard at one moment; the lock inside is held while it is brought up.
type Slot = Arc<tokio::sync::Mutex<Option<Scratch>>>;

/// All recoveries of one store.
#[derive(Debug)]
pub struct Recovery {
    config: Arc<MariadbConfig>,
    slots: Mutex<BTreeMap<(ShardId, Timestamp), Slot>>,
}

impl Recovery {
    pub fn new(config: Arc<MariadbConfig>) -> Self {
        Self {
            config,
            slots: Mutex::default(),
        }
    }

    /// Recovers the shard to `target`, or uses again what is there.
    pub async fn recover(
        &self,
        shard: &ShardId,
        target: Timestamp,
        context: &dyn Context,
    ) -> Result<Outcome, Fault> {
        let shard = self.shard(shard)?;
        let slot = self.slot(shard, target);
        let mut slot = tokio::select! {
            slot = slot.lock() => slot,
            () = context.cancelled().cancelled() => return Err(cancelled()),
        };
        if let Some(scratch) = slot.as_mut()
            && scratch.server.is_running()
        {
            return Ok(scratch.ready.outcome.clone());
        }
        *slot = None;
        let source = source(shard, target).await?;
        let folder = Arc::new(Folder::take(&self.folder(shard, target))?);
        let marker = folder.marker();
        let before = marker
            .as_ref()
            .and_then(|marker| marker.ready(target)?.zone());
        let zone = zone::of_replay(shard, &source, before).await?;
        let ready =
            marker.and_then(|marker| reusable(&marker, &source, &zone.name, target).cloned());
        let ours = Arc::clone(&folder);
        // A new build begins its log anew, a server that is started again goes on with it.
        let said_before = match &ready {
            Some(_) => std::fs::metadata(ours.log()).map_or(0, |log| log.len()),
            None => 0,
        };
        let scratch = match ready {
            Some(ready) => self.reopen(folder, ready, context.cancelled()).await,
            None => {
                let attempt = Attempt {
                    config: &self.config,
                    shard,
                    target,
                    zone: &zone,
                    folder,
                    context,
                };
                attempt.run(source).await
            }
        };
        let scratch = scratch.map_err(|fault| {
            let log = std::fs::read(ours.log()).unwrap_or_default();
            let said = log.get(said_before as usize..).unwrap_or_default();
            ours.explain(fault, &String::from_utf8_lossy(said))
        })?;
        Ok(slot.insert(scratch).ready.outcome.clone())
    }

    async fn reopen(
        &self,
        folder: Arc<Folder>,
        ready: Ready,
        cancelled: &CancellationToken,
    ) -> Result<Scratch, Fault> {
        let (temp, path) = (&self.config.temp, self.config.path.clone());
        // Whose the data is, it stays.
        let host = Host::new(&folder.data(), folder.path(), temp, path)?;
        let settings = &ready.settings;
        // Nothing is replayed any more, and our sessions have a zone of their own.
        let mut server = Server::start(&host, &folder.data(), &folder.log(), settings, zone::UTC)?;
        server.accepting(cancelled).await?;
        Ok(Scratch {
            server,
            ready,
            _folder: folder,
        })
    }

    /// Whether the shard is recovered to `target` already.
    pub async fn probe_recover(&self, shard: &ShardId, target: Timestamp) -> Result<Probe, Fault> {
        let shard = self.shard(shard)?;
        let marker: Option<Marker> = folder::read_marker(&self.folder(shard, target));
        let Some(marker) = marker else {
            return Ok(Probe::NotYet);
        };
        let Some(ready) = marker.ready(target) else {
            return Ok(Probe::NotYet);
        };
        let source = source(shard, target).await?;
        let zone = zone::of_replay(shard, &source, ready.zone()).await?;
        Ok(match reusable(&marker, &source, &zone.name, target) {
            Some(ready) => Probe::AsItShouldBe(ready.outcome.clone()),
            None => Probe::NotYet,
        })
    }

    /// How to reach the recovered shard; starts its server again where the
    /// data is there, and says to recover first where it is not.
    pub async fn attach(
        &self,
        shard: &ShardId,
        target: Timestamp,
    ) -> Result<MySqlConnectOptions, Fault> {
        let shard = self.shard(shard)?;
        let slot = self.slot(shard, target);
        let mut slot = slot.lock().await;
        if let Some(scratch) = slot.as_mut()
            && scratch.server.is_running()
        {
            return Ok(scratch.server.options().database(&scratch.ready.database));
        }
        *slot = None;
        let folder = Folder::take_existing(&self.folder(shard, target))?;
        let found = folder.and_then(|folder| {
            let ready = folder.marker()?.ready(target)?.clone();
            Some((Arc::new(folder), ready))
        });
        let (folder, ready) = found.ok_or_else(|| {
            Fault::permanent(format!(
                "shard `{}` has not been recovered to {target} on this machine",
                shard.id
            ))
            .hint("the runbook needs a `recover` step for this store before this one")
        })?;
        let never = CancellationToken::new();
        let scratch = self.reopen(folder, ready, &never).await?;
        let scratch = slot.insert(scratch);
        Ok(scratch.server.options().database(&scratch.ready.database))
    }

    /// Ends the server and deletes the folder; harmless when repeated.
    pub async fn release(&self, shard: &ShardId, target: Timestamp) -> Result<Outcome, Fault> {
        let shard = self.shard(shard)?;
        let slot = self.slot(shard, target);
        let mut slot = slot.lock().await;
        // It is going to be deleted: there is nothing to end cleanly.
        *slot = None;
        let path = self.folder(shard, target);
        blocking(move || match Folder::take_existing(&path)? {
            Some(folder) => folder.delete(),
            None => Ok(()),
        })
        .await?;
        Ok(Outcome::default())
    }

    pub fn probe_release(&self, shard: &ShardId, target: Timestamp) -> Result<Probe, Fault> {
        let shard = self.shard(shard)?;
        Ok(match self.folder(shard, target).exists() {
            true => Probe::NotYet,
            false => Probe::AsItShouldBe(Outcome::default()),
        })
    }

    /// Ends all servers; the folders stay for a resumed run.
    pub async fn close(&self) {
        let slots = std::mem::take(&mut *self.lock());
        for slot in slots.into_values() {
            let Some(scratch) = slot.lock().await.take() else {
                continue;
            };
            let stopping = move || {
                scratch.server.stop();
                Ok(())
            };
            let _ = blocking(stopping).await;
        }
    }

    /// The scratch folders that are there.
    pub fn leaves(&self) -> Vec<PathBuf> {
        let of_shard = |shard: &MariadbShard| {
            let prefix = format!("{}-{}-", self.config.store, shard.id);
            let entries = std::fs::read_dir(self.root(shard))
                .into_iter()
                .flatten()
                .flatten();
            let ours = entries.map(|entry| entry.path()).filter(move |path| {
                let name = path.file_name().unwrap_or_default();
                let marker: Option<Marker> = folder::read_marker(path);
                name.to_string_lossy().starts_with(&prefix) && marker.is_some()
            });
            ours.collect::<Vec<_>>()
        };
        self.config.shards.iter().flat_map(of_shard).collect()
    }

    fn shard(&self, id: &ShardId) -> Result<&MariadbShard, Fault> {
        self.config.shard(id).ok_or_else(|| {
            Fault::permanent(format!("store `{}` has no shard `{id}`", self.config.store))
        })
    }

    fn root(&self, shard: &MariadbShard) -> PathBuf {
        let root = shard.scratch.as_ref();
        root.unwrap_or(&self.config.scratch_root).clone()
    }

    fn folder(&self, shard: &MariadbShard, target: Timestamp) -> PathBuf {
        let name = format!("{}-{}-{}", self.config.store, shard.id, target.compact());
        self.root(shard).join(name)
    }

    fn slot(&self, shard: &MariadbShard, target: Timestamp) -> Slot {
        let key = (shard.id.clone(), target);
        Arc::clone(self.lock().entry(key).or_default())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(ShardId, Timestamp), Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a folder holds, where it is what a recovery from `source` would bring.
fn reusable<'m>(
    marker: &'m Marker,
    source: &Source,
    zone: &str,
    target: Timestamp,
) -> Option<&'m Ready> {
    let ready = marker.ready(target)?;
    let same = marker.backup == source.backup.id;
    (same && ready.holds(&Replayed::of(source, zone), target)).then_some(ready)
}

async fn source(shard: &MariadbShard, target: Timestamp) -> Result<Source, Fault> {
    let (base, binlog) = (shard.base.clone(), shard.binlog.clone());
    blocking(move || Source::find(&base, &binlog, target)).await
}

fn cancelled() -> Fault {
    Fault::new(FaultKind::Cancelled, "cancelled during the recovery")
}

/// Work with files and processes, off the threads that serve connections.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Fault::temporary(format!("a helper thread broke off: {error}")))?
}
