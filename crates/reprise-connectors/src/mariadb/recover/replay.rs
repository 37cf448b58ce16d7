//! The replay: what of the binary log brings a backup to T, through the
//! server's own programs.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reprise_model::Fault;
use reprise_pgserver::attached;
use rustix::process::Signal;

use super::attempt::Attempt;
use super::backup::Source;
use super::binlog::LogFile;
use super::cancelled;
use super::server::{Host, Server, log};

const TICK: Duration = Duration::from_millis(20);

/// Ended when it is dropped.
pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Attempt<'_> {
    /// `mariadb-binlog | mariadb`, from the backup's place to the cut.
    pub async fn replay(&self, host: &Host, source: &Source, server: &Server) -> Result<(), Fault> {
        let said_before = fs::metadata(self.folder.log()).map_or(0, |log| log.len());
        let files = &source.files[..source.cut.files];
        let mut reader = host.command("mariadb-binlog")?;
        reader
            .arg(format!("--start-position={}", source.cut.from))
            .arg(format!("--stop-position={}", source.cut.to))
            .arg("--verify-binlog-checksum")
            .args(self.readable(host, files)?)
            .stdout(Stdio::piped())
            .stderr(log(&self.folder.log())?);
        let mut reader = spawn(reader, "mariadb-binlog")?;
        let pipe = reader.0.stdout.take().expect("its output is piped");
        let mut writer = host.command("mariadb")?;
        writer
            .arg(format!("--socket={}", server.socket().display()))
            .args([
                "--user=reprise_scratch",
                "--binary-mode",
                "--max-allowed-packet=1G",
                "--default-character-set=utf8mb4",
            ])
            .env("MYSQL_PWD", &server.password)
            .stdin(Stdio::from(pipe))
            .stdout(Stdio::null())
            .stderr(log(&self.folder.log())?);
        let writer = spawn(writer, "mariadb")?;
        let written = self.ended(writer, "mariadb").await;
        let read = self.ended(reader, "mariadb-binlog").await;
        // What is wrong with the log is wrong with what was made of it.
        self.undamaged(said_before)?;
        written.and(read)
    }

    /// A file that is marked as in use, as its copy is and what a crash leaves,
    /// `mariadb-binlog` takes to end where it cannot read on: it goes on with
    /// the next one, and nothing but its words tells.
    fn undamaged(&self, said_before: u64) -> Result<(), Fault> {
        let log = fs::read(self.folder.log()).unwrap_or_default();
        let said = log.get(said_before as usize..).unwrap_or_default();
        match said
            .split(|byte| *byte == b'\n')
            .any(|line| line.starts_with(b"ERROR: "))
        {
            false => Ok(()),
            true => Err(
                Fault::permanent("the binary log is damaged: not all of it can be read").hint(
                    format!(
                        "copy it again; the messages are in {}",
                        self.folder.log().display()
                    ),
                ),
            ),
        }
    }

    /// The logs where the account can read them to their end: copies of those
    /// it cannot, and of torn ones what is whole. `mariadb-binlog` reads an
    /// event before it sees that it is to stop there.
    fn readable(&self, host: &Host, files: &[LogFile]) -> Result<Vec<PathBuf>, Fault> {
        let own = self.folder.path().join("binlog");
        let mut readable = Vec::new();
        for file in files {
            if file.torn.is_none() && host.account.can_read(&file.path) {
                readable.push(file.path.clone());
                continue;
            }
            let copy = own.join(&file.name);
            whole(file, &copy).map_err(|error| {
                Fault::refused(format!("cannot copy {}: {error}", file.path.display()))
            })?;
            readable.push(copy);
        }
        if own.exists() {
            let owned = host.account.own(&own);
            owned.map_err(|error| Fault::refused(error.to_string()))?;
        }
        Ok(readable)
    }

    /// Waits for a program; dropped or cancelled, it is killed.
    pub async fn ended(&self, mut program: Running, name: &str) -> Result<(), Fault> {
        loop {
            match program.0.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => {
                    let log = self.folder.log();
                    return Err(Fault::permanent(format!("{name} failed ({status})"))
                        .hint(format!("its messages are in {}", log.display())));
                }
                Ok(None) => {}
                Err(error) => return Err(Fault::temporary(format!("{name} is lost: {error}"))),
            }
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = self.context.cancelled().cancelled() => return Err(cancelled()),
            }
        }
    }
}

/// Copies what of a log is whole.
fn whole(file: &LogFile, copy: &Path) -> io::Result<()> {
    if let Some(folder) = copy.parent() {
        fs::create_dir_all(folder)?;
    }
    let length = file.torn.map_or(u64::MAX, |_| file.end);
    let mut log = File::open(&file.path)?.take(length);
    io::copy(&mut log, &mut File::create(copy)?).map(drop)
}

pub fn spawn(command: Command, name: &str) -> Result<Running, Fault> {
    attached(command, Signal::KILL)
        .map(Running)
        .map_err(|error| Fault::permanent(format!("cannot run {name}: {error}")))
}
