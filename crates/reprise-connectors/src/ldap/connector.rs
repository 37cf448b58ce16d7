//! The connector: hands each action to the part that does it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use reprise_model::dn::DnKey;
use reprise_model::{
    Action, End, Fault, FaultKind, Listed, Outcome, ShardId, SiteId, Timestamp, Volume,
};
use reprise_ports::{
    Call, CallSite, Connector, Context, Inspect, Inspection, Listing, Probe, Take,
};
use serde_json::Value;
use tokio::sync::Mutex;

use super::entry::Entry;
use super::list;
use super::live::{Live, Present, Session, restore, verify};
use super::names::{MEMBER_UID, Names};
use super::options::{Options, Undecided};
use super::recover::{Scratch, recover};
use super::slice::Slice;
use super::tree::Tree;
use super::{LdapConfig, LdapShard};

type Trees = BTreeMap<(ShardId, Timestamp), Arc<Tree>>;

/// One store of kind `ldap`.
pub struct LdapConnector {
    pub(super) config: LdapConfig,
    /// Directories at T that were read from scratch. One task reads, the
    /// others wait for it.
    trees: Mutex<Trees>,
}

impl LdapConnector {
    pub fn new(config: LdapConfig) -> Self {
        Self {
            config,
            trees: Mutex::default(),
        }
    }

    pub(super) fn shard(&self, id: &ShardId) -> Result<&LdapShard, Fault> {
        self.config.shard(id).ok_or_else(|| {
            Fault::permanent(format!("store `{}` has no shard `{id}`", self.config.store))
        })
    }

    pub(super) fn scratch(&self, shard: &LdapShard, target: Timestamp) -> Scratch {
        let root = shard.scratch.as_ref().unwrap_or(&self.config.scratch_root);
        let name = format!("{}-{}-{}", self.config.store, shard.id, target.compact());
        Scratch {
            folder: root.join(name),
            target,
            snapshots: shard.snapshots.clone(),
            changes: shard.changes.clone(),
        }
    }

    async fn recover(&self, shard: &LdapShard, target: Timestamp) -> Result<Outcome, Fault> {
        let scratch = self.scratch(shard, target);
        let rpo = self.config.rpo;
        let made = blocking(move || {
            if let Some(manifest) = scratch.manifest() {
                return Ok((None, manifest.outcome));
            }
            let recovered = recover(&scratch.snapshots, &scratch.changes, target, rpo)?;
            scratch.write(&recovered.tree, &recovered.outcome)?;
            Ok((Some(recovered.tree), recovered.outcome))
        });
        let (tree, outcome) = made.await?;
        if let Some(tree) = tree {
            let mut trees = self.trees.lock().await;
            trees.insert((shard.id.clone(), target), Arc::new(tree));
        }
        Ok(outcome)
    }

    /// The directory at T. A scratch that somebody swept away is made again.
    async fn tree(&self, shard: &LdapShard, target: Timestamp) -> Result<Arc<Tree>, Fault> {
        let key = (shard.id.clone(), target);
        let mut trees = self.trees.lock().await;
        if let Some(tree) = trees.get(&key) {
            return Ok(Arc::clone(tree));
        }
        let scratch = self.scratch(shard, target);
        let rpo = self.config.rpo;
        let read = blocking(move || match scratch.manifest() {
            Some(_) => scratch.read(),
            None => {
                let recovered = recover(&scratch.snapshots, &scratch.changes, target, rpo)?;
                scratch.write(&recovered.tree, &recovered.outcome)?;
                Ok(recovered.tree)
            }
        });
        let tree = Arc::new(read.await?);
        trees.insert(key, Arc::clone(&tree));
        Ok(tree)
    }

    pub(super) fn live(&self, shard: &LdapShard) -> Result<Live, Fault> {
        let end = format!("{}/{}", self.config.store, shard.id);
        match &shard.live {
            Some(url) => Live::read(url, &format!("{end} live")),
            None => Err(Fault::refused(format!("{end} has no live end here"))),
        }
    }

    pub(super) fn names(&self, site: &CallSite, batch: &[SiteId]) -> Result<Names, Fault> {
        let tenant = self.config.tenant.as_ref().ok_or_else(|| {
            let store = &self.config.store;
            Fault::permanent(format!(
                "store `{store}` does not say what belongs to a site"
            ))
            .hint("add `tenant: { base: ... }` to the store")
        })?;
        Names::of(tenant, &self.config.render, site, batch)
    }

    async fn ends(&self, call: &Call) -> Result<(Session, Names, Slice), Fault> {
        let shard = self.shard(call.shard()?)?;
        let names = self.names(call.site()?, &call.companions)?;
        let live = self.live(shard)?;
        let tree = self.tree(shard, call.target_time).await?;
        let mut slice = Slice::of(&tree, &names);
        if Options::read(&call.with)?.undecided == Undecided::Add {
            slice.take_undecided(&names);
        }
        Ok((live.session().await?, names, slice))
    }

