//! The connector: hands each action to the part that does it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use reprise_model::{Action, Fault, Outcome, ShardId, Timestamp};
use reprise_ports::{
    Call, CallSite, Connector, Context, Inspect, Inspection, Listing, Probe, Take,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::config::{FolderConfig, FolderShard};
use super::names;
use super::options::Options;
use super::past::Chosen;
use super::recover::by_id;
use super::slice::Slice;
use super::tree::cannot;
use crate::shared::policy::Anybody;

/// One store of kind `folder`.
pub struct FolderConnector {
    pub(super) config: FolderConfig,
    /// Asked for once: a copy that is made later is of after T.
    chosen: Mutex<BTreeMap<(ShardId, Timestamp), Chosen>>,
    /// By live folder.
    alone: Mutex<BTreeMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>,
    anybody: Anybody,
}

impl FolderConnector {
    pub fn new(config: FolderConfig) -> Self {
        Self {
            config,
            chosen: Mutex::default(),
            alone: Mutex::default(),
            anybody: Anybody::default(),
        }
    }

    pub(super) fn shard(&self, id: &ShardId) -> Result<&FolderShard, Fault> {
        let known = self.config.shard(id);
        known.ok_or_else(|| Fault::permanent(format!("{}/{id}: no such shard", self.config.store)))
    }

    pub(super) fn live(&self, id: &ShardId) -> Result<&Path, Fault> {
        let live = self.shard(id)?.live.as_deref();
        live.ok_or_else(|| {
            let store = &self.config.store;
            Fault::refused(format!(
                "{store}/{id} live: a drill has no way to this tree"
            ))
        })
    }

    pub(super) async fn chosen(
        &self,
        id: &ShardId,
        target: Timestamp,
        cancelled: &CancellationToken,
    ) -> Result<Chosen, Fault> {
        let all = || self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (id.clone(), target);
        if let Some(chosen) = all().get(&key) {
            return Ok(chosen.clone());
        }
        let now = jiff::Timestamp::try_from(SystemTime::now());
        if now.is_ok_and(|now| now.as_microsecond() <= target.as_micros()) {
            let store = &self.config.store;
            return Err(Fault::refused(format!(
                "{store}/{id}: {target} has not passed yet"
            )));
        }
        let shard = self.shard(id)?;
        let chosen = shard
            .past
            .choose(shard.live.as_deref(), target, cancelled)
            .await?;
        all().insert(key, chosen.clone());
        Ok(chosen)
    }

    /// Where the manifests of a shard at T are, and what came out of restic.
    fn scratch(&self, shard: &ShardId, target: Timestamp) -> PathBuf {
        let name = format!("{}{}", self.name(shard), target.compact());
        self.root(shard).join(name)
    }

    /// What the names of the shard's folders begin with.
    fn name(&self, shard: &ShardId) -> String {
        format!("{}-{shard}-", self.config.store)
    }

    fn root(&self, shard: &ShardId) -> &Path {
        let own = self.config.shard(shard).and_then(|s| s.scratch.as_deref());
        own.unwrap_or(&self.config.scratch_root)
    }

    /// The site's folder. One that is the tree itself, or leads out of it, or
    /// stands in another site's, is none.
    pub(super) fn folder(&self, site: &CallSite) -> Result<PathBuf, Fault> {
        let wrong = |what: String| Fault::permanent(format!("{}: {what}", self.config.store));
        let template = self.config.folder.as_deref();
        let template = template.ok_or_else(|| wrong("the store has no `tenant`".to_owned()))?;
        let text = (self.config.render)(template, site).map_err(wrong)?;
        let own = names::below(&text).filter(|_| !site.id.as_str().contains('/'));
        own.ok_or_else(|| {
            Fault::refused(format!(
                "{}: `{text}` of site {} is no folder of its own",
                self.config.store, site.id
            ))
            .hint("it is below the tree, without `.` and `..`; an id with `/` in it has none")
        })
    }

    /// The live tree. One that is not there, such as a disk that is not
    /// mounted, is not a tree without files.
    pub(super) fn tree(&self, shard: &ShardId) -> Result<&Path, Fault> {
        let tree = self.live(shard)?;
        std::fs::read_dir(tree).map_err(|error| cannot("read", tree, &error))?;
        Ok(tree)
    }

    /// Held by whoever works on a site's live folder.
    pub(super) fn alone(&self, folder: &Path) -> Arc<tokio::sync::Mutex<()>> {
        let mut all = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(folder.to_owned()).or_default())
    }

    async fn slice<'a>(
        &'a self,
        call: &'a Call,
        context: &'a dyn Context,
    ) -> Result<Slice<'a>, Fault> {
        let shard = call.shard()?;
        let site = call.site()?;
        let (folder, options) = (self.folder(site)?, Options::read(&call.with)?);
        let tree = self.tree(shard)?;
        let others = call.companions.iter();
        let others = others.filter_map(|id| self.folder(&by_id(id)).ok());
        let end = format!("{}/{shard} live ({})", self.config.store, tree.display());
        Ok(Slice {
            alone: self.alone(&tree.join(&folder)),
            end,
            site: &site.id,
            folder,
            others: others.collect(),
            anybody: self.anybody.at(shard, call.target_time),
            tree,
            past: &self.shard(shard)?.past,
            chosen: self
                .chosen(shard, call.target_time, context.cancelled())
                .await?,
            scratch: self.scratch(shard, call.target_time),
            target: call.target_time,
            options,
            context,
        })
    }
}

