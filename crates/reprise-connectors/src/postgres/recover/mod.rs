//! Brings a shard to the target time, off to the side.
//!
//! The protocol, the evidence for the recovery point, and what every kind of
//! interruption leaves behind are in `docs/design/recovery.md`. In short: the
//! backup is copied into a locked and marked folder, a standby replays the
//! archive and pauses at T, what it really reached is measured, and only then
//! the marker says *ready*. A folder that is ready is used again by a resumed
//! run; any other is built anew.

mod archive;
mod attempt;
mod base;
mod build;
mod catalogue;
mod conf;
mod control;

mod evidence;
mod fault;
mod folder;
mod inspect;
mod live;
mod log;
mod lsn;
mod newest;
mod pgbackrest;
mod replay;
mod scratch;
mod source;
mod zone;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use reprise_model::{Fault, Outcome, ShardId, Timestamp};
use reprise_ports::{Context, Probe, SiteRow};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio_util::sync::CancellationToken;

use self::attempt::Attempt;
use self::folder::{Folder, read_marker};
use self::scratch::{Scratch, recover_first};
use self::source::Source;
use super::{PostgresConfig, PostgresShard};
use crate::shared::copy;

/// One shard at one moment; the lock inside is held while it is brought up.
type Slot = Arc<tokio::sync::Mutex<Option<Scratch>>>;

/// All recoveries of one store.
#[derive(Debug)]
pub struct Recovery {
    config: Arc<PostgresConfig>,
    slots: Mutex<BTreeMap<(ShardId, Timestamp), Slot>>,
}

