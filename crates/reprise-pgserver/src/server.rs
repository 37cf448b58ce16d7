//! One running server on one data directory.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};

use crate::postmaster::{Postmaster, pid};
use crate::{Account, Error, Installation, free_ports, spawn};

/// How often a starting or stopping server is looked at.
const POLL: Duration = Duration::from_millis(15);
/// After this much time a fast stop becomes an immediate one, and an
/// immediate one a SIGKILL: it only ever meets servers that hang.
const PATIENCE: Duration = Duration::from_secs(20);
/// The kernel's limit for the path of a Unix socket.
const SOCKET_PATH_LIMIT: usize = 107;
/// Of the log, this much is looked at from its end.
const TAIL_BYTES: u64 = 64 * 1024;

#[derive(Clone, Debug)]
pub struct ServerConfig {
    pub installation: Installation,
    pub account: Account,
    pub data: PathBuf,
    /// A private folder for the socket is made in here; keep its path short.
    pub temp: PathBuf,
    pub tcp: Tcp,
    pub log: PathBuf,
    pub lifetime: Lifetime,
    /// In place of `postgresql.conf` in the data directory.
    pub config_file: Option<PathBuf>,
    /// Settings that override every file.
    pub settings: Vec<(String, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tcp {
    /// Only the socket.
    Off,
    /// 127.0.0.1, on a port that is free now.
    AnyPort,
    /// 127.0.0.1, on this port.
    Port(u16),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lifetime {
    /// Ends with this process, and when the [`Server`] is dropped.
    Attached,
    /// Outlives this process; found again by [`Server::attach`].
    Detached,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// Sessions are cut, the data is left clean.
    Fast,
    /// Everything ends at once; the next start recovers.
    Immediate,
}

#[derive(Debug)]
pub struct Server {
    data: PathBuf,
    log: PathBuf,
    /// Where in the log this server's own lines begin.
    log_start: u64,
    socket_dir: PathBuf,
    port: u16,
    lifetime: Lifetime,
    process: Process,
}

#[derive(Debug)]
enum Process {
    Child(Child),
    /// Started by another process.
    Foreign(u32),
}

impl Server {
    /// Starts `postgres` and returns at once; see [`Self::wait_until_accepting`].
    pub fn start(config: &ServerConfig) -> Result<Self, Error> {
        let socket_dir = private_folder(&config.temp, &config.account)?;
        let port = match config.tcp {
            Tcp::Off => 5432,
            Tcp::AnyPort => free_port()?,
            Tcp::Port(port) => port,
        };
        // Opened by us: the account may not be able to write there.
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&config.log)
            .map_err(Error::io("open", &config.log))?;
        let log_start = log.metadata().map_or(0, |metadata| metadata.len());
        let command = command(config, &socket_dir, port, log)?;
        let spawned = match config.lifetime {
            // A fast shutdown.
            Lifetime::Attached => spawn::attached(command, Signal::INT),
            Lifetime::Detached => spawn::detached(command),
        };
        let child = spawned.map_err(Error::io("run", config.installation.bin()))?;
        tracing::debug!(pid = child.id(), data = %config.data.display(), "server started");
        Ok(Self {
            data: config.data.clone(),
            log: config.log.clone(),
            log_start,
            socket_dir,
            port,
            lifetime: config.lifetime,
            process: Process::Child(child),
        })
    }

    /// The live server on `data`, if there is one. It is treated as detached.
    pub fn attach(data: &Path, log: &Path) -> Option<Self> {
        let found = Postmaster::read(data).filter(|found| found.is_alive(data))?;
        Some(Self {
            data: data.to_owned(),
            log: log.to_owned(),
            log_start: 0,
            socket_dir: found.socket_dir,
            port: found.port,
            lifetime: Lifetime::Detached,
            process: Process::Foreign(found.pid),
        })
    }

    /// Returns when connections are accepted: for a standby, as soon as it is
    /// consistent, which is *before* a recovery target is reached.
    pub fn wait_until_accepting(
        &mut self,
        timeout: Duration,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<(), Error> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return Err(Error::Exited {
                    data: self.data.clone(),
                    status,
                    log: self.log_tail(10),
                });
            }
            if self.is_accepting() {
                return Ok(());
            }
            if cancelled() {
                return Err(Error::Cancelled);
            }
            if start.elapsed() > timeout {
                return Err(Error::NotAccepting {
                    data: self.data.clone(),
                    timeout,
                    log: self.log_tail(10),
                });
            }
            sleep(POLL);
        }
    }

    /// Whether the server says so itself, in its pid file.
    pub fn is_accepting(&self) -> bool {
        Postmaster::read(&self.data).is_some_and(|found| found.pid == self.pid() && found.ready)
    }

