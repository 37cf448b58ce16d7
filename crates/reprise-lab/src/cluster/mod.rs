//! One private cluster of the estate: made, started, filled, backed up.

mod archive;
mod backup;
mod connection;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reprise_pgserver::{
    Account, Initdb, Installation, Lifetime, SearchPath, Server, ServerConfig, Stop, Tcp, initdb,
};

pub use archive::{archive_everything, start_archiving};
pub use backup::base_backup;
pub use connection::{admin, connect};

use crate::Error;
use crate::layout::Layout;

/// A cluster of this size is ready within a second; only a broken one is not.
const START: Duration = Duration::from_secs(60);

/// What runs the clusters: a PostgreSQL, and an account that may run it.
#[derive(Clone, Debug)]
pub struct Host {
    pub installation: Installation,
    pub account: Account,
}

impl Host {
    /// The PostgreSQL that `REPRISE_PG_BIN` names, the machine's own, or the
    /// wheel that `make deps` put into `.deps`.
    pub fn find(layout: &Layout) -> Result<Self, Error> {
        let named = env::var_os("REPRISE_PG_BIN");
        let near = SearchPath {
            explicit: named.iter().flat_map(env::split_paths).collect(),
            deps: None,
            path: env::var_os("PATH"),
        };
        let deps =
            env::var_os("REPRISE_DEPS").map_or_else(|| PathBuf::from(".deps"), PathBuf::from);
        let wheel = SearchPath {
            deps: std::path::absolute(deps).ok(),
            ..SearchPath::default()
        };
        let installation = [near, wheel]
            .iter()
            .flat_map(Installation::find_all)
            .find(|found| found.major() >= 13 && found.tool("pg_basebackup").is_ok())
            .ok_or(Error::NoPostgres)?;
        let account = Account::for_folder(None)?.reaching(&[
            &layout.root().join("clusters/any"),
            &installation.bin().join("postgres"),
        ])?;
        Ok(Self {
            installation,
            account,
        })
    }
}

/// Creates the cluster in `folder`, with an archive that is not used yet.
pub fn create(host: &Host, folder: &Path, backup: &Path) -> Result<(), Error> {
    let wal = backup.join("wal");
    for path in [folder, &wal] {
        fs::create_dir_all(path).map_err(Error::io("create", path))?;
    }
    host.account.own(backup)?;
    let data = folder.join("data");
    initdb(&host.installation, &host.account, &data, &Initdb::default())?;
    write(&data.join("pg_hba.conf"), HBA)?;
    let conf = data.join("postgresql.conf");
    let mut text = fs::read_to_string(&conf).map_err(Error::io("read", &conf))?;
    text.push_str(SETTINGS);
    write(&conf, &text)
}

/// The socket lies in a folder that only the account can enter; whoever comes
/// over TCP needs the password.
const HBA: &str = "\
local all all trust
local replication all trust
host all all 127.0.0.1/32 scram-sha-256
";

/// The machine may crash and take a lab with it: nothing is synced. The
/// archive is opened when there is a base backup to go with it.
const SETTINGS: &str = "
# reprise-lab
fsync = off
synchronous_commit = off
full_page_writes = off
shared_buffers = 64MB
max_wal_size = 2GB
max_connections = 60
autovacuum_naptime = 10s
password_encryption = scram-sha-256
archive_mode = on
archive_command = '/bin/true'
archive_timeout = 60
";

/// Starts the cluster, or finds it running. It outlives this process.
pub fn start(host: &Host, folder: &Path, port: Option<u16>) -> Result<Server, Error> {
    if let Some(server) = attach(folder) {
        return Ok(server);
    }
    let mut server = Server::start(&ServerConfig {
        installation: host.installation.clone(),
        account: host.account.clone(),
        data: folder.join("data"),
        temp: env::temp_dir(),
        tcp: port.map_or(Tcp::AnyPort, Tcp::Port),
        log: folder.join("log"),
        lifetime: Lifetime::Detached,
        config_file: None,
        settings: Vec::new(),
    })?;
    server.wait_until_accepting(START, &|| false)?;
    Ok(server)
}

pub fn attach(folder: &Path) -> Option<Server> {
    Server::attach(&folder.join("data"), &folder.join("log"))
}

/// Ends the cluster if it runs; says whether it did.
pub fn stop(folder: &Path) -> Result<bool, Error> {
    match attach(folder) {
        Some(mut server) => {
            server.stop(Stop::Fast)?;
            Ok(true)
        }
        None => Ok(false),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(Error::io("write", path))
}