    /// Live that is as it was at T needs nothing, whoever brought it there.
    async fn probe_restore(&self, call: &Call) -> Result<Probe, Fault> {
        let (mut session, names, slice) = self.ends(call).await?;
        let present = Present::read(&mut session, &names, &slice).await?;
        if slice.entries.is_empty() || !present.is_whole(&slice, &names) {
            return Ok(Probe::NotYet);
        }
        let rows = slice.entries.len() as u64;
        Ok(Probe::AsItShouldBe(Outcome {
            volume: Volume { rows, bytes: 0 },
            ..Outcome::default()
        }))
    }

    /// The site's slice as live has it now.
    async fn slice_of_live(
        &self,
        shard: &LdapShard,
        names: &Names,
        what: Listed,
    ) -> Result<Slice, Fault> {
        let mut session = self.live(shard)?.session().await?;
        let mut all = session.subtree(&names.base).await?;
        if let Some(shared) = &names.shared {
            let (attribute, value) = (&shared.attribute, &shared.value);
            all.extend(session.holders(&shared.base, attribute, value).await?);
        }
        if let (Some(groups), Listed::Members) = (&names.groups, what) {
            all.extend(session.subtree(groups).await?);
        }
        // A `uid` that somebody else has too names nobody, wherever they are.
        if what == Listed::Members && names.member.iter().any(|name| name == MEMBER_UID) {
            let uids = Slice::among(all.iter().collect(), names).uids();
            let suffix = session.suffix_of(&names.base).await?;
            let uids = uids.into_iter().collect::<Vec<_>>();
            all.extend(session.with_any(&suffix, "uid", &uids).await?);
        }
        // The places may overlap.
        let all: BTreeMap<DnKey, Entry> = all.into_iter().map(|e| (e.key(), e)).collect();
        Ok(Slice::among(all.values().collect(), names))
    }

    async fn release(&self, shard: &LdapShard, target: Timestamp) -> Result<Outcome, Fault> {
        self.trees.lock().await.remove(&(shard.id.clone(), target));
        let scratch = self.scratch(shard, target);
        blocking(move || scratch.delete()).await?;
        Ok(Outcome::default())
    }
}

#[async_trait]
impl Connector for LdapConnector {
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
        let shard = self.shard(call.shard()?)?;
        let work = async {
            match call.action {
                Action::Recover => self.recover(shard, call.target_time).await,
                Action::Release => self.release(shard, call.target_time).await,
                Action::Restore => {
                    let on_conflict = Options::read(&call.with)?.on_conflict;
                    let (mut session, names, slice) = self.ends(call).await?;
                    restore(&mut session, &names, &slice, on_conflict, context).await
                }
                Action::Verify => {
                    let (mut session, names, slice) = self.ends(call).await?;
                    let undecided = Options::read(&call.with)?.undecided;
                    verify(&mut session, &names, &slice, undecided).await
                }
                _ => Err(call.not_offered("ldap")),
            }
        };
        tokio::select! {
            () = context.cancelled().cancelled() => Err(Fault::new(FaultKind::Cancelled, "cancelled")),
            done = work => done,
        }
    }

    async fn probe(
        &self,
        call: &Call,
        _mark: Option<&Value>,
        _context: &dyn Context,
    ) -> Result<Probe, Fault> {
        let shard = self.shard(call.shard()?)?;
        let scratch = self.scratch(shard, call.target_time);
        match call.action {
            Action::Recover => Ok(match scratch.manifest() {
                Some(manifest) => Probe::AsItShouldBe(manifest.outcome),
                None => Probe::NotYet,
            }),
            Action::Release => Ok(match scratch.folder.exists() {
                true => Probe::NotYet,
                false => Probe::AsItShouldBe(Outcome::default()),
            }),
            Action::Restore => self.probe_restore(call).await,
            // Looking again is what verification is for.
            Action::Verify => Ok(Probe::NotYet),
            _ => Err(call.not_offered("ldap")),
        }
    }

    async fn list(
        &self,
        listing: &Listing,
        take: Take<'_>,
        _context: &dyn Context,
    ) -> Result<(), Fault> {
        let shard = self.shard(&listing.shard)?;
        let names = self.names(&listing.site, &[])?;
        let side = &listing.side;
        let slice = match side.at {
            End::Live => self.slice_of_live(shard, &names, side.list).await?,
            End::Target => Slice::of(&*self.tree(shard, listing.target_time).await?, &names),
        };
        for item in list::items(&slice, side)? {
            if take(item).is_break() {
                break;
            }
        }
        Ok(())
    }

    async fn close(&self) {
        self.trees.lock().await.clear();
    }

    fn leaves(&self) -> Vec<PathBuf> {
        let roots = self.config.shards.iter().map(|shard| {
            let own = shard.scratch.as_ref();
            own.unwrap_or(&self.config.scratch_root).clone()
        });
        roots.collect()
    }
}

/// Reading and parsing files, off the threads that wait for answers.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(Fault::permanent("reading a backup ended in a panic")))
}
