//! One private server that the tests of this module share while any of them
//! runs, and two databases of it for each: the shard at T, and live.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use reprise_pgserver::{
    Account, Initdb, Installation, Lifetime, SearchPath, Server, ServerConfig, Stop, Tcp, initdb,
};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, raw_sql};

const SOON: Duration = Duration::from_secs(60);

/// A server that ends with its last user. It is started by a thread of its
/// own, because a server ends with the thread that started it.
#[derive(Debug)]
pub struct Cluster {
    pub port: u16,
    end: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Cluster {
    /// The one that is running, or a new one.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap();
        if let Some(running) = shared.upgrade() {
            return running;
        }
        let started = Arc::new(Self::start(installations().remove(0), &[]));
        *shared = Arc::downgrade(&started);
        started
    }

    pub fn start(installation: Installation, settings: &[(&str, &str)]) -> Self {
        let settings: Vec<(String, String)> = settings
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        let (end, ended) = channel();
        let (port, ready) = channel();
        let thread = std::thread::spawn(move || serve(&installation, settings, &port, &ended));
        Self {
            port: ready.recv().expect("the server started"),
            end: Some((end, thread)),
        }
    }

    pub fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username("postgres")
            .database(database)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.end.take() {
            drop(end);
            thread.join().ok();
        }
    }
}

pub fn installations() -> Vec<Installation> {
    let deps = std::env::var_os("REPRISE_DEPS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.deps"),
        Into::into,
    );
    let search = SearchPath {
        deps: Some(deps),
        path: std::env::var_os("PATH"),
        ..SearchPath::default()
    };
    let found = Installation::find_all(&search);
    assert!(
        !found.is_empty(),
        "no PostgreSQL on this machine; `make deps` installs one"
    );
    found
}

fn serve(
    installation: &Installation,
    settings: Vec<(String, String)>,
    port: &Sender<u16>,
    ended: &Receiver<()>,
) {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path());
    let account = Account::for_folder(None).unwrap();
    let data = folder.path().join("data");
    initdb(installation, &account, &data, &Initdb::default()).unwrap();
    let mut all = vec![
        ("fsync".to_owned(), "off".to_owned()),
        ("max_connections".to_owned(), "200".to_owned()),
    ];
    all.extend(settings);
    let config = ServerConfig {
        installation: installation.clone(),
        account,
        data,
        temp: folder.path().to_owned(),
        tcp: Tcp::AnyPort,
        log: folder.path().join("log"),
        lifetime: Lifetime::Attached,
        config_file: None,
        settings: all,
    };
    let mut server = Server::start(&config).unwrap();
    server.wait_until_accepting(SOON, &|| false).unwrap();
    port.send(server.port()).unwrap();
    // Returns when the cluster is dropped.
    ended.recv().ok();
    server.stop(Stop::Immediate).unwrap();
}

/// The account of the server must be able to pass.
fn open(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs statements.
pub async fn run(connection: &mut PgConnection, sql: &str) {
    let done = raw_sql(AssertSqlSafe(sql)).execute(connection).await;
    done.unwrap_or_else(|error| panic!("{error}\n{sql}"));
}

/// One text of one row; an empty one for null.
pub async fn text(connection: &mut PgConnection, sql: &str) -> String {
    let row = raw_sql(AssertSqlSafe(format!("select ({sql})::text")))
        .fetch_one(connection)
        .await;
    let row = row.unwrap_or_else(|error| panic!("{error}\n{sql}"));
    sqlx::Row::get::<Option<String>, _>(&row, 0).unwrap_or_default()
}

pub async fn connect(options: &PgConnectOptions) -> PgConnection {
    options.connect().await.unwrap()
}
