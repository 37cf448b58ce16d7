//! On a real PostgreSQL: clusters are made, started, found again and ended,
//! as an ordinary user and as root.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reprise_pgserver::{
    Account, Initdb, Installation, Lifetime, SearchPath, Server, ServerConfig, Stop, Tcp, initdb,
};

const SOON: Duration = Duration::from_secs(60);

fn installation() -> Installation {
    let deps = std::env::var_os("REPRISE_DEPS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.deps"),
        PathBuf::from,
    );
    let search = SearchPath {
        deps: Some(deps),
        path: std::env::var_os("PATH"),
        ..SearchPath::default()
    };
    Installation::find_all(&search)
        .into_iter()
        .next()
        .expect("a PostgreSQL on this machine; `make deps` installs one")
}

/// A folder that everybody may pass through, as a scratch root should be.
fn open_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn config(account: Account, root: &Path, temp: &Path, lifetime: Lifetime) -> ServerConfig {
    ServerConfig {
        installation: installation(),
        account,
        data: root.join("data"),
        temp: temp.to_owned(),
        tcp: Tcp::AnyPort,
        log: root.join("log"),
        lifetime,
        config_file: None,
        settings: vec![("fsync".into(), "off".into())],
    }
}

fn start(config: &ServerConfig) -> Server {
    initdb(
        &config.installation,
        &config.account,
        &config.data,
        &Initdb::default(),
    )
    .unwrap();
    let mut server = Server::start(config).unwrap();
    server.wait_until_accepting(SOON, &|| false).unwrap();
    server
}

#[test]
fn a_server_starts_is_reached_and_stops() {
    let folder = open_folder();
    let account = Account::for_folder(None).unwrap();
    let config = config(account, folder.path(), folder.path(), Lifetime::Attached);
    let mut server = start(&config);
    assert!(server.is_running());
    std::net::TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    server.stop(Stop::Fast).unwrap();
    assert!(!server.is_running());
    assert!(!server.socket_dir().exists());
    assert!(
        server.log_tail(3).contains("shut down"),
        "{}",
        server.log_tail(3)
    );
}

#[test]
fn a_detached_server_is_found_again_and_an_ended_one_is_not() {
    let folder = open_folder();
    let account = Account::for_folder(None).unwrap();
    let config = config(account, folder.path(), folder.path(), Lifetime::Detached);
    let server = start(&config);
    let (pid, port) = (server.pid(), server.port());
    drop(server);
    let mut found = Server::attach(&config.data, &config.log).unwrap();
    assert_eq!((found.pid(), found.port()), (pid, port));
    assert!(found.is_accepting());
    found.stop(Stop::Immediate).unwrap();
    assert!(Server::attach(&config.data, &config.log).is_none());
}

#[test]
fn a_folder_that_only_root_can_enter_is_reached_in_a_user_namespace() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let sockets = open_folder();
    let data = folder.path().join("data");
    let account = Account::for_folder(None)
        .unwrap()
        .reaching(&[&data])
        .unwrap();
    let root = rustix::process::geteuid().is_root();
    assert_eq!(account.is_namespaced(), root);
    let config = config(account, folder.path(), sockets.path(), Lifetime::Attached);
    let mut server = start(&config);
    assert!(server.is_running());
    server.stop(Stop::Fast).unwrap();
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let folder = open_folder();
    let account = Account::for_folder(None).unwrap();
    let mut config = config(account, folder.path(), folder.path(), Lifetime::Attached);
    initdb(
        &config.installation,
        &config.account,
        &config.data,
        &Initdb::default(),
    )
    .unwrap();
    config
        .settings
        .push(("shared_buffers".into(), "nonsense".into()));
    let mut server = Server::start(&config).unwrap();
    let error = server.wait_until_accepting(SOON, &|| false).unwrap_err();
    assert!(error.to_string().contains("shared_buffers"), "{error}");
}

#[test]
fn waiting_ends_when_it_is_cancelled() {
    let folder = open_folder();
    let account = Account::for_folder(None).unwrap();
    let config = config(account, folder.path(), folder.path(), Lifetime::Attached);
    let mut server = start(&config);
    server.stop(Stop::Fast).unwrap();
    let mut server = Server::start(&config).unwrap();
    let outcome = server.wait_until_accepting(SOON, &|| true);
    assert!(
        matches!(outcome, Ok(()) | Err(reprise_pgserver::Error::Cancelled)),
        "{outcome:?}"
    );
    drop(server);
    assert!(Server::attach(&config.data, &config.log).is_none());
}
