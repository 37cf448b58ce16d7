//! The connector: hands each action to the part that does it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use reprise_model::{Action, Fault, FaultKind, Outcome, Timestamp, Volume};
use reprise_ports::{Call, Connector, Context, Inspect, Inspection, Probe, Progress};
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::sync::{Mutex, mpsc};

use super::config::{GitConfig, GitShard};
use super::folder::Folder;
use super::history::short;
use super::options::Options;
use super::path::SitePath;
use super::scratch::{Manifest, Scratch};
use super::slice::Slice;

/// One store of kind `git`.
pub struct GitConnector {
    pub(super) config: GitConfig,
    /// One clone is made at a time.
    cloning: Arc<Mutex<()>>,
}

/// What a site's task works on, to be opened where files are read.
struct Ends {
    scratch: Scratch,
    manifest: Manifest,
    path: SitePath,
    live: PathBuf,
    options: Options,
}

impl Ends {
    fn work<T>(&self, work: impl FnOnce(&Slice<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        let folder = Folder::open(&self.live)?;
        let entries = self
            .scratch
            .slice(&self.manifest, &self.path, self.options.ties)?;
        work(&Slice {
            repository: self.scratch.clone_path(),
            entries,
            path: self.path.clone(),
            folder: &folder,
        })
    }
}

impl GitConnector {
    pub fn new(config: GitConfig) -> Self {
        Self {
            config,
            cloning: Arc::default(),
        }
    }

    fn shard(&self, call: &Call) -> Result<&GitShard, Fault> {
        let id = call.shard()?;
        self.config.shard(id).ok_or_else(|| {
            Fault::permanent(format!("store `{}` has no shard `{id}`", self.config.store))
        })
    }

    fn scratch(&self, shard: &GitShard, target: Timestamp) -> Scratch {
        let root = shard.scratch.as_ref().unwrap_or(&self.config.scratch_root);
        let name = format!("{}-{}-{}", self.config.store, shard.id, target.compact());
        Scratch {
            folder: root.join(name),
            target,
            repository: shard.repository.clone(),
            branch: shard.branch.clone(),
        }
    }

    /// The live folder: a path, or `file://` and a path.
    pub(super) fn live(&self, shard: &GitShard) -> Result<PathBuf, Fault> {
        let (store, id) = (&self.config.store, &shard.id);
        let live = shard.live.as_ref();
        let live =
            live.ok_or_else(|| Fault::refused(format!("{store}/{id} has no live end here")))?;
        let text = live.expose_secret();
        let path = match text.split_once("://") {
            None => text,
            Some(("file", path)) => path,
            Some(_) => {
                return Err(
                    Fault::permanent(format!("the live end of {store}/{id} is no folder"))
                        .hint("write a path, or file:///PATH"),
                );
            }
        };
        Ok(self.config.base.join(Path::new(path)))
    }

    /// The clone of T; made where it is not there, or was swept away.
    async fn manifest(&self, scratch: &Scratch) -> Result<Manifest, Fault> {
        // Held by the work itself, which goes on when nobody waits for it any longer.
        let alone = Arc::clone(&self.cloning).lock_owned().await;
        let scratch = scratch.clone();
        blocking(move || {
            let _alone = alone;
            match scratch.manifest() {
                Some(manifest) => Ok(manifest),
                None => scratch.build(),
            }
        })
        .await
    }

    async fn recover(&self, shard: &GitShard, target: Timestamp) -> Result<Outcome, Fault> {
        let manifest = self.manifest(&self.scratch(shard, target)).await?;
        Ok(recovered(&manifest))
    }

    async fn ends(&self, call: &Call) -> Result<Ends, Fault> {
        let shard = self.shard(call)?;
        let site = call.site()?;
        let template = self.config.path.as_ref().ok_or_else(|| {
            let store = &self.config.store;
            Fault::permanent(format!(
                "store `{store}` does not say what belongs to a site"
            ))
            .hint("add `tenant: { path: ... }` to the store")
        })?;
        let scratch = self.scratch(shard, call.target_time);
        Ok(Ends {
            path: SitePath::of(template, &self.config.render, site)?,
            live: self.live(shard)?,
            options: Options::read(&call.with)?,
            manifest: self.manifest(&scratch).await?,
            scratch,
        })
    }