#[async_trait]
impl Connector for FolderConnector {
    fn offers(&self) -> &'static [Action] {
        &[
            Action::Recover,
            Action::Restore,
            Action::Verify,
            Action::Release,
        ]
    }

    async fn inspect(&self, inspect: &Inspect) -> Inspection {
        self.look(inspect).await
    }

    async fn perform(&self, call: &Call, context: &dyn Context) -> Result<Outcome, Fault> {
        match call.action {
            Action::Recover => {
                let (shard, target) = (call.shard()?, call.target_time);
                self.recover(shard, target, context.cancelled()).await
            }
            Action::Restore => self.slice(call, context).await?.restore().await,
            Action::Verify => self.slice(call, context).await?.verify().await,
            Action::Release => {
                let folder = self.scratch(call.shard()?, call.target_time);
                match std::fs::remove_dir_all(&folder) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        Err(cannot("remove", &folder, &error))
                    }
                    _ => Ok(Outcome::default()),
                }
            }
            _ => Err(call.not_offered("folder")),
        }
    }

    async fn probe(
        &self,
        call: &Call,
        _mark: Option<&Value>,
        context: &dyn Context,
    ) -> Result<Probe, Fault> {
        match call.action {
            Action::Restore => self.slice(call, context).await?.probe_restore().await,
            // Cheap, or looking again is what they are for.
            Action::Recover | Action::Verify | Action::Release => Ok(Probe::NotYet),
            _ => Err(call.not_offered("folder")),
        }
    }

    async fn list(
        &self,
        listing: &Listing,
        take: Take<'_>,
        context: &dyn Context,
    ) -> Result<(), Fault> {
        self.list_files(listing, take, context).await
    }

    async fn close(&self) {}

    fn leaves(&self) -> Vec<PathBuf> {
        let shards = self.config.shards.iter();
        let found = shards.flat_map(|shard| {
            let name = self.name(&shard.id);
            let entries = std::fs::read_dir(self.root(&shard.id))
                .into_iter()
                .flatten();
            let paths = entries.flatten().map(|entry| entry.path());
            paths.filter(move |path| {
                let own = path.file_name().map(|own| own.to_string_lossy());
                own.is_some_and(|own| own.starts_with(&name))
            })
        });
        found.collect()
    }
}