    /// Ends the server and waits for it. Harmless when it has ended already.
    pub fn stop(&mut self, how: Stop) -> Result<(), Error> {
        let ladder = match how {
            Stop::Fast => [Signal::INT, Signal::QUIT, Signal::KILL].as_slice(),
            Stop::Immediate => [Signal::QUIT, Signal::KILL].as_slice(),
        };
        for signal in ladder {
            let start = Instant::now();
            if self.ended().is_some() {
                break;
            }
            if let Some(pid) = pid(self.pid()) {
                // It may have ended in between, which is what is wanted.
                let _ = kill_process(pid, *signal);
            }
            while self.ended().is_none() && start.elapsed() < PATIENCE {
                sleep(POLL);
            }
        }
        let _ = fs::remove_dir_all(&self.socket_dir);
        Ok(())
    }

    pub fn pid(&self) -> u32 {
        match &self.process {
            Process::Child(child) => child.id(),
            Process::Foreign(pid) => *pid,
        }
    }

    pub fn is_running(&mut self) -> bool {
        self.ended().is_none()
    }

    /// How it ended, in words; absent while it runs.
    pub fn ended(&mut self) -> Option<String> {
        match &mut self.process {
            Process::Child(child) => match child.try_wait() {
                Ok(status) => status.map(describe),
                Err(error) => Some(error.to_string()),
            },
            Process::Foreign(pid) => {
                let alive = Postmaster::read(&self.data)
                    .is_some_and(|found| found.pid == *pid && found.is_alive(&self.data));
                (!alive).then(|| "gone".to_owned())
            }
        }
    }

    pub fn data(&self) -> &Path {
        &self.data
    }

    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The folder of the Unix socket, to be given as `host`.
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The port on 127.0.0.1 where that is on, and the socket's number.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The last lines that this server wrote into its log.
    pub fn log_tail(&self, lines: usize) -> String {
        tail(&self.log, self.log_start, lines).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        match self.lifetime {
            Lifetime::Attached => {
                let _ = self.stop(Stop::Immediate);
            }
            Lifetime::Detached => {}
        }
    }
}

fn command(
    config: &ServerConfig,
    socket_dir: &Path,
    port: u16,
    log: File,
) -> Result<Command, Error> {
    let program = config.installation.tool("postgres")?;
    let listen = match config.tcp {
        Tcp::Off => "",
        Tcp::AnyPort | Tcp::Port(_) => "127.0.0.1",
    };
    let mut command = config.account.command(program);
    command.arg("-D").arg(&config.data);
    if let Some(file) = &config.config_file {
        command
            .arg("-c")
            .arg(format!("config_file={}", file.display()));
    }
    command
        .arg("-c")
        .arg(format!("unix_socket_directories={}", socket_dir.display()))
        .arg("-c")
        .arg(format!("listen_addresses={listen}"))
        .arg("-c")
        .arg(format!("port={port}"));
    for (name, value) in &config.settings {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    let errors = log.try_clone().map_err(Error::io("open", &config.log))?;
    command.stdin(Stdio::null()).stdout(log).stderr(errors);
    Ok(command)
}

/// A folder that only the account (and root) can enter: whoever reaches the
/// socket is let in without a password.
pub fn private_folder(temp: &Path, account: &Account) -> Result<PathBuf, Error> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    sweep(temp);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = temp.join(format!("rp{:x}.{number:x}", std::process::id()));
        if folder.as_os_str().len() + "/.s.PGSQL.65535.lock".len() > SOCKET_PATH_LIMIT {
            return Err(Error::SocketPath { folder });
        }
        match fs::create_dir(&folder) {
            Ok(()) => {}
            // Left by an earlier process with our number.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(Error::io("create", &folder)(error)),
        }
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))
            .map_err(Error::io("protect", &folder))?;
        account.own(&folder)?;
        return Ok(folder);
    }
}

/// Removes the folders that killed processes have left. One that still holds
/// a socket is not empty, and stays.
fn sweep(temp: &Path) {
    for entry in fs::read_dir(temp).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| {
            let (pid, _) = name.strip_prefix("rp")?.split_once('.')?;
            u32::from_str_radix(pid, 16).ok()
        });
        if let Some(pid) = pid
            && !Path::new("/proc").join(pid.to_string()).exists()
        {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

fn free_port() -> Result<u16, Error> {
    free_ports(1)
        .map(|ports| ports[0])
        .map_err(Error::io("find a free port on", "127.0.0.1"))
}

fn describe(status: ExitStatus) -> String {
    status.to_string()
}

fn tail(path: &Path, start: u64, lines: usize) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(
        start.max(length.saturating_sub(TAIL_BYTES)),
    ))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    Ok(all[all.len().saturating_sub(lines)..].join("\n"))
}
