//! Backups in a pgBackRest repository. pgBackRest restores, reprise starts
//! the server and looks where it stops: `restore` succeeds even for a moment
//! that the archive does not reach.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use reprise_model::{Fault, Timestamp};
use reprise_pgserver::Account;
use serde::Deserialize;

use super::conf::{noted, shell};
use super::fault;
use super::folder::{BackupId, Folder};
use super::lsn::{Lsn, Segment};
use super::source::{Obstacle, Origin, Source, installation};
use super::zone;
use crate::postgres::PostgresConfig;

/// The stanza and the backup set to restore.
#[derive(Clone, Debug)]
pub struct Repository {
    pub stanza: String,
    pub config: Option<PathBuf>,
    pub set: String,
    /// Tells by its owner which account may read the repository.
    pub path: PathBuf,
}

#[derive(Deserialize)]
struct Info {
    name: String,
    #[serde(default)]
    backup: Vec<Set>,
    #[serde(default)]
    archive: Vec<Range>,
    #[serde(default)]
    db: Vec<Database>,
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    code: i64,
    message: String,
}

#[derive(Deserialize)]
struct Database {
    id: u64,
    #[serde(rename = "system-id")]
    system_id: u64,
    version: String,
}

#[derive(Deserialize)]
struct DatabaseRef {
    id: u64,
}

#[derive(Deserialize)]
struct Range {
    database: DatabaseRef,
    max: Option<String>,
}

#[derive(Deserialize)]
struct Set {
    label: String,
    database: DatabaseRef,
    timestamp: Span,
    lsn: Option<Ends>,
    info: Sizes,
    #[serde(default)]
    error: bool,
}

#[derive(Deserialize)]
struct Span {
    stop: u64,
}

#[derive(Deserialize)]
struct Ends {
    start: String,
}

#[derive(Deserialize)]
struct Sizes {
    size: u64,
}

/// pgBackRest's segment size cannot be told from its information; every
/// release that it supports makes 16 MB unless built or initialised otherwise.
const SEGMENT_SIZE: u64 = 16 << 20;

pub fn find(
    config: &PostgresConfig,
    stanza: &str,
    file: Option<&Path>,
    target: Timestamp,
) -> Result<Source, Obstacle> {
    let path = repository_path(file);
    let info = info(stanza, file, &path)?;
    let set = choose(&info, target).map_err(Obstacle::at("backup-reaches"))?;
    let database = info
        .db
        .iter()
        .find(|database| database.id == set.database.id)
        .ok_or_else(|| {
            Fault::permanent(format!(
                "pgBackRest does not know the database of {}",
                set.label
            ))
        })?;
    let major = database
        .version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok())
        .ok_or_else(|| {
            Fault::permanent(format!("pgBackRest names version `{}`", database.version))
        })?;
    let newest = info
        .archive
        .iter()
        .filter(|range| range.database.id == set.database.id)
        .find_map(|range| Segment::parse(range.max.as_deref()?, SEGMENT_SIZE));
    let start: Lsn = set
        .lsn
        .as_ref()
        .and_then(|lsn| lsn.start.parse().ok())
        .unwrap_or_default();
    Ok(Source {
        id: BackupId {
            system_id: database.system_id.to_string(),
            start,
            major,
        },
        label: set.label.clone(),
        stop_time: seconds(set.timestamp.stop),
        timeline: newest.map_or(1, |segment| segment.timeline),
        segment_size: SEGMENT_SIZE,
        limits: Vec::new(),
        end: newest.map(|segment| segment.end(SEGMENT_SIZE)),
        archived: None,
        base_bytes: set.info.size,
        installation: installation(config, major).map_err(Obstacle::at("tools"))?,
        origin: Origin::PgBackRest(Repository {
            stanza: stanza.to_owned(),
            config: file.map(Path::to_owned),
            set: set.label.clone(),
            path,
        }),
    })
}

/// The newest backup that ended at or before `target`.
fn choose(info: &Info, target: Timestamp) -> Result<&Set, Fault> {
    let usable = || info.backup.iter().filter(|set| !set.error);
    usable()
        .filter(|set| seconds(set.timestamp.stop) <= target)
        .max_by_key(|set| set.timestamp.stop)
        .ok_or_else(|| {
            let earliest = usable().map(|set| seconds(set.timestamp.stop)).min();
            let stanza = &info.name;
            match earliest {
                Some(earliest) => Fault::refused(format!(
                    "the target time {target} is before the first backup of stanza `{stanza}`, which ended at {earliest}"
                ))
                .hint(format!("the earliest moment that can be reached is `--at {earliest}`")),
                None => Fault::permanent(format!("stanza `{stanza}` has no backup")),
            }
        })
}