impl Recovery {
    pub fn new(config: Arc<PostgresConfig>) -> Self {
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
            () = context.cancelled().cancelled() => return Err(fault::cancelled("the recovery")),
        };
        if let Some(scratch) = slot.as_mut()
            && scratch.server.is_running()
        {
            return Ok(scratch.ready.outcome.clone());
        }
        *slot = None;
        let source = self.source(shard, target).await?;
        let folder = Arc::new(Folder::take(&self.folder(shard, target))?);
        let same = folder
            .marker()
            .filter(|marker| marker.backup == source.id)
            .is_some_and(|marker| marker.ready(target).is_some());
        let ours = Arc::clone(&folder);
        let scratch = match same {
            true => {
                let cancelled = context.cancelled();
                Scratch::reopen(&self.config, shard, folder, target, cancelled).await
            }
            false => {
                let attempt = Attempt {
                    config: &self.config,
                    shard,
                    target,
                    folder,
                    context,
                };
                attempt.run(source).await
            }
        };
        let scratch = scratch.map_err(|fault| ours.explain(fault, ""))?;
        Ok(slot.insert(scratch).ready.outcome.clone())
    }

    /// Whether the shard is recovered to `target` already.
    pub async fn probe_recover(&self, shard: &ShardId, target: Timestamp) -> Result<Probe, Fault> {
        let shard = self.shard(shard)?;
        let Some(marker) = read_marker(&self.folder(shard, target)) else {
            return Ok(Probe::NotYet);
        };
        let Some(ready) = marker.ready(target) else {
            return Ok(Probe::NotYet);
        };
        let source = self.source(shard, target).await?;
        Ok(match source.id == marker.backup {
            true => Probe::AsItShouldBe(ready.outcome.clone()),
            false => Probe::NotYet,
        })
    }

    /// How to reach the recovered shard; starts its server again where the
    /// data is there, and says to recover first where it is not.
    pub async fn attach(
        &self,
        shard: &ShardId,
        target: Timestamp,
    ) -> Result<PgConnectOptions, Fault> {
        self.with(shard, target, Scratch::options).await
    }

    /// The database of the recovered server that holds the store.
    pub async fn scratch_database(
        &self,
        shard: &ShardId,
        target: Timestamp,
    ) -> Result<String, Fault> {
        self.with(shard, target, |scratch| scratch.ready.database.clone())
            .await
    }

    /// Looks at the running scratch server, which is started if need be.
    async fn with<T>(
        &self,
        shard: &ShardId,
        target: Timestamp,
        look: impl FnOnce(&Scratch) -> T,
    ) -> Result<T, Fault> {
        let shard = self.shard(shard)?;
        let slot = self.slot(shard, target);
        let mut slot = slot.lock().await;
        if let Some(scratch) = slot.as_mut()
            && scratch.server.is_running()
        {
            return Ok(look(scratch));
        }
        *slot = None;
        let folder = Folder::take_existing(&self.folder(shard, target))?
            .ok_or_else(|| recover_first(shard, target))?;
        let never = CancellationToken::new();
        let scratch =
            Scratch::reopen(&self.config, shard, Arc::new(folder), target, &never).await?;
        Ok(look(slot.insert(scratch)))
    }

    /// Ends the server and deletes the folder; harmless when repeated.
    pub async fn release(&self, shard: &ShardId, target: Timestamp) -> Result<Outcome, Fault> {
        let shard = self.shard(shard)?;
        let slot = self.slot(shard, target);
        let mut slot = slot.lock().await;
        if let Some(scratch) = slot.take() {
            scratch.stop().await;
        }
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

    pub async fn list_sites(
        &self,
        shard: &ShardId,
        target: Timestamp,
        query: &str,
    ) -> Result<Vec<SiteRow>, Fault> {
        let mut connection = self.connect(shard, target).await?;
        catalogue::list_sites(&mut connection, query).await
    }

    pub async fn identify(
        &self,
        shard: &ShardId,
        target: Timestamp,
        ids: &[String],
    ) -> BTreeMap<String, String> {
        match self.connect(shard, target).await {
            Ok(mut connection) => catalogue::identify(&mut connection, ids).await,
            Err(_) => BTreeMap::new(),
        }
    }

    async fn connect(&self, shard: &ShardId, target: Timestamp) -> Result<PgConnection, Fault> {
        let options = self.attach(shard, target).await?;
        options.connect().await.map_err(|error| {
            Fault::temporary(format!(
                "cannot connect to shard `{shard}` in scratch: {error}"
            ))
        })
    }

    /// Ends all servers; the folders stay for a resumed run.
    pub async fn close(&self) {
        let slots = std::mem::take(&mut *self.lock());
        for slot in slots.into_values() {
            if let Some(scratch) = slot.lock().await.take() {
                scratch.stop().await;
            }
        }
    }

    /// The scratch folders that are there.
    pub fn leaves(&self) -> Vec<PathBuf> {
        let prefixes = self.config.shards.iter().map(|shard| {
            (
                self.root(shard),
                format!("{}-{}-", self.config.store, shard.id),
            )
        });
        prefixes
            .flat_map(|(root, prefix)| {
                let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
                entries.map(|entry| entry.path()).filter(move |path| {
                    let name = path.file_name().unwrap_or_default();
                    name.to_string_lossy().starts_with(&prefix) && read_marker(path).is_some()
                })
            })
            .collect()
    }

    async fn source(&self, shard: &PostgresShard, target: Timestamp) -> Result<Source, Fault> {
        let config = Arc::clone(&self.config);
        let backup = shard.backup.clone();
        blocking(move || Ok(Source::find(&config, &backup, target)?)).await
    }

    fn shard(&self, id: &ShardId) -> Result<&PostgresShard, Fault> {
        self.config.shard(id).ok_or_else(|| {
            Fault::permanent(format!("store `{}` has no shard `{id}`", self.config.store))
        })
    }

    fn root(&self, shard: &PostgresShard) -> PathBuf {
        let root = shard.scratch.as_ref();
        root.unwrap_or(&self.config.scratch_root).clone()
    }

    fn folder(&self, shard: &PostgresShard, target: Timestamp) -> PathBuf {
        let name = format!("{}-{}-{}", self.config.store, shard.id, target.compact());
        self.root(shard).join(name)
    }

    fn slot(&self, shard: &PostgresShard, target: Timestamp) -> Slot {
        let key = (shard.id.clone(), target);
        Arc::clone(self.lock().entry(key).or_default())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(ShardId, Timestamp), Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Work with files and processes, off the threads that serve connections.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Fault::temporary(format!("a helper thread broke off: {error}")))?
}
