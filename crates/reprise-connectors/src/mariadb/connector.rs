//! The connector: hands each action to the part that does it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use reprise_model::{Action, End, Fault, Outcome, ShardId, Timestamp};
use reprise_ports::{
    Call, Connector, Context, Finding, Inspect, Inspection, Level, Listing, Probe, SiteRow, Take,
};
use secrecy::ExposeSecret;
use serde_json::Value;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{Column, Row};

use super::MariadbConfig;
use super::live::{LiveShard, Scratch};
use super::recover::Recovery;
use super::session::{Session, text};

/// A recovered end, with the socket that it was opened on.
type OnSocket = (PathBuf, Arc<Scratch>);

/// One store of kind `mariadb`: its shards, their scratch servers, and their
/// live ends.
#[derive(Debug)]
pub struct MariadbConnector {
    config: Arc<MariadbConfig>,
    recovery: Recovery,
    live: Mutex<BTreeMap<ShardId, Arc<LiveShard>>>,
    /// A server that was started again has another socket, and needs new ones.
    scratch: Mutex<BTreeMap<(ShardId, Timestamp), OnSocket>>,
    /// One task brings a lost scratch back, the others wait for it.
    rebuilding: tokio::sync::Mutex<()>,
}

impl MariadbConnector {
    pub fn new(config: MariadbConfig) -> Self {
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
        let options = MySqlConnectOptions::from_str(url.expose_secret()).map_err(|_| {
            Fault::permanent(format!("the live URL of {store}/{shard} is malformed"))
        })?;
        if options.get_database().is_none() {
            let message = format!("the live URL of {store}/{shard} names no database");
            return Err(Fault::permanent(message).hint("mysql://USER:PASSWORD@HOST:PORT/DATABASE"));
        }
        let most = self.config.live_connections;
        let live = LiveShard::new(store.clone(), shard.clone(), tenant, options, most);
        let live = Arc::new(live);
        all.insert(shard.clone(), Arc::clone(&live));
        Ok(live)
    }

    /// The recovered end of a shard for a task that needs it. A machine that
    /// was started anew may have taken the scratch since the shard was
    /// recovered: then it is recovered once more.
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
        let socket = options.get_socket().cloned().unwrap_or_default();
        let mut all = lock(&self.scratch);
        if let Some((known, scratch)) = all.get(&key)
            && *known == socket
        {
            return Ok(Arc::clone(scratch));
        }
        let scratch = Arc::new(live.scratch(options));
        all.insert(key, (socket, Arc::clone(&scratch)));
        Ok(scratch)
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

    async fn inspect_live(&self, inspect: &Inspect) -> Inspection {
        let shard = self.config.shard(&inspect.shard);
        if shard.is_none_or(|shard| shard.live.is_none()) {
            return Inspection::default();
        }
        match self.live(&inspect.shard) {
            Ok(live) => live.inspect(inspect).await,
            Err(fault) => self.unreachable(&inspect.shard, fault),
        }
    }
}

#[async_trait]
impl Connector for MariadbConnector {
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
            Action::Release => {
                lock(&self.scratch).remove(&(shard.clone(), target));
                self.recovery.release(shard, target).await
            }
            Action::Restore => {
                let scratch = self.ready_scratch(shard, target, context).await?;
                let (live, site) = (self.live(shard)?, &call.site()?.id);
                live.restore(&scratch, site, &call.companions, &call.with, context)
                    .await
            }
            Action::Verify => {
                let scratch = self.ready_scratch(shard, target, context).await?;
                let (live, site) = (self.live(shard)?, &call.site()?.id);
                live.verify(&scratch, site, &call.with, context).await
            }
            _ => Err(call.not_offered("mariadb")),
        }
    }

    async fn probe(
        &self,
        call: &Call,
        mark: Option<&Value>,
        context: &dyn Context,
    ) -> Result<Probe, Fault> {
        let (shard, target) = (call.shard()?, call.target_time);
        match call.action {
            Action::Recover => self.recovery.probe_recover(shard, target).await,
            Action::Release => self.recovery.probe_release(shard, target),
            Action::Restore if mark.is_none() => Ok(Probe::NotYet),
            Action::Restore => {
                let scratch = self.ready_scratch(shard, target, context).await?;
                let live = self.live(shard)?;
                live.probe_restore(&scratch, &call.site()?.id, mark).await
            }
            // Looking again is what verification is for.
            Action::Verify => Ok(Probe::NotYet),
            _ => Err(call.not_offered("mariadb")),
        }
    }

    async fn list_sites(
        &self,
        shard: &ShardId,
        target_time: Timestamp,
        query: &str,
    ) -> Result<Vec<SiteRow>, Fault> {
        let options = self.recovery.attach(shard, target_time).await?;
        let mut session = Session::open("scratch", &options).await?;
        let rows = session.rows("asking for the sites", query).await?;
        session.close().await;
        let named = rows.iter().map(|row| {
            let columns = row.columns().iter();
            columns
                .filter_map(|column| Some((column.name().to_owned(), text(row, column.ordinal())?)))
                .collect()
        });
        Ok(named.collect())
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
        for live in std::mem::take(&mut *lock(&self.live)).into_values() {
            live.close();
        }
        lock(&self.scratch).clear();
        self.recovery.close().await;
    }

    fn leaves(&self) -> Vec<PathBuf> {
        self.recovery.leaves()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
