//! The connector: hands each action to the part that does it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use reprise_model::{Action, End, Fault, Outcome, ShardId, SiteId, Timestamp};
use reprise_ports::{
    Call, CallSite, Connector, Context, Inspect, Inspection, Item, Listing, Probe, Take,
};
use serde_json::Value;

use super::S3Config;
use super::address::Address;
use super::client::Bucket;
use super::history::{History, Object};
use super::lifecycle::Below;
use super::listing::versions;
use super::options::Options;
use super::slice::Slice;
use crate::shared::policy::Anybody;

/// One store of kind `s3`.
pub struct S3Connector {
    pub(super) config: S3Config,
    buckets: Mutex<BTreeMap<ShardId, Arc<Bucket>>>,
    anybody: Anybody,
}

impl S3Connector {
    pub fn new(config: S3Config) -> Self {
        Self {
            config,
            buckets: Mutex::default(),
            anybody: Anybody::default(),
        }
    }

    pub(super) fn bucket(&self, shard: &ShardId) -> Result<Arc<Bucket>, Fault> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get(shard) {
            return Ok(Arc::clone(bucket));
        }
        let end = format!("{}/{shard} live", self.config.store);
        let known = self.config.shard(shard);
        let known = known.ok_or_else(|| Fault::permanent(format!("{end}: no such shard")))?;
        let live = known
            .live
            .as_ref()
            .ok_or_else(|| Fault::refused(format!("{end}: a drill has no way to this bucket")))?;
        let address = Address::read(live).map_err(|fault| Fault {
            message: format!("{end}: {}", fault.message),
            ..fault
        })?;
        let bucket = Arc::new(Bucket::new(address, &end)?);
        buckets.insert(shard.clone(), Arc::clone(&bucket));
        Ok(bucket)
    }

    /// Where the manifests of a shard at T are.
    pub(super) fn folder(&self, shard: &ShardId, target: Timestamp) -> PathBuf {
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

    /// The prefix of the site's keys. One that is empty or does not end with
    /// `/` could begin a neighbour's.
    fn prefix(&self, site: &CallSite) -> Result<String, Fault> {
        let wrong = |what: String| Fault::permanent(format!("{}: {what}", self.config.store));
        let template = self.config.prefix.as_deref();
        let template = template.ok_or_else(|| wrong("the store has no `tenant`".to_owned()))?;
        let prefix = (self.config.render)(template, site).map_err(wrong)?;
        // An id with a slash would stand in the folder of another site.
        let own = prefix.ends_with('/') && prefix != "/" && !site.id.as_str().contains('/');
        match own {
            true => Ok(prefix),
            false => Err(Fault::refused(format!(
                "{}: the prefix `{prefix}` of site {} could begin another site's keys",
                self.config.store, site.id
            ))
            .hint("let `tenant: { prefix: ... }` end with `/`; an id with `/` in it has no prefix of its own")),
        }
    }

    /// What the prefixes of all sites begin with.
    pub(super) fn lead(&self) -> &str {
        let template = self.config.prefix.as_deref().unwrap_or_default();
        template.split('{').next().unwrap_or_default()
    }

    pub(super) fn below<'a>(&'a self, prefixes: Option<&'a [String]>) -> Below<'a> {
        match prefixes {
            Some(prefixes) if !prefixes.is_empty() => Below::Sites(prefixes),
            Some(_) | None => Below::All(self.lead()),
        }
    }

    /// The prefixes of sites, where their ids tell them all.
    pub(super) fn prefixes(&self, sites: &[SiteId]) -> Option<Vec<String>> {
        sites
            .iter()
            .map(|id| self.prefix(&by_id(id)).ok())
            .collect()
    }

    fn slice<'a>(
        &self,
        bucket: &'a Bucket,
        call: &'a Call,
        context: &'a dyn Context,
    ) -> Result<Slice<'a>, Fault> {
        let site = call.site()?;
        let others = call.companions.iter();
        let others = others.filter_map(|id| self.prefix(&by_id(id)).ok());
        Ok(Slice {
            bucket,
            site: &site.id,
            prefix: self.prefix(site)?,
            others: others.collect(),
            anybody: self.anybody.at(call.shard()?, call.target_time),
            target: call.target_time,
            folder: self.folder(call.shard()?, call.target_time),
            options: Options::read(&call.with)?,
            context,
        })
    }
}

#[async_trait]
impl Connector for S3Connector {
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
        let shard = call.shard()?;
        match call.action {
            Action::Recover => {
                let bucket = self.bucket(shard)?;
                let prefixes = self.prefixes(&call.companions);
                let below = self.below(prefixes.as_deref());
                let (target, cancelled) = (call.target_time, context.cancelled());
                super::recover::recover(&bucket, target, below, cancelled).await
            }
            Action::Restore => {
                let bucket = self.bucket(shard)?;
                self.slice(&bucket, call, context)?.restore().await
            }
            Action::Verify => {
                let bucket = self.bucket(shard)?;
                self.slice(&bucket, call, context)?.verify().await
            }
            Action::Release => {
                let folder = self.folder(shard, call.target_time);
                match std::fs::remove_dir_all(&folder) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        Err(Fault::permanent(format!(
                            "{}: cannot be removed: {error}",
                            folder.display()
                        )))
                    }
                    _ => Ok(Outcome::default()),
                }
            }
            _ => Err(call.not_offered("s3")),
        }
    }

    async fn probe(
        &self,
        call: &Call,
        _mark: Option<&Value>,
        context: &dyn Context,
    ) -> Result<Probe, Fault> {
        let shard = call.shard()?;
        match call.action {
            Action::Restore => {
                let bucket = self.bucket(shard)?;
                self.slice(&bucket, call, context)?.probe_restore().await
            }
            // Cheap, and looking again is what they are for.
            Action::Recover | Action::Verify | Action::Release => Ok(Probe::NotYet),
            _ => Err(call.not_offered("s3")),
        }
    }

    async fn list(
        &self,
        listing: &Listing,
        take: Take<'_>,
        context: &dyn Context,
    ) -> Result<(), Fault> {
        let side = &listing.side;
        if side.at == End::Target {
            return Err(Fault::permanent(format!(
                "store `{}` of kind `s3` lists live only",
                self.config.store
            )));
        }
        let bucket = self.bucket(&listing.shard)?;
        let prefix = self.prefix(&listing.site)?;
        let all = versions(&bucket, &prefix, context.cancelled()).await?;
        for (key, object) in all.iter().filter_map(current) {
            let field = |name: &String| match name.as_str() {
                "key" => key.strip_prefix(&prefix).map(str::to_owned),
                "object" => Some(key.to_owned()),
                "size" => Some(object.size.to_string()),
                "etag" => Some(object.etag.clone()),
                _ => None,
            };
            let item = Item {
                key: field(&side.key),
                fields: side.compare.iter().map(field).collect(),
            };
            if take(item).is_break() {
                break;
            }
        }
        Ok(())
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

fn by_id(id: &SiteId) -> CallSite {
    CallSite {
        id: id.clone(),
        attributes: BTreeMap::new(),
    }
}

/// What a reader of the bucket finds at a key.
fn current(history: &History) -> Option<(&str, &Object)> {
    let object = history.current()?.object.as_ref()?;
    Some((&history.key, object))
}
