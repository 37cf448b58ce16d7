//! The connector: hands each action to the part that does it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use reprise_model::{Action, End, Fault, Outcome, ShardId, Timestamp};
use reprise_ports::{
    Call, Connector, Context, Finding, Inspect, Inspection, Level, Listing, Probe, SiteRow, Take,
};
use secrecy::ExposeSecret;
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;

use super::PostgresConfig;
use super::live::{LiveShard, Scratch};
use super::recover::Recovery;

/// A recovered end, with the socket that it was opened on.
type OnSocket = (Option<PathBuf>, Arc<Scratch>);

/// One store of kind `postgres`: its shards, their scratch servers, and the
/// connections to their live ends.
#[derive(Debug)]
pub struct PostgresConnector {
    config: Arc<PostgresConfig>,
    recovery: Recovery,
    live: Mutex<BTreeMap<ShardId, Arc<LiveShard>>>,
    /// A server that was started again has another socket, and needs new ones.
    scratch: Mutex<BTreeMap<(ShardId, Timestamp), OnSocket>>,
    /// One task brings a lost scratch back, the others wait for it.
    rebuilding: tokio::sync::Mutex<()>,
}

impl PostgresConnector {
    pub fn new(config: PostgresConfig) -> Self {
        let config = Arc::new(config);
        Self {
            recovery: Recovery::new(Arc::clone(&config)),
            config,
            live: Mutex::default(),
            scratch: Mutex::default(),
            rebuilding: tokio::sync::Mutex::default(),
        }
    }

    /// The live end of a shard; refused in a drill, which has none.
    fn live(&self, shard: &ShardId) -> Result<Arc<LiveShard>, Fault> {
        let mut all = lock(&self.live);
        if let Some(live) = all.get(shard) {
            return Ok(Arc::clone(live));
        }
        let store = &self.config.store;
        let url = self
            .config
            .shard(shard)
            .and_then(|shard| shard.live.as_ref())
            .ok_or_else(|| Fault::refused(format!("{store}/{shard} has no live end here")))?;
        let tenant = self.config.tenant.clone().ok_or_else(|| {
            Fault::permanent(format!(
                "store `{store}` does not say which rows belong to a site"
            ))
            .hint("add `tenant: { table: ..., key: ... }` to the store")
        })?;
        // The parser's own message could quote the URL, and its password with it.
        let options = PgConnectOptions::from_str(url.expose_secret()).map_err(|_| {
            Fault::permanent(format!("the live URL of {store}/{shard} is malformed"))
        })?;
        let live = Arc::new(LiveShard::new(
            store.clone(),
            shard.clone(),
            tenant,
            options,
            self.config.pools.live as usize,
        ));
        all.insert(shard.clone(), Arc::clone(&live));
        Ok(live)
    }

    /// The recovered end of a shard for a task that needs it. A machine that
    /// was started anew, or somebody with a broom, may have taken the scratch
    /// since the shard was recovered: then it is recovered once more.
    async fn ready_scratch(
        &self,
        shard: &ShardId,
        target: Timestamp,
        context: &dyn Context,
    ) -> Result<Arc<Scratch>, Fault> {
        if let Ok(scratch) = self.scratch(shard, target).await {
            return Ok(scratch);
        }
        let _alone = self.rebuilding.lock().await;
        if let Ok(scratch) = self.scratch(shard, target).await {
            return Ok(scratch);
        }
        self.recovery.recover(shard, target, context).await?;
        self.scratch(shard, target).await
    }

    /// The recovered end of a shard, whose server is started if need be.
    async fn scratch(&self, shard: &ShardId, target: Timestamp) -> Result<Arc<Scratch>, Fault> {
        let live = self.live(shard)?;
        let options = self.recovery.attach(shard, target).await?;
        let key = (shard.clone(), target);
        let socket = options.get_socket().cloned();
        let mut all = lock(&self.scratch);
        if let Some((known, scratch)) = all.get(&key)
            && *known == socket
        {
            return Ok(Arc::clone(scratch));
        }
        let scratch = Arc::new(live.scratch(options, self.config.pools.scratch as usize));
        all.insert(key, (socket, Arc::clone(&scratch)));
        Ok(scratch)
    }