fn info(stanza: &str, file: Option<&Path>, repository: &Path) -> Result<Info, Fault> {
    let account = Account::for_folder(Some(repository)).map_err(fault::permanent)?;
    let mut command = command(&account, stanza, file);
    let output = run(command.args(["--output=json", "info"]))?;
    let all: Vec<Info> = serde_json::from_slice(&output.stdout).map_err(|error| {
        Fault::permanent(format!(
            "pgbackrest info answered with something else: {error}"
        ))
    })?;
    let missing = || {
        Fault::permanent(format!("pgBackRest has no stanza `{stanza}`"))
            .hint("`pgbackrest info` lists the stanzas; is `config` the right file?")
    };
    let info = all
        .into_iter()
        .find(|info| info.name == stanza)
        .ok_or_else(missing)?;
    match info.status.code {
        0 | 2 | 3 => Ok(info),
        1 => Err(missing()),
        _ => Err(Fault::permanent(format!(
            "stanza `{stanza}`: {}",
            info.status.message
        ))),
    }
}

/// Restores the set into `folder`; the server's own configuration follows.
pub fn restore(
    repository: &Repository,
    account: &Account,
    folder: &Folder,
    target: Timestamp,
) -> Result<(), Fault> {
    let mut command = command(account, &repository.stanza, repository.config.as_deref());
    command
        .arg(option("pg1-path", &folder.data()))
        .arg(option("lock-path", &folder.path().join("lock-pgbackrest")))
        .arg(option(
            "tablespace-map-all",
            &folder.path().join("tablespaces"),
        ))
        .arg(format!("--set={}", repository.set))
        .arg("--type=time")
        .arg(format!("--target={}", zone::for_postgres(target)))
        .arg("--target-action=pause")
        .arg("--archive-mode=off")
        .arg("restore");
    run(&mut command).map(drop)
}

/// The command by which the scratch server fetches its log.
pub fn restore_command(repository: &Repository, folder: &Folder) -> String {
    let mut words = vec!["pgbackrest".to_owned(), "--log-level-file=off".to_owned()];
    if let Some(config) = &repository.config {
        words.push(format!("--config={}", shell(&config.to_string_lossy())));
    }
    words.push(format!("--stanza={}", shell(&repository.stanza)));
    words.push(format!(
        "--pg1-path={}",
        shell(&folder.data().to_string_lossy())
    ));
    let lock = folder.path().join("lock-pgbackrest");
    words.push(format!("--lock-path={}", shell(&lock.to_string_lossy())));
    words.push("--no-archive-async archive-get %f %p".to_owned());
    noted(&words.join(" "), &folder.requests())
}

fn command(account: &Account, stanza: &str, file: Option<&Path>) -> Command {
    let mut command = account.command("pgbackrest");
    if let Some(file) = file {
        command.arg(option("config", file));
    }
    command
        .arg(format!("--stanza={stanza}"))
        .arg("--log-level-file=off")
        .arg("--log-level-console=off")
        .arg("--log-level-stderr=error");
    command
}

fn option(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}

fn run(command: &mut Command) -> Result<Output, Fault> {
    let output = command.output().map_err(|error| {
        Fault::permanent(format!("cannot run pgbackrest: {error}"))
            .hint("install the package pgbackrest on this machine")
    })?;
    if output.status.success() {
        return Ok(output);
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(Fault::permanent(format!(
        "pgbackrest failed ({}): {}",
        output.status,
        text.trim()
    )))
}

/// `repo1-path` of the configuration; its owner is who may read it.
fn repository_path(file: Option<&Path>) -> PathBuf {
    let file = file.unwrap_or(Path::new("/etc/pgbackrest.conf"));
    std::fs::read_to_string(file)
        .ok()
        .and_then(|text| {
            text.lines().find_map(|line| {
                let (name, value) = line.split_once('=')?;
                (name.trim() == "repo1-path").then(|| PathBuf::from(value.trim()))
            })
        })
        .unwrap_or_else(|| PathBuf::from("/var/lib/pgbackrest"))
}

fn seconds(epoch: u64) -> Timestamp {
    Timestamp::default().saturating_add(std::time::Duration::from_secs(epoch))
}