    async fn restore(&self, call: &Call, context: &dyn Context) -> Result<Outcome, Fault> {
        let ends = self.ends(call).await?;
        // Whoever stops waiting stops the writing, too.
        let token = context.cancelled().child_token();
        let _stop = token.clone().drop_guard();
        let (tell, mut told) = mpsc::unbounded_channel();
        let work = blocking(move || {
            let restored = ends.work(|slice| {
                slice.restore(ends.options, |volume: Volume| {
                    let _ = tell.send(volume);
                    match token.is_cancelled() {
                        true => Err(Fault::new(
                            FaultKind::Cancelled,
                            "cancelled between two files",
                        )),
                        false => Ok(()),
                    }
                })
            });
            restored.map(|outcome| with_point(outcome, &ends.manifest))
        });
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                Some(volume) = told.recv() => context.progress(Progress {
                    volume,
                    fraction: None,
                    phase: Some("writing files".to_owned()),
                }),
            }
        }
    }

    async fn verify(&self, call: &Call) -> Result<Outcome, Fault> {
        let ends = self.ends(call).await?;
        blocking(move || {
            let verified = ends.work(|slice| slice.verify(ends.options));
            verified.map(|outcome| with_point(outcome, &ends.manifest))
        })
        .await
    }

    async fn work(&self, call: &Call, context: &dyn Context) -> Result<Outcome, Fault> {
        match call.action {
            Action::Recover => self.recover(self.shard(call)?, call.target_time).await,
            Action::Release => {
                let scratch = self.scratch(self.shard(call)?, call.target_time);
                let alone = Arc::clone(&self.cloning).lock_owned().await;
                blocking(move || {
                    let _alone = alone;
                    scratch.delete()
                })
                .await?;
                Ok(Outcome::default())
            }
            Action::Restore => self.restore(call, context).await,
            Action::Verify => self.verify(call).await,
            _ => Err(call.not_offered("git")),
        }
        .map_err(|fault| self.placed(call, fault))
    }

    /// Every fault of a site's task names the site and the store.
    fn placed(&self, call: &Call, mut fault: Fault) -> Fault {
        if let Some(site) = &call.site
            && fault.kind != FaultKind::Cancelled
        {
            fault.message = format!(
                "site {}: store {}: {}",
                site.id, self.config.store, fault.message
            );
        }
        fault
    }
}

fn with_point(outcome: Outcome, manifest: &Manifest) -> Outcome {
    Outcome {
        recovery_point: Some(manifest.cut.point(manifest.target_time)),
        ..outcome
    }
}

fn recovered(manifest: &Manifest) -> Outcome {
    let mut outcome = with_point(Outcome::default(), manifest);
    if let Some(commit) = &manifest.cut.commit {
        let id = Value::from(short(&commit.id));
        outcome.output.insert("commit".to_owned(), id);
    }
    outcome
}

#[async_trait]
impl Connector for GitConnector {
    fn offers(&self) -> &'static [Action] {
        &[
            Action::Recover,
            Action::Restore,
            Action::Verify,
            Action::Release,
        ]
    }

    async fn inspect(&self, inspect: &Inspect) -> Inspection {
        self.look(inspect).await
    }

    /// Can be cut off anywhere: see the protocol at the head of the folder.
    async fn perform(&self, call: &Call, context: &dyn Context) -> Result<Outcome, Fault> {
        self.work(call, context).await
    }

    async fn probe(
        &self,
        call: &Call,
        _mark: Option<&Value>,
        _context: &dyn Context,
    ) -> Result<Probe, Fault> {
        let scratch = self.scratch(self.shard(call)?, call.target_time);
        match call.action {
            Action::Recover => Ok(match scratch.manifest() {
                Some(manifest) => Probe::AsItShouldBe(recovered(&manifest)),
                None => Probe::NotYet,
            }),
            Action::Release => Ok(match scratch.folder.exists() {
                true => Probe::NotYet,
                false => Probe::AsItShouldBe(Outcome::default()),
            }),
            Action::Restore => {
                let ends = self
                    .ends(call)
                    .await
                    .map_err(|fault| self.placed(call, fault))?;
                let done = blocking(move || {
                    let done = ends.work(|slice| slice.is_done(ends.options))?;
                    Ok(done.map(|outcome| with_point(outcome, &ends.manifest)))
                });
                let done = done.await.map_err(|fault| self.placed(call, fault))?;
                Ok(done.map_or(Probe::NotYet, Probe::AsItShouldBe))
            }
            // Looking again is what verification is for.
            _ => Ok(Probe::NotYet),
        }
    }

    async fn close(&self) {}

    fn leaves(&self) -> Vec<PathBuf> {
        let roots = self.config.shards.iter().map(|shard| {
            let own = shard.scratch.as_ref();
            own.unwrap_or(&self.config.scratch_root).clone()
        });
        roots.collect()
    }
}

/// Files and processes, off the threads that wait for answers.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(Fault::permanent("work on files ended in a panic")))
}