    /// Looks at the live end; a drill has none. A scratch that an earlier run
    /// has left for this moment tells the schema of then.
    async fn inspect_live(&self, inspect: &Inspect) -> Inspection {
        let shard = self.config.shard(&inspect.shard);
        if shard.is_none_or(|shard| shard.live.is_none()) {
            return Inspection::default();
        }
        let live = match self.live(&inspect.shard) {
            Ok(live) => live,
            Err(fault) => return self.unreachable(&inspect.shard, fault),
        };
        let scratch = match inspect.target_time {
            Some(target) => self.scratch(&inspect.shard, target).await.ok(),
            None => None,
        };
        live.inspect(inspect, scratch.as_deref()).await
    }

    fn unreachable(&self, shard: &ShardId, fault: Fault) -> Inspection {
        let finding = Finding {
            check: "connection".to_owned(),
            level: Level::Error,
            store: self.config.store.clone(),
            shard: shard.clone(),
            message: fault.message,
            hint: fault.hint,
        };
        Inspection {
            findings: vec![finding],
            ..Inspection::default()
        }
    }

    async fn release(&self, shard: &ShardId, target: Timestamp) -> Result<Outcome, Fault> {
        let scratch = lock(&self.scratch).remove(&(shard.clone(), target));
        drop(scratch);
        self.recovery.release(shard, target).await
    }
}

#[async_trait]
impl Connector for PostgresConnector {
    fn offers(&self) -> &'static [Action] {
        &[
            Action::Recover,
            Action::Restore,
            Action::Verify,
            Action::Release,
        ]
    }

    async fn inspect(&self, inspect: &Inspect) -> Inspection {
        let (findings, scratch_bytes) = self
            .recovery
            .inspect(&inspect.shard, inspect.target_time)
            .await;
        let mut inspection = self.inspect_live(inspect).await;
        inspection.findings.splice(0..0, findings);
        inspection.estimate.scratch_bytes = scratch_bytes;
        inspection
    }

    async fn perform(&self, call: &Call, context: &dyn Context) -> Result<Outcome, Fault> {
        let (shard, target) = (call.shard()?, call.target_time);
        match call.action {
            Action::Recover => self.recovery.recover(shard, target, context).await,
            Action::Release => self.release(shard, target).await,
            Action::Restore => {
                let scratch = self.ready_scratch(shard, target, context).await?;
                let live = self.live(shard)?;
                live.restore(
                    &scratch,
                    &call.site()?.id,
                    &call.companions,
                    &call.with,
                    context,
                )
                .await
            }
            Action::Verify => {
                let scratch = self.ready_scratch(shard, target, context).await?;
                let live = self.live(shard)?;
                live.verify(
                    &scratch,
                    &call.site()?.id,
                    &call.companions,
                    &call.with,
                    context,
                )
                .await
            }
            _ => Err(call.not_offered("postgres")),
        }
    }

    async fn probe(
        &self,
        call: &Call,
        mark: Option<&Value>,
        _context: &dyn Context,
    ) -> Result<Probe, Fault> {
        let (shard, target) = (call.shard()?, call.target_time);
        match call.action {
            Action::Recover => self.recovery.probe_recover(shard, target).await,
            Action::Release => self.recovery.probe_release(shard, target),
            Action::Restore => self.live(shard)?.probe_restore(mark).await,
            // Looking again is what verification is for.
            Action::Verify => Ok(Probe::NotYet),
            _ => Err(call.not_offered("postgres")),
        }
    }

    async fn list_sites(
        &self,
        shard: &ShardId,
        target_time: Timestamp,
        query: &str,
    ) -> Result<Vec<SiteRow>, Fault> {
        self.recovery.list_sites(shard, target_time, query).await
    }

    async fn identify(
        &self,
        shard: &ShardId,
        target_time: Timestamp,
        ids: &[String],
    ) -> BTreeMap<String, String> {
        self.recovery.identify(shard, target_time, ids).await
    }

    async fn list(
        &self,
        listing: &Listing,
        take: Take<'_>,
        context: &dyn Context,
    ) -> Result<(), Fault> {
        let shard = &listing.shard;
        match listing.side.at {
            End::Live => self.live(shard)?.list(listing, take).await,
            End::Target => {
                let scratch = self.ready_scratch(shard, listing.target_time, context);
                scratch.await?.list(listing, take).await
            }
        }
    }

    async fn close(&self) {
        let live = std::mem::take(&mut *lock(&self.live));
        for shard in live.into_values() {
            shard.close().await;
        }
        lock(&self.scratch).clear();
        self.recovery.close().await;
    }

    fn leaves(&self) -> Vec<PathBuf> {
        self.recovery.leaves()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
