//! The private server on a scratch folder: no network, a socket of its own, a
//! password that nobody else knows, and nothing that would act by itself.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reprise_model::{Fault, FaultKind};
use reprise_pgserver::{Account, attached, private_folder};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio_util::sync::CancellationToken;

const USER: &str = "reprise_scratch";
const POLL: Duration = Duration::from_millis(30);
/// Crash recovery of a large shard takes its time; a server that is stuck does not end at all.
const START_AT_MOST: Duration = Duration::from_secs(1800);
const STOP_AT_MOST: Duration = Duration::from_secs(30);

/// Under whose name programs run, and where they are.
#[derive(Clone, Debug)]
pub struct Host {
    pub account: Account,
    pub temp: PathBuf,
    pub path: Option<OsString>,
}

impl Host {
    /// For a scratch folder. Where we are root the owner of `whose` decides: of
    /// the backup, or of the data once that is there.
    pub fn new(
        whose: &Path,
        folder: &Path,
        temp: &Path,
        path: Option<OsString>,
    ) -> Result<Self, Fault> {
        let account = Account::for_folder(Some(whose))
            .and_then(|account| account.reaching(&[&folder.join("data"), &temp.join("socket")]))
            .map_err(|error| Fault::permanent(error.to_string()))?;
        Ok(Self {
            account,
            temp: temp.to_owned(),
            path,
        })
    }

    /// One of MariaDB's programs. Debian keeps the server where only root looks.
    pub fn command(&self, program: &str) -> Result<Command, Fault> {
        let path = self.path.clone().unwrap_or_default();
        let folders = std::env::split_paths(&path)
            .chain(["/usr/sbin", "/usr/bin", "/usr/local/bin"].map(PathBuf::from));
        let found = folders
            .map(|folder| folder.join(program))
            .find(|file| file.is_file());
        let found = found.ok_or_else(|| {
            Fault::refused(format!("there is no `{program}` on this machine"))
                .hint("install mariadb-server and mariadb-backup")
        })?;
        let mut command = self.account.command(found);
        // What a program reads as a time, it reads in its own zone.
        command
            .arg("--no-defaults")
            .env("TZ", "UTC")
            .stdin(Stdio::null());
        Ok(command)
    }
}

/// A file that programs write their messages to. They may quote rows, so they
/// are pointed at and never passed on.
pub fn log(path: &Path) -> Result<File, Fault> {
    let log = OpenOptions::new().create(true).append(true).open(path);
    log.map_err(|error| Fault::refused(format!("cannot open {}: {error}", path.display())))
}

#[derive(Debug)]
pub struct Server {
    child: Child,
    folder: PathBuf,
    pub password: String,
    log: PathBuf,
}

impl Server {
    /// Starts `mariadbd`, which ends with this process. `zone` is what a
    /// session means by `SYSTEM`.
    pub fn start(
        host: &Host,
        data: &Path,
        log_file: &Path,
        settings: &[(String, String)],
        zone: &str,
    ) -> Result<Self, Fault> {
        sweep(&host.temp);
        let folder = private_folder(&host.temp, &host.account)
            .map_err(|error| Fault::refused(error.to_string()))?;
        let password = password()?;
        let init = folder.join("init.sql");
        write_init(&init, &password)
            .and_then(|()| host.account.own(&folder).map_err(std::io::Error::other))
            .map_err(|error| Fault::refused(format!("cannot write {}: {error}", init.display())))?;
        let out = log(log_file)?;
        let errors = log(log_file)?;
        let mut command = host.command("mariadbd")?;
        let path = |name: &str, path: &Path| {
            let mut argument = OsString::from(format!("--{name}="));
            argument.push(path);
            argument
        };
        command
            .env("TZ", zone)
            .arg(path("datadir", data))
            .arg(path("socket", &folder.join("mariadb.sock")))
            .arg(path("pid-file", &data.join("reprise.pid")))
            .arg(path("tmpdir", data))
            .arg(path("init-file", &init))
            // Replayed transactions are counted here: what was reached is measured.
            .arg(path("log-bin", &data.join("replayed")))
            .args([
                "--skip-networking",
                "--skip-slave-start",
                "--event-scheduler=OFF",
                "--log-bin-trust-function-creators=1",
                "--sync-binlog=0",
                // In a file at once: a shard is ready right after its last
                // transaction, and its server may be killed right after that.
                "--innodb-flush-log-at-trx-commit=2",
                "--innodb-buffer-pool-size=256M",
                "--max-allowed-packet=1G",
                "--performance-schema=OFF",
            ])
            .args(
                settings
                    .iter()
                    .map(|(key, value)| format!("--{key}={value}")),
            )
            .stdout(out)
            .stderr(errors);
        // Killed, not stopped: the next start recovers, and nobody waits.
        let child = attached(command, Signal::KILL)
            .map_err(|error| Fault::permanent(format!("cannot run mariadbd: {error}")))?;
        Ok(Self {
            child,
            folder,
            password,
            log: log_file.to_owned(),
        })
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.join("mariadb.sock")
    }

    pub fn options(&self) -> MySqlConnectOptions {
        MySqlConnectOptions::new()
            .socket(self.socket())
            .username(USER)
            .password(&self.password)
            .ssl_mode(sqlx::mysql::MySqlSslMode::Disabled)
    }

    /// Waits until it lets us in.
    pub async fn accepting(&mut self, cancelled: &CancellationToken) -> Result<(), Fault> {
        let begin = Instant::now();
        loop {
            if let Ok(connection) = self.options().disable_statement_logging().connect().await {
                let _ = connection.close().await;
                let _ = fs::remove_file(self.folder.join("init.sql"));
                return Ok(());
            }
            if cancelled.is_cancelled() {
                return Err(Fault::new(
                    FaultKind::Cancelled,
                    "cancelled while the scratch server was starting",
                ));
            }
            if !self.is_running() {
                return Err(self.broken("it ended"));
            }
            if begin.elapsed() > START_AT_MOST {
                return Err(self.broken("it lets nobody in"));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn broken(&self, what: &str) -> Fault {
        Fault::permanent(format!("the scratch server did not start: {what}"))
            .hint(format!("its messages are in {}", self.log.display()))
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it cleanly, and by force where it hangs. Blocks.
    pub fn stop(mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
            && self.is_running()
        {
            let _ = kill_process(pid, Signal::TERM);
        }
        let begin = Instant::now();
        while self.is_running() && begin.elapsed() < STOP_AT_MOST {
            std::thread::sleep(POLL);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.is_running() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
        for name in ["mariadb.sock", "init.sql"] {
            let _ = fs::remove_file(self.folder.join(name));
        }
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Removes the sockets that servers of killed processes have left. Such a
/// server ended with its process.
fn sweep(temp: &Path) {
    for entry in fs::read_dir(temp).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| {
            let (pid, _) = name.strip_prefix("rp")?.split_once('.')?;
            u32::from_str_radix(pid, 16).ok()
        });
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            for left in ["mariadb.sock", "init.sql"] {
                let _ = fs::remove_file(entry.path().join(left));
            }
            let _ = fs::remove_dir(entry.path());
        }
    }
}

fn password() -> Result<String, Fault> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .map_err(|error| Fault::permanent(format!("no random numbers: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The users of the copy are the original's, and so are their passwords: a
/// user of our own is made before anybody is let in, and not logged.
fn write_init(path: &Path, password: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "set sql_log_bin = 0;")?;
    writeln!(
        file,
        "create or replace user {USER}@localhost identified by '{password}';"
    )?;
    writeln!(
        file,
        "grant all on *.* to {USER}@localhost with grant option;"
    )
}
