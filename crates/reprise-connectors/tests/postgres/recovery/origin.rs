//! A real server with an archive: where the shards of these tests come from.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use reprise_connectors::postgres::{PoolSizes, PostgresConfig, PostgresConnector, PostgresShard};
use reprise_model::{
    Action, AttemptId, Backup, Fault, Outcome, ShardId, TaskIx, Tenant, Timestamp,
};
use reprise_pgserver::{
    Account, Initdb, Installation, Lifetime, SearchPath, Server, ServerConfig, Stop, Tcp, initdb,
};
use reprise_ports::{Call, Connector, Context, Progress};
use serde_json::Value;
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio_util::sync::CancellationToken;

pub const SHARD: &str = "s01";

pub fn search() -> SearchPath {
    let deps = std::env::var_os("REPRISE_DEPS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.deps"),
        PathBuf::from,
    );
    SearchPath {
        deps: Some(deps),
        path: std::env::var_os("PATH"),
        ..SearchPath::default()
    }
}

pub fn installation(major: u32) -> Installation {
    Installation::for_major(&search(), major)
        .unwrap_or_else(|error| panic!("{error}; `make deps` installs what these tests need"))
}

/// A primary that archives, with one table of numbered rows.
pub struct Origin {
    pub root: tempfile::TempDir,
    pub account: Account,
    config: ServerConfig,
    pub server: Option<Server>,
}

impl Origin {
    pub async fn new(major: u32) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let account = Account::for_folder(None).unwrap();
        for folder in ["wal", "base"] {
            fs::create_dir(root.path().join(folder)).unwrap();
            account.own(&root.path().join(folder)).unwrap();
        }
        let wal = root.path().join("wal").display().to_string();
        let archive = format!("test ! -f {wal}/%f && cp %p {wal}/.%f && mv {wal}/.%f {wal}/%f");
        let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let config = ServerConfig {
            installation: installation(major),
            account: account.clone(),
            data: root.path().join("data"),
            temp: root.path().to_owned(),
            tcp: Tcp::AnyPort,
            log: root.path().join("log"),
            lifetime: Lifetime::Attached,
            config_file: None,
            settings: vec![
                setting("archive_mode", "on"),
                setting("archive_command", &archive),
                setting("track_commit_timestamp", "on"),
                setting("autovacuum", "off"),
                setting("log_timezone", "America/New_York"),
                setting("fsync", "off"),
            ],
        };
        let options = Initdb::default();
        initdb(&config.installation, &account, &config.data, &options).unwrap();
        let mut origin = Self {
            root,
            account,
            config,
            server: None,
        };
        origin.start(&[]);
        origin
            .sql("create table sites (id text primary key, name text)")
            .await;
        origin.sql("create table t (n int primary key)").await;
        origin
    }

    pub fn start(&mut self, settings: &[(&str, &str)]) {
        let mut config = self.config.clone();
        config
            .settings
            .extend(settings.iter().map(|(n, v)| ((*n).into(), (*v).into())));
        let mut server = Server::start(&config).unwrap();
        server
            .wait_until_accepting(Duration::from_secs(60), &|| false)
            .unwrap();
        self.server = Some(server);
    }

    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.stop(Stop::Fast).unwrap();
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub fn url(&self) -> String {
        let port = self.server.as_ref().unwrap().port();
        format!("postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable")
    }

    pub async fn connection(&self) -> PgConnection {
        let options: PgConnectOptions = self.url().parse().unwrap();
        options.connect().await.unwrap()
    }

    pub async fn sql(&self, sql: &str) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))
            .execute(&mut self.connection().await)
            .await
            .unwrap();
    }

    pub async fn text(&self, sql: &str) -> String {
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned()))
            .fetch_one(&mut self.connection().await)
            .await
            .unwrap()
    }

    /// Commits row `n` and tells when, to the microsecond.
    pub async fn commit(&self, n: i32) -> Timestamp {
        self.sql(&format!("insert into t values ({n})")).await;
        self.instant(&format!(
            "select pg_xact_commit_timestamp(xmin) from t where n = {n}"
        ))
        .await
    }

    pub async fn now(&self) -> Timestamp {
        self.instant("select clock_timestamp()").await
    }

    async fn instant(&self, sql: &str) -> Timestamp {
        let sql = format!("select round(extract(epoch from ({sql})) * 1000000)::bigint::text");
        Timestamp::from_micros(self.text(&sql).await.parse().unwrap())
    }

    /// Takes a base backup into `base/<name>`; the server's clock has passed
    /// the second in which it ended when this returns.
    pub async fn backup(&self, name: &str, wal: &str) {
        let program = self.config.installation.tool("pg_basebackup").unwrap();
        let place = self.path("tablespace").display().to_string();
        let copy = self.path("base/tablespace").display().to_string();
        let output = self
            .account
            .command(program)
            .args([
                "-c",
                "fast",
                "-X",
                wal,
                "--no-sync",
                "-d",
                &self.url(),
                "-D",
            ])
            .arg(self.path("base").join(name))
            .arg(format!("--tablespace-mapping={place}={copy}"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        self.sql("select pg_sleep(1.01)").await;
    }

    /// Closes the current segment and waits until it is in the archive;
    /// answers its name.
    pub async fn archive(&self) -> String {
        let segment = self.text("select pg_walfile_name(pg_switch_wal())").await;
        for _ in 0..600 {
            if self.path("wal").join(&segment).exists() {
                return segment;
            }
            self.sql("select pg_sleep(0.02)").await;
        }
        panic!("{segment} was not archived");
    }

    pub fn backup_config(&self) -> Backup {
        Backup::BaseBackup {
            base: self.path("base"),
            wal: self.path("wal"),
        }
    }

    /// A connector whose live end is this server.
    pub fn connector(&self) -> PostgresConnector {
        self.connector_with(Some(self.url()), self.backup_config(), None)
    }

    pub fn connector_with(
        &self,
        live: Option<String>,
        backup: Backup,
        rpo: Option<Duration>,
    ) -> PostgresConnector {
        let search = search();
        PostgresConnector::new(PostgresConfig {
            store: "issues".into(),
            tenant: Some(Tenant {
                table: "sites".into(),
                key: "id".into(),
                tables: Default::default(),
            }),
            shards: vec![PostgresShard {
                id: SHARD.into(),
                live: live.map(Into::into),
                backup,
                scratch: None,
            }],
            scratch_root: self.path("scratch"),
            temp: self.root.path().to_owned(),
            deps: search.deps,
            pg_bin: Vec::new(),
            path: search.path,
            rpo,
            pools: PoolSizes::default(),
        })
    }

    /// The one scratch folder there is.
    pub fn scratch(&self) -> PathBuf {
        let mut entries = fs::read_dir(self.path("scratch")).unwrap();
        let found = entries.next().expect("a scratch folder").unwrap().path();
        assert!(entries.next().is_none());
        found
    }
}

/// Packs every archived segment and takes the plain file away.
pub fn pack(wal: &Path, program: &str) {
    for entry in fs::read_dir(wal).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().len() == 24 {
            let status = Command::new(program).arg(&path).status().unwrap();
            assert!(status.success());
        }
    }
}

