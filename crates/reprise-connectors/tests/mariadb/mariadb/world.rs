//! A live server with its backup and binary log, and the connector on them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use reprise_connectors::mariadb::{MariadbConfig, MariadbConnector, MariadbShard};
use reprise_model::{Action, AttemptId, Fault, Outcome, TableRule, TaskIx, Tenant, Timestamp};
use reprise_pgserver::{Account, attached};
use reprise_ports::{Call, CallSite, Connector, Context, Probe, Progress};
use secrecy::SecretString;
use serde_json::{Map, Value};
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, MySqlConnection, Row, raw_sql};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

pub const SCHEMA: &str = "
create table countries (code char(2) primary key);
insert into countries values ('de'), ('fr');
create table sites (id int auto_increment primary key, name varchar(40) not null unique, country char(2) references countries (code));
create table projects (id int auto_increment primary key, site_id int not null, name varchar(40),
  foreign key (site_id) references sites (id) on delete cascade);
create table issues (id int auto_increment primary key, project_id int not null, parent_id int,
  title varchar(200) character set latin1, body longtext, price decimal(30, 10), made datetime(6), seen timestamp(6) null,
  flags bit(10), raw varbinary(300), file longblob, doc json, small float, large double, place point,
  kind enum('bug', 'it''s, a task'), tags set('a', 'b'), born year, took time(3), big bigint unsigned,
  twice int as (born * 2) stored, upper_title varchar(200) as (upper(title)) virtual,
  foreign key (project_id) references projects (id) on delete cascade,
  foreign key (parent_id) references issues (id) on delete cascade);
insert into sites values (1, 'acme', 'de'), (2, 'blue', 'fr'), (3, 'core', 'de');
insert into projects (id, site_id, name) values (10, 1, 'p'), (20, 2, 'q'), (30, 3, null);
insert into issues (id, project_id, parent_id, title, body, price, made, seen, flags, raw, file, doc, small, large, place, kind, tags, born, took, big) values
  (100, 10, null, 'Grüße', concat('it''s \\\\ \"ü€😀\"', char(0), char(26), '\n'), -12345678901234567890.0123456789, '9999-12-31 23:59:59.999999',
   '2021-03-28 01:30:00.123456', b'1000000001', x'00ff2700', x'', '{\"a\": [1, 2.50, \"ü\"]}', 0.1, 1e-308, point(1.5, -2),
   'it''s, a task', 'a,b', 1999, '-838:59:59.999', 18446744073709551615),
  (101, 10, 100, '', '', 0, '0001-01-01', null, b'0', '', repeat(x'e4', 3000), null, 16777217, 0.1 + 0.2, null, null, '', null, null, 0),
  (200, 20, null, 'neighbour', null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null),
  (300, 30, null, 'another', null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);
";

/// A server that ends when it is dropped.
pub struct Server {
    child: Child,
    pub port: u16,
    pub folder: TempDir,
    account: Account,
    /// What the estate says about its time zone.
    pub time_zone: Option<String>,
    pub tenant: Tenant,
}

fn account() -> Account {
    Account::for_folder(None).unwrap()
}

/// A fresh data folder, made once and copied for each server.
fn template() -> &'static Path {
    static MADE: OnceLock<TempDir> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = open_folder();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        account().own(&data).unwrap();
        let done = account()
            .command("mariadb-install-db")
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--tmpdir={}", data.display()))
            .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        folder
    })
    .path()
}

pub fn open_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn free_port() -> u16 {
    reprise_pgserver::free_ports(1).unwrap()[0]
}

impl Server {
    /// `settings` come last, and win.
    pub async fn start(settings: &[&str]) -> Self {
        Self::start_in("UTC", settings).await
    }

