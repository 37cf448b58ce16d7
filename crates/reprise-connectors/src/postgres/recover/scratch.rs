//! One shard at one moment, on a running scratch server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use reprise_model::{Fault, Timestamp};
use reprise_pgserver::{Account, Installation, Server, Stop};
use reprise_ports::Context;
use sqlx::postgres::PgConnectOptions;
use tokio_util::sync::CancellationToken;

use super::fault;
use super::folder::{Folder, Ready};
use super::lsn::Lsn;
use super::replay::{self, Replay, Standstill, Stopped};
use super::source;
use crate::postgres::{PostgresConfig, PostgresShard};

/// Restarts because of settings that the primary had raised on the way: each
/// setting can be raised many times, but not for ever.
const RESTARTS: usize = 20;

/// A scratch server that is up, with the folder that is locked for it.
#[derive(Debug)]
pub struct Scratch {
    pub server: Server,
    pub ready: Ready,
    /// Keeps the lock as long as the server runs; dropped after it.
    _folder: Arc<Folder>,
}

impl Scratch {
    pub fn new(folder: Arc<Folder>, server: Server, ready: Ready) -> Self {
        Self {
            server,
            ready,
            _folder: folder,
        }
    }

    /// How to reach the recovered database.
    pub fn options(&self) -> PgConnectOptions {
        replay::options(&self.server, &self.ready.superuser, &self.ready.database)
    }

    /// Starts the server of a folder whose recovery is finished.
    pub async fn reopen(
        config: &PostgresConfig,
        shard: &PostgresShard,
        folder: Arc<Folder>,
        target: Timestamp,
        cancelled: &CancellationToken,
    ) -> Result<Self, Fault> {
        let marker = folder.marker();
        let ready = marker
            .as_ref()
            .and_then(|marker| marker.ready(target))
            .ok_or_else(|| recover_first(shard, target))?
            .clone();
        let major = marker.map_or(0, |marker| marker.backup.major);
        let host = Host::of(config, &folder, major)?;
        let mut settings = ready.settings.clone();
        let started = host
            .replay(&folder, shard, &mut settings, cancelled, &|_| ())
            .await?;
        if started.standstill.replayed_to < ready.replayed_to {
            return Err(Fault::permanent(format!(
                "{} had been replayed to {} and now stands at {}",
                folder.path().display(),
                ready.replayed_to,
                started.standstill.replayed_to
            ))
            .hint("release the shard and recover it again"));
        }
        Ok(Self::new(folder, started.server, ready))
    }

    /// Ends the server; the folder stays and can be opened again.
    pub async fn stop(mut self) {
        // All of it moves along, so that the lock outlives the server.
        let stopping = move || {
            let stopped = self.server.stop(Stop::Fast);
            drop(self);
            stopped
        };
        let stopped = tokio::task::spawn_blocking(stopping).await;
        if let Ok(Err(error)) = stopped {
            tracing::warn!(error = %fault::chain(&error), "a scratch server did not stop");
        }
    }
}

pub fn recover_first(shard: &PostgresShard, target: Timestamp) -> Fault {
    Fault::permanent(format!(
        "shard `{}` has not been recovered to {target} on this machine",
        shard.id
    ))
    .hint("the runbook needs a `recover` step for this store before this one")
}

/// Which program runs a scratch server, under whose name, with sockets where.
#[derive(Debug)]
pub struct Host {
    pub installation: Installation,
    pub account: Account,
    pub temp: PathBuf,
}

/// A server whose replay stands still.
#[derive(Debug)]
pub struct Started {
    pub server: Server,
    pub standstill: Standstill,
    pub superuser: String,
}

impl Host {
    /// For a folder that was built before: the owner of its data decides.
    pub fn of(config: &PostgresConfig, folder: &Folder, major: u32) -> Result<Self, Fault> {
        let installation = source::installation(config, major)?;
        let account = account(&folder.data(), folder.path(), &config.temp, &installation)?;
        Ok(Self {
            installation,
            account,
            temp: config.temp.clone(),
        })
    }

    /// Starts the server and follows it until it stands still; starts it again
    /// with higher settings where the primary had raised them on the way.
    pub async fn replay(
        &self,
        folder: &Arc<Folder>,
        shard: &PostgresShard,
        settings: &mut Vec<(String, String)>,
        cancelled: &CancellationToken,
        progress: &(dyn Fn(Lsn) + Sync),
    ) -> Result<Started, Fault> {
        let (user, _) = super::live::names(shard.live.as_ref());
        let mut candidates: Vec<String> = user.into_iter().collect();
        candidates.extend(["postgres".to_owned(), self.account.name().to_owned()]);
        for _ in 0..RESTARTS {
            let mut server = replay::start(
                folder,
                &self.installation,
                &self.account,
                &self.temp,
                settings,
            )?;
            let mut replay = Replay {
                server: &mut server,
                folder,
                major: self.installation.major(),
                candidates: &candidates,
                cancelled,
            };
            match replay.follow(progress).await {
                Ok((standstill, superuser)) => {
                    return Ok(Started {
                        server,
                        standstill,
                        superuser,
                    });
                }
                Err(Stopped::Fault(fault)) => return Err(fault),
                Err(Stopped::Limits(limits)) => raise(settings, limits),
            }
            tracing::info!(folder = %folder.path().display(), ?settings, "settings raised as on the primary");
        }
        Err(Fault::permanent(format!(
            "the primary of {} raised its settings more than {RESTARTS} times",
            folder.path().display()
        )))
    }
}

/// Under whose name the server of a scratch folder runs: the owner of `owned`.
pub fn account(
    owned: &Path,
    folder: &Path,
    temp: &Path,
    installation: &Installation,
) -> Result<Account, Fault> {
    let program = installation.bin().join("postgres");
    Account::for_folder(Some(owned))
        .and_then(|account| {
            account.reaching(&[&folder.join("data"), &temp.join("socket"), &program])
        })
        .map_err(fault::permanent)
}

fn raise(settings: &mut Vec<(String, String)>, limits: Vec<(String, String)>) {
    for (name, value) in limits {
        settings.retain(|(known, _)| *known != name);
        settings.push((name, value));
    }
}

/// How far a recovery is, for the operator: copied and replayed bytes out of
/// all of them.
pub struct Meter<'a> {
    pub context: &'a dyn Context,
    pub base_bytes: u64,
    pub log_bytes: u64,
    pub start: Lsn,
}

impl Meter<'_> {
    pub fn copied(&self, bytes: u64) {
        self.report(bytes, "copying the backup");
    }

    pub fn replayed(&self, to: Lsn) {
        let log = to.0.saturating_sub(self.start.0).min(self.log_bytes);
        self.report(self.base_bytes + log, "replaying WAL");
    }

    fn report(&self, bytes: u64, phase: &str) {
        let all = (self.base_bytes + self.log_bytes).max(1);
        self.context.progress(reprise_ports::Progress {
            volume: reprise_model::Volume { rows: 0, bytes },
            fraction: Some((bytes as f64 / all as f64).min(1.0)),
            phase: Some(phase.to_owned()),
        });
    }
}
