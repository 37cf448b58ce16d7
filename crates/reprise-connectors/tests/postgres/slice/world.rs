//! A shard at T and a live shard, and what the tests do with them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use reprise_connectors::postgres::live::{LiveShard, Scratch};
use reprise_model::{Check, Fault, Outcome, SiteId, TableRule, Tenant};
use reprise_ports::{Context, Progress};
use serde_json::{Map, Value};
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::cluster::{Cluster, connect, run, text};

/// Rules of a tenant, in one line: `sites.id`, `audit: key tenant`, `rates: shared`.
pub fn tenant(root: &str, rules: &[(&str, &str)]) -> Tenant {
    let (table, key) = root.rsplit_once('.').unwrap();
    let tables = rules.iter().map(|(table, rule)| {
        let rule = match *rule {
            "shared" => TableRule::Shared,
            "ignored" => TableRule::Ignored,
            key => TableRule::Key(key.to_owned()),
        };
        (table.to_string(), rule)
    });
    Tenant {
        table: table.to_owned(),
        key: key.to_owned(),
        tables: tables.collect::<BTreeMap<_, _>>(),
    }
}

/// Two databases on one server: `then` is the shard at T, `now` is live.
pub struct World {
    pub then: PgConnection,
    pub now: PgConnection,
    pub shard: LiveShard,
    pub scratch: Scratch,
    pub live_options: PgConnectOptions,
    pub recorder: Recorder,
    /// Sites of the batch; none is told unless a test says so.
    pub companions: Vec<SiteId>,
    pub names: (String, String),
    pub cluster: Arc<Cluster>,
}

impl World {
    /// Both databases get `schema`; the rows of T go into both.
    pub async fn new(schema: &str, rows: &str, tenant: Tenant) -> Self {
        Self::on(Cluster::shared(), schema, rows, tenant).await
    }

    pub async fn on(cluster: Arc<Cluster>, schema: &str, rows: &str, tenant: Tenant) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let names = (format!("then_{number}"), format!("now_{number}"));
        let mut admin = connect(&cluster.options("postgres")).await;
        run(&mut admin, &format!("create database {}", names.0)).await;
        run(&mut admin, &format!("create database {}", names.1)).await;
        let mut then = connect(&cluster.options(&names.0)).await;
        let mut now = connect(&cluster.options(&names.1)).await;
        for end in [&mut then, &mut now] {
            run(end, schema).await;
            run(end, rows).await;
        }
        let live_options = cluster.options(&names.1);
        let shard = LiveShard::new("s".into(), "s01".into(), tenant, live_options.clone(), 4);
        let scratch = shard.scratch(cluster.options(&names.0), 4);
        Self {
            then,
            now,
            shard,
            scratch,
            live_options,
            recorder: Recorder::default(),
            companions: Vec::new(),
            names,
            cluster,
        }
    }

    /// The same shard, reached as another role.
    pub fn as_role(&mut self, role: &str, tenant: Tenant) {
        let options = self.live_options.clone().username(role);
        self.shard = LiveShard::new("s".into(), "s01".into(), tenant, options, 4);
        self.scratch = self.shard.scratch(self.cluster.options(&self.names.0), 4);
    }

    pub async fn restore(&self, site: &str, with: &str) -> Result<Outcome, Fault> {
        let site = SiteId::from(site);
        self.shard
            .restore(
                &self.scratch,
                &site,
                &self.companions,
                &options(with),
                &self.recorder,
            )
            .await
    }

    pub async fn verify(&self, site: &str, with: &str) -> Result<Outcome, Fault> {
        let site = SiteId::from(site);
        self.shard
            .verify(
                &self.scratch,
                &site,
                &self.companions,
                &options(with),
                &self.recorder,
            )
            .await
    }

    /// Restores and verifies a site that is expected to come back whole.
    pub async fn comes_back(&self, site: &str) -> Outcome {
        let outcome = self
            .restore(site, "{}")
            .await
            .unwrap_or_else(|f| panic!("{f:?}"));
        let verified = self.verify(site, "{}").await;
        verified.unwrap_or_else(|fault| panic!("{fault:?}"));
        outcome
    }

    /// The refusal that a restore ends with; live must be as it was before.
    pub async fn refused(&mut self, site: &str, with: &str) -> Fault {
        let before = self.everything().await;
        let fault = match self.restore(site, with).await {
            Err(fault) => fault,
            Ok(outcome) => panic!("restored: {outcome:?}"),
        };
        assert_eq!(self.everything().await, before, "a refusal changed live");
        fault
    }

    /// All rows of live, as one text per table.
    pub async fn everything(&mut self) -> BTreeMap<String, String> {
        dump(&mut self.now).await
    }
}

/// All rows of a database in a fixed order, table by table.
pub async fn dump(connection: &mut PgConnection) -> BTreeMap<String, String> {
    let tables = text(
        connection,
        "select string_agg(format('%I.%I', schemaname, tablename), ' ' order by 1) from pg_tables
         where schemaname not in ('pg_catalog', 'information_schema')",
    )
    .await;
    let mut all = BTreeMap::new();
    for table in tables.split_whitespace() {
        let sql =
            format!("select string_agg(t::text, E'\\n' order by t::text) from only {table} t");
        let rows = text(connection, &sql).await;
        all.insert(table.to_owned(), rows);
    }
    all
}

pub fn options(json: &str) -> Map<String, Value> {
    serde_json::from_str(json).unwrap()
}

pub fn check<'a>(checks: &'a [Check], name: &str) -> &'a Check {
    checks.iter().find(|check| check.name == name).unwrap()
}

/// Keeps what an attempt told its coordinator.
#[derive(Debug, Default)]
pub struct Recorder {
    pub marks: Mutex<Vec<Value>>,
    pub progress: Mutex<Vec<Progress>>,
    pub token: CancellationToken,
    /// Cancels as soon as a phase begins with this.
    pub cancel_at: Option<&'static str>,
    /// Fails the mark, as a coordinator does that is superseded.
    pub refuse_mark: bool,
    /// Stands still at the mark: says so by the first, goes on by the second.
    pub hold_mark: Option<(Notify, Notify)>,
}

impl Recorder {
    /// Whether a phase of this name was begun.
    pub fn told(&self, phase: &str) -> bool {
        let progress = self.progress.lock().unwrap();
        progress.iter().any(|p| p.phase.as_deref() == Some(phase))
    }
}

#[async_trait]
impl Context for Recorder {
    fn progress(&self, progress: Progress) {
        let at = |wanted: &&str| {
            progress
                .phase
                .as_deref()
                .is_some_and(|p| p.starts_with(wanted))
        };
        if self.cancel_at.as_ref().is_some_and(at) {
            self.token.cancel();
        }
        self.progress.lock().unwrap().push(progress);
    }

    async fn mark(&self, mark: Value) -> Result<(), Fault> {
        self.marks.lock().unwrap().push(mark);
        if let Some((reached, go_on)) = &self.hold_mark {
            reached.notify_one();
            go_on.notified().await;
        }
        match self.refuse_mark {
            true => Err(Fault::permanent("the journal is not ours any more")),
            false => Ok(()),
        }
    }

    fn cancelled(&self) -> &CancellationToken {
        &self.token
    }
}