pub fn shard() -> ShardId {
    SHARD.into()
}

/// A context that remembers.
#[derive(Default)]
pub struct Watcher {
    pub cancelled: CancellationToken,
    pub phases: Mutex<Vec<String>>,
}

#[async_trait]
impl Context for Watcher {
    fn progress(&self, progress: Progress) {
        self.phases.lock().unwrap().extend(progress.phase);
    }

    async fn mark(&self, _mark: Value) -> Result<(), Fault> {
        Ok(())
    }

    fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }
}

pub fn call(action: Action, target: Timestamp) -> Call {
    Call {
        run: "r1".into(),
        attempt: AttemptId {
            task: TaskIx(0),
            number: 1,
        },
        task: "recover@s01".into(),
        idempotency_key: "k".into(),
        action,
        target_time: target,
        site: None,
        store: Some("issues".into()),
        shard: Some(shard()),
        companions: Default::default(),
        with: Default::default(),
        outputs: Default::default(),
    }
}

pub async fn recover(connector: &PostgresConnector, target: Timestamp) -> Result<Outcome, Fault> {
    let watcher = Watcher::default();
    connector
        .perform(&call(Action::Recover, target), &watcher)
        .await
}

/// The numbers in `t` of the recovered shard.
pub async fn rows(connector: &PostgresConnector, target: Timestamp) -> Vec<String> {
    connector
        .list_sites(&shard(), target, "select n as id from t order by n")
        .await
        .unwrap()
        .into_iter()
        .map(|mut row| row.remove("id").unwrap())
        .collect()
}

pub fn micros(instant: Timestamp, by: i64) -> Timestamp {
    Timestamp::from_micros(instant.as_micros() + by)
}
