//! MariaDB: a wiki for each site, with pages by the people of the directory.

use std::fs;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use reprise_pgserver::Account;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, MySqlConnection};

use super::service::{Service, answers, tool};
use super::sources::{Sources, Tenant};
use super::{Described, Items, Layer};
use crate::Error;
use crate::layout::Layout;

const SCHEMA: &str = include_str!("wiki.sql");
const USER: &str = "reprise";
/// Pages of a site: one for each of its accounts, up to these.
const MOST_PAGES: usize = 40;

/// Every table, with what tells its rows apart and the path to their site.
const TABLES: [(&str, &str); 4] = [
    ("wikis", "select t.site_id as id, concat_ws('|', t.title) as row from wikis t where t.site_id = ?"),
    ("spaces", "select t.id, concat_ws('|', t.code, t.home_id) as row from spaces t where t.site_id = ?"),
    ("pages", "select t.id, concat_ws('|', t.space_id, ifnull(t.parent_id, '-'), t.author, t.title, md5(t.body), ifnull(t.label, '-'), t.changed_at, t.words) as row
               from pages t join spaces s on s.id = t.space_id where s.site_id = ?"),
    ("revisions", "select t.page_id * 1000 + t.number as id, concat_ws('|', t.author, md5(t.body)) as row
                   from revisions t join pages p on p.id = t.page_id join spaces s on s.id = p.space_id where s.site_id = ?"),
];

pub struct Wiki {
    folder: PathBuf,
    backup: PathBuf,
    service: Service,
    account: Account,
    port: u16,
    secret: String,
}

impl Wiki {
    pub fn new(layout: &Layout, port: u16, secret: &str) -> Result<Self, Error> {
        let folder = layout.service("wiki");
        let backup = layout.backup("wiki");
        let account = Account::for_folder(None)?
            .reaching(&[&folder.join("data/any"), &backup.join("base/any")])?;
        Ok(Self {
            service: Service::new(folder.clone()),
            folder,
            backup,
            account,
            port,
            secret: secret.to_owned(),
        })
    }

    async fn connect(&self, database: bool) -> Result<MySqlConnection, Error> {
        let options = MySqlConnectOptions::new()
            .socket(self.folder.join("data/socket"))
            .username("root")
            .ssl_mode(MySqlSslMode::Disabled)
            .disable_statement_logging();
        let options = match database {
            true => options.database("wiki"),
            false => options,
        };
        options
            .connect()
            .await
            .map_err(Error::sql("a connection", "wiki"))
    }

    fn binlog(&self) -> PathBuf {
        self.backup.join("binlog")
    }
}

async fn run(connection: &mut MySqlConnection, what: &str, script: &str) -> Result<(), Error> {
    sqlx::raw_sql(AssertSqlSafe(script))
        .execute(connection)
        .await
        .map(drop)
        .map_err(Error::sql(what, "wiki"))
}

/// A server that starts deletes the temporary tables that it finds: in a folder
/// of all, also those of another.
fn own_tmpdir(data: &Path) -> String {
    format!("--tmpdir={}", data.display())
}

#[async_trait]
impl Layer for Wiki {
    fn name(&self) -> &'static str {
        "wiki"
    }

    fn create(&mut self) -> Result<(), Error> {
        for path in [
            self.folder.join("data"),
            self.binlog(),
            self.backup.join("base"),
        ] {
            fs::create_dir_all(&path).map_err(Error::io("create", &path))?;
        }
        let data = self.folder.join("data");
        self.account.own(&data)?;
        self.account.own(&self.backup)?;
        let mut command = self.account.command("mariadb-install-db");
        command
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .arg(own_tmpdir(&data))
            .args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
        tool("mariadb-install-db", "wiki", &mut command).map(drop)
    }

    fn start(&mut self) -> Result<(), Error> {
        let data = self.folder.join("data");
        let mut command = self.account.command("/usr/sbin/mariadbd");
        command
            // As the estate says: the log does not name it.
            .env("TZ", "UTC")
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .arg(own_tmpdir(&data))
            .arg(format!("--socket={}", data.join("socket").display()))
            .arg(format!("--log-bin={}", self.binlog().join("log").display()))
            .arg(format!("--port={}", self.port))
            .args([
                "--bind-address=127.0.0.1",
                "--server-id=7",
                "--skip-name-resolve",
            ])
            .args(["--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0"])
            .args(["--innodb-log-file-size=8M", "--innodb-buffer-pool-size=32M"]);
        let port = self.port;
        self.service.start(command, || answers(port))
    }

    async fn fill(&mut self, sources: &Sources) -> Result<(), Error> {
        let mut connection = self.connect(false).await?;
        run(&mut connection, "the schema", SCHEMA).await?;
        let rights = format!(
            "create user {USER}@'127.0.0.1' identified by '{}'; grant all on wiki.* to {USER}@'127.0.0.1';
             grant binlog monitor on *.* to {USER}@'127.0.0.1'",
            self.secret
        );
        run(&mut connection, "creating the user", &rights).await?;
        let mut transaction = connection
            .begin()
            .await
            .map_err(Error::sql("begin", "wiki"))?;
        for tenant in &sources.tenants {
            run(&mut transaction, "filling", &pages(tenant)).await?;
        }
        transaction
            .commit()
            .await
            .map_err(Error::sql("commit", "wiki"))
    }

    async fn back_up(&mut self) -> Result<(), Error> {
        let mut command = self.account.command("mariadb-backup");
        command
            .args(["--no-defaults", "--backup", "--user=root"])
            .arg(format!(
                "--socket={}",
                self.folder.join("data/socket").display()
            ))
            .arg(format!("--datadir={}", self.folder.join("data").display()))
            .arg(format!(
                "--target-dir={}",
                self.backup.join("base/first").display()
            ));
        tool("mariadb-backup", "wiki", &mut command).map(drop)
    }

    async fn items(&mut self, site: i64) -> Result<Items, Error> {
        let mut connection = self.connect(true).await?;
        let mut items = Items::new();
        for (table, query) in TABLES {
            let rows: Vec<(i64, String)> = sqlx::query_as(query)
                .bind(site)
                .fetch_all(&mut connection)
                .await
                .map_err(Error::sql(&format!("reading {table}"), "wiki"))?;
            let named = rows
                .into_iter()
                .map(|(id, row)| (format!("{table}/{id}"), row));
            items.extend(named);
        }
        Ok(items)
    }

    async fn change(&mut self, site: i64, number: u64) -> Result<(), Error> {
        let mut connection = self.connect(true).await?;
        let page = format!(
            "select p.id from pages p join spaces s on s.id = p.space_id where s.site_id = {site} order by p.id limit {}, 1",
            number % 5
        );
        let script = match number % 3 {
            0 => format!("update pages set title = 'changed {number}', changed_at = now(6) where id = ({page})"),
            1 => format!(
                "insert into revisions select p.id, 1 + (select ifnull(max(r.number), 0) from revisions r where r.page_id = p.id),
                        p.author, repeat('wörter ', {}) from pages p where p.id = ({page})",
                number % 300
            ),
            _ => format!(
                "delete from revisions where page_id = ({page}) order by number desc limit 1"
            ),
        };
        run(&mut connection, "a change", &script).await
    }

    async fn delete(&mut self, site: i64) -> Result<(), Error> {
        let mut connection = self.connect(true).await?;
        let script = format!("delete from wikis where site_id = {site}");
        run(&mut connection, "deleting a site", &script).await
    }

    /// What is written is in the log's files already; a new file closes the last.
    async fn hand_over(&mut self) -> Result<(), Error> {
        let mut connection = self.connect(false).await?;
        run(&mut connection, "closing the log", "flush binary logs").await
    }

    fn described(&self) -> Described {
        Described {
            estate: include_str!("wiki.yaml").to_owned(),
            env: vec![(
                "WIKI_URL".to_owned(),
                format!(
                    "mysql://{USER}:{}@127.0.0.1:{}/wiki?ssl-mode=disabled",
                    self.secret, self.port
                ),
            )],
        }
    }
}

/// The statements that make a site's wiki. Its ids follow from the site's.
fn pages(tenant: &Tenant) -> String {
    let (site, name) = (tenant.site.id, &tenant.site.name);
    let mut text = format!(
        "insert into wikis values ({site}, '{name}');
         insert into spaces (id, site_id, code) values ({site}, {site}, 'HOME');"
    );
    for (number, account) in tenant.accounts.iter().take(MOST_PAGES).enumerate() {
        let id = site * 100 + number as i64;
        let parent = match number {
            0 => "null".to_owned(),
            _ => (site * 100 + number as i64 / 2).to_string(),
        };
        let label = match number % 3 {
            0 => "'done'",
            1 => "'draft'",
            _ => "null",
        };
        text.push_str(&format!(
            "insert into pages (id, space_id, parent_id, author, title, body, label, changed_at)
             values ({id}, {site}, {parent}, '{author}', 'Seite {number}', repeat('text für alle\\n', {times}), {label}, '2026-01-01 00:00:00.123456');
             insert into revisions values ({id}, 1, '{author}', repeat('erster text ', {times}));",
            author = account.id,
            times = 1 + id % 400,
        ));
    }
    text.push_str(&format!(
        "update spaces set home_id = {} where id = {site};",
        site * 100
    ));
    text
}