    /// The same on a machine that is in this time zone.
    pub async fn start_in(zone: &str, settings: &[&str]) -> Self {
        let folder = open_folder();
        let data = folder.path().join("data");
        let copied = Command::new("cp")
            .arg("-a")
            .arg(template().join("data"))
            .arg(&data)
            .status();
        assert!(copied.unwrap().success());
        let (account, port) = (account(), free_port());
        let mut command = account.command("/usr/sbin/mariadbd");
        command
            .env("TZ", zone)
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .arg(format!(
                "--socket={}",
                folder.path().join("data/s").display()
            ))
            .arg(format!("--log-bin={}", data.join("bin").display()))
            // A server that starts sweeps its folder: others' tables go with it.
            .arg(format!("--tmpdir={}", data.display()))
            .args([
                "--bind-address=127.0.0.1",
                "--server-id=7",
                "--innodb-flush-log-at-trx-commit=0",
                "--sync-binlog=0",
            ])
            .args(["--innodb-log-file-size=8M", "--default-time-zone=-05:00"])
            .arg(format!("--port={port}"))
            .args(settings)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = attached(command, rustix::process::Signal::KILL).unwrap();
        let server = Self {
            child,
            port,
            folder,
            account,
            time_zone: None,
            tenant: Tenant {
                table: "sites".to_owned(),
                key: "id".to_owned(),
                tables: [("countries".to_owned(), TableRule::Shared)].into(),
            },
        };
        for _ in 0..600 {
            if server.options(None).connect().await.is_ok() {
                return server;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server lets nobody in");
    }

    pub fn options(&self, database: Option<&str>) -> MySqlConnectOptions {
        let options = MySqlConnectOptions::new()
            .host("127.0.0.1")
            .port(self.port)
            .username("root")
            .ssl_mode(MySqlSslMode::Disabled);
        match database {
            Some(database) => options.database(database),
            None => options,
        }
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A live server with three sites and a backup of them.
pub struct World {
    pub server: Server,
    pub live: MySqlConnection,
    pub connector: MariadbConnector,
    pub recorder: Recorder,
    /// Seconds that transactions of the test are stamped from.
    pub base: i64,
    _scratch: TempDir,
}

impl World {
    pub async fn new() -> Self {
        Self::on(Server::start(&[]).await).await
    }

    pub async fn on(server: Server) -> Self {
        let mut live = server.options(None).connect().await.unwrap();
        run(
            &mut live,
            "set time_zone = '+00:00'; set sql_mode = 'STRICT_ALL_TABLES'",
        )
        .await;
        run(
            &mut live,
            "create user u identified by 'right'; grant all on app.* to u",
        )
        .await;
        run(&mut live, "create database app; use app").await;
        run(&mut live, SCHEMA).await;
        server.backup("b1");
        // Far enough from now that no real commit comes in between.
        let now = text(&mut live, "select unix_timestamp()").await;
        let base = now.parse::<i64>().unwrap() + 10_000;
        let connector = server.connector("root", "");
        Self {
            server,
            live,
            connector: connector.0,
            recorder: Recorder::default(),
            base,
            _scratch: connector.1,
        }
    }

    /// One transaction in the second `base + after`, whatever the clock says.
    pub async fn commit_at(&mut self, after: i64, sql: &str) {
        let stamped = format!(
            "set timestamp = {}; {sql}; set timestamp = default",
            self.base + after
        );
        run(&mut self.live, &stamped).await;
    }

    pub fn at(&self, after: f64) -> Timestamp {
        Timestamp::from_micros(self.base * 1_000_000 + (after * 1e6) as i64)
    }

    pub async fn perform(
        &self,
        action: Action,
        target: Timestamp,
        site: Option<&str>,
    ) -> Result<Outcome, Fault> {
        self.connector
            .perform(&call(action, target, site), &self.recorder)
            .await
    }

    pub async fn probe(&self, target: Timestamp, site: &str, mark: &Value) -> Probe {
        let call = call(Action::Restore, target, Some(site));
        self.connector
            .probe(&call, Some(mark), &self.recorder)
            .await
            .unwrap()
    }

    /// Answers of the recovered shard: the rows of a query with one column `id`.
    pub async fn in_scratch(&self, target: Timestamp, query: &str) -> Vec<String> {
        let rows = self
            .connector
            .list_sites(&"s01".into(), target, query)
            .await
            .unwrap();
        rows.into_iter().map(|row| row["id"].clone()).collect()
    }

    /// Every row of every table outside of a site, and of the site.
    pub async fn dump(&mut self, condition: &str) -> String {
        let sql = format!(
            "select concat_ws('|', s.id, s.name, s.country, p.id, p.name, i.id, ifnull(i.parent_id, '-'), hex(i.title), hex(i.body),
               i.price, i.made, i.seen, i.flags + 0, hex(i.raw), hex(i.file), i.doc, cast(i.small as double), i.large,
               hex(i.place), i.kind, i.tags, i.born, i.took, i.big, i.twice, hex(i.upper_title))
             from app.sites s left join app.projects p on p.site_id = s.id left join app.issues i on i.project_id = p.id
             where {condition} order by s.id, p.id, i.id"
        );
        let rows = raw_sql(AssertSqlSafe(sql))
            .fetch_all(&mut self.live)
            .await
            .unwrap();
        let lines: Vec<String> = rows
            .iter()
            .map(|row| String::from_utf8(row.get_unchecked::<Vec<u8>, _>(0)).unwrap())
            .collect();
        lines.join("\n")
    }
}

impl Server {
    pub fn backup(&self, name: &str) {
        let target = self.folder.path().join("backups").join(name);
        fs::create_dir_all(&target).unwrap();
        self.account
            .own(&self.folder.path().join("backups"))
            .unwrap();
        let done = self
            .account
            .command("mariadb-backup")
            .args([
                "--no-defaults",
                "--backup",
                "--user=root",
                "--host=127.0.0.1",
            ])
            .arg(format!("--port={}", self.port))
            .arg(format!("--datadir={}", self.data().display()))
            .arg(format!("--target-dir={}", target.display()))
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
    }

    pub fn connector(&self, user: &str, password: &str) -> (MariadbConnector, TempDir) {
        self.connector_on(user, password, &self.data())
    }

    /// The same with the binary log of another folder.
    pub fn connector_on(
        &self,
        user: &str,
        password: &str,
        binlog: &Path,
    ) -> (MariadbConnector, TempDir) {
        let scratch = open_folder();
        let mut config = self.config(scratch.path(), binlog);
        let live = format!(
            "mysql://{user}:{password}@127.0.0.1:{}/app?ssl-mode=disabled",
            self.port
        );
        let live = SecretString::from(live);
        config.shards[0].database = MariadbShard::database_of(&live);
        config.shards[0].live = Some(live);
        (MariadbConnector::new(config), scratch)
    }

    /// As in a drill: of live no more is known than its database's name.
    pub fn drill_on(
        &self,
        scratch: &Path,
        binlog: &Path,
        database: Option<&str>,
    ) -> MariadbConnector {
        let mut config = self.config(scratch, binlog);
        config.shards[0].database = database.map(str::to_owned);
        MariadbConnector::new(config)
    }

    fn config(&self, scratch: &Path, binlog: &Path) -> MariadbConfig {
        let shard = MariadbShard {
            id: "s01".into(),
            live: None,
            database: None,
            base: self.folder.path().join("backups"),
            binlog: binlog.to_owned(),
            time_zone: self.time_zone.clone(),
            scratch: None,
        };
        MariadbConfig {
            store: "issues".into(),
            tenant: Some(self.tenant.clone()),
            shards: vec![shard],
            scratch_root: scratch.join("scratch"),
            temp: scratch.to_owned(),
            path: std::env::var_os("PATH"),
            rpo: None,
            live_connections: 4,
        }
    }
}

pub fn call(action: Action, target: Timestamp, site: Option<&str>) -> Call {
    Call {
        run: "r".into(),
        attempt: AttemptId {
            task: TaskIx(0),
            number: 1,
        },
        task: "t".into(),
        idempotency_key: "k".to_owned(),
        action,
        target_time: target,
        site: site.map(|id| CallSite {
            id: id.into(),
            attributes: Default::default(),
        }),
        store: Some("issues".into()),
        shard: Some("s01".into()),
        companions: site.map(|id| id.into()).into_iter().collect(),
        with: Map::new(),
        outputs: Default::default(),
    }
}

pub async fn run(connection: &mut MySqlConnection, sql: &str) {
    raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .unwrap();
}

pub async fn text(connection: &mut MySqlConnection, sql: &str) -> String {
    let row = raw_sql(AssertSqlSafe(sql.to_owned()))
        .fetch_one(connection)
        .await
        .unwrap();
    String::from_utf8(row.get_unchecked::<Vec<u8>, _>(0)).unwrap()
}

/// Keeps what an attempt told its coordinator.
#[derive(Debug, Default)]
pub struct Recorder {
    pub marks: Mutex<Vec<Value>>,
    pub token: CancellationToken,
    /// Fails the mark, as a coordinator does that is superseded.
    pub refuse_mark: bool,
}

#[async_trait]
impl Context for Recorder {
    fn progress(&self, _: Progress) {}

    async fn mark(&self, mark: Value) -> Result<(), Fault> {
        self.marks.lock().unwrap().push(mark);
        match self.refuse_mark {
            true => Err(Fault::permanent("the journal is not ours any more")),
            false => Ok(()),
        }
    }

    fn cancelled(&self) -> &CancellationToken {
        &self.token
    }
}
