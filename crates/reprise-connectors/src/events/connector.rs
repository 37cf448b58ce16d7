//! The connector: hands each action to the part that does it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use reprise_model::{Action, Fault, FaultKind, Outcome, Timestamp, Volume};
use reprise_ports::{Call, CallSite, Connector, Context, Inspect, Inspection, Probe};
use serde_json::{Map, Value, json};
use tokio::sync::{Mutex, OwnedMutexGuard, Semaphore};

use super::audit::{self, SiteState};
use super::config::{EventsConfig, EventsShard};
use super::index::{Index, Manifest};
use super::replay::{Replay, Standing};
use super::target::Session;
use super::{inspect, verify};
use crate::rows::Options;

/// One store of kind `events`.
pub struct EventsConnector {
    config: EventsConfig,
    /// One index is built at a time. It says when each was last made anew for a
    /// site's sake.
    building: Arc<Mutex<BTreeMap<PathBuf, Built>>>,
    /// Held to put an index into its place, or to open a file of one.
    swap: Arc<RwLock<()>>,
    /// Connections to the live ends.
    slots: Semaphore,
}

/// What a site's task works on.
struct Ends<'a> {
    shard: &'a EventsShard,
    site: &'a CallSite,
    index: Index,
    manifest: Manifest,
    state: SiteState,
}

impl EventsConnector {
    pub fn new(config: EventsConfig) -> Self {
        Self {
            slots: Semaphore::new(config.live_connections.max(1)),
            config,
            building: Arc::default(),
            swap: Arc::default(),
        }
    }

    fn shard(&self, call: &Call) -> Result<&EventsShard, Fault> {
        let id = call.shard()?;
        self.config.shard(id).ok_or_else(|| {
            Fault::permanent(format!("store `{}` has no shard `{id}`", self.config.store))
        })
    }

    fn index(&self, shard: &EventsShard, target: Timestamp) -> Index {
        let root = shard.scratch.as_ref().unwrap_or(&self.config.scratch_root);
        let name = format!("{}-{}-{}", self.config.store, shard.id, target.compact());
        Index {
            folder: root.join(name),
            target: Some(target),
            archive: shard.archive.clone(),
            events: self.config.events.clone(),
            swap: Arc::clone(&self.swap),
        }
    }

    /// Held by the work itself, which goes on when nobody waits for it any longer.
    async fn alone(&self) -> OwnedMutexGuard<BTreeMap<PathBuf, Built>> {
        Arc::clone(&self.building).lock_owned().await
    }

    /// An index that is still what the archive says is used again.
    async fn recover(&self, shard: &EventsShard, target: Timestamp) -> Result<Outcome, Fault> {
        let alone = self.alone().await;
        let index = self.index(shard, target);
        blocking(move || {
            let _alone = alone;
            let manifest = match index.manifest() {
                Some(manifest) if index.is_current(&manifest) => manifest,
                Some(_) | None => index.build(true)?,
            };
            recovered(&index, &manifest)
        })
        .await
    }

    /// What the index of T says of a site. It is made again where somebody
    /// swept it away, or where something is missing, somebody retries, and the
    /// archive is not what it was: the gap may have been filled. An archive in
    /// use is never what it was, so that is not done each time.
    async fn state(&self, index: &Index, call: &Call) -> Result<(Manifest, SiteState), Fault> {
        let (site, is_retry) = (&call.site()?.id, call.attempt.number > 1);
        let (own, id, batch) = (index.clone(), site.clone(), call.companions.clone());
        let found = blocking(move || {
            let Some(manifest) = own.manifest() else {
                return Ok(None);
            };
            let state = audit::site_of(&own, &manifest, &id, &batch)?;
            let is_known = !is_retry || state.open().next().is_none() || own.is_current(&manifest);
            Ok(Some((manifest, state, is_known)))
        })
        .await?;
        if let Some((manifest, state, true)) = found {
            return Ok((manifest, state));
        }
        let mut alone = self.alone().await;
        let (own, id, batch) = (index.clone(), site.clone(), call.companions.clone());
        blocking(move || {
            let manifest = match own.manifest() {
                Some(manifest) if own.is_current(&manifest) => manifest,
                Some(manifest) if alone.get(&own.folder).is_some_and(Built::is_recent) => manifest,
                found => {
                    let begun = Instant::now();
                    let manifest = own.build(true)?;
                    if found.is_some() {
                        let built = Built {
                            at: Instant::now(),
                            took: begun.elapsed(),
                        };
                        alone.insert(own.folder.clone(), built);
                    }
                    manifest
                }
            };
            let state = audit::site_of(&own, &manifest, &id, &batch)?;
            Ok((manifest, state))
        })
        .await
    }

    async fn ends<'a>(&'a self, call: &'a Call) -> Result<Ends<'a>, Fault> {
        let shard = self.shard(call)?;
        let site = call.site()?;
        let index = self.index(shard, call.target_time);
        let (manifest, state) = self.state(&index, call).await?;
        Ok(Ends {
            shard,
            site,
            index,
            manifest,
            state,
        })
    }

    async fn restore(&self, call: &Call, context: &dyn Context) -> Result<Outcome, Fault> {
        let options = Options::read(&call.with)?;
        let ends = self.ends(call).await?;
        if ends.state.open().next().is_some() {
            let words = ends.state.words();
            return Err(Fault::refused(format!("the events are not complete: {words}")).hint(
                "put what is missing into the archive or its second copy, and `reprise retry` the task; \
                 where the site may have no events, `streams: []` in the store's tenant says so",
            ));
        }
        let _slot = self.slot().await?;
        let mut session = Session::open(&self.config, ends.shard, &options).await?;
        let replay = Replay {
            index: &ends.index,
            state: &ends.state,
            site: ends.site,
            key: &call.idempotency_key,
            attempt: call.attempt.number,
            context,
        };
        let outcome = replay.restore(&mut session, options.on_conflict).await?;
        Ok(Outcome {
            recovery_point: ends.state.point(&ends.manifest),
            ..outcome
        })
    }

    async fn verify(&self, call: &Call) -> Result<Outcome, Fault> {
        let archive_only = archive_only(&call.with)?;
        let ends = self.ends(call).await?;
        let store = &self.config.store;
        let mut checks = vec![verify::completeness(&ends.state, store)];
        let mut standing = None;
        if !archive_only {
            let (held, stands) = self.standing(&ends).await?;
            checks.push(verify::offsets(&ends.state, &held, &stands, store));
            checks.extend(verify::counts(&held, &stands, store, &ends.state));
            standing = Some(stands);
        }
        let mut outcome = verify::outcome(checks, &ends.state, standing.as_ref())?;
        outcome.recovery_point = ends.state.point(&ends.manifest);
        Ok(outcome)
    }

    async fn standing(&self, ends: &Ends<'_>) -> Result<(super::target::Held, Standing), Fault> {
        let _slot = self.slot().await?;
        let mut session = Session::open(&self.config, ends.shard, &Options::default()).await?;
        let streams: Vec<String> = ends.state.streams.keys().cloned().collect();
        let held = session.held(ends.site, &streams).await?;
        let standing = Standing::of(&ends.state, &held, self.config.events.first);
        Ok((held, standing))
    }

    async fn slot(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Fault> {
        let slot = self.slots.acquire().await;
        slot.map_err(|_| Fault::temporary(format!("{}: closed", self.config.store)))
    }

    async fn probe_restore(&self, call: &Call) -> Result<Probe, Fault> {
        let ends = self.ends(call).await?;
        if ends.state.open().next().is_some() || !self.standing(&ends).await?.1.is_done() {
            return Ok(Probe::NotYet);
        }
        Ok(Probe::AsItShouldBe(Outcome {
            volume: Volume {
                rows: ends.state.events(),
                bytes: 0,
            },
            recovery_point: ends.state.point(&ends.manifest),
            ..Outcome::default()
        }))
    }

    async fn release(&self, shard: &EventsShard, target: Timestamp) -> Result<Outcome, Fault> {
        let alone = self.alone().await;
        let index = self.index(shard, target);
        blocking(move || {
            let _alone = alone;
            index.delete()
        })
        .await?;
        Ok(Outcome::default())
    }

    /// Every fault of a site's task names the site and the store.
    fn at_site(&self, call: &Call, mut fault: Fault) -> Fault {
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

    async fn work(&self, call: &Call, context: &dyn Context) -> Result<Outcome, Fault> {
        match call.action {
            Action::Recover => self.recover(self.shard(call)?, call.target_time).await,
            Action::Release => self.release(self.shard(call)?, call.target_time).await,
            Action::Restore => self.restore(call, context).await,
            Action::Verify => self.verify(call).await,
            _ => Err(call.not_offered("events")),
        }
        .map_err(|fault| self.at_site(call, fault))
    }
}

/// When an index was last made anew for a site's sake.
#[derive(Clone, Copy)]
struct Built {
    at: Instant,
    took: Duration,
}

impl Built {
    /// An archive that takes long to read is read for the sites' sake more seldom.
    fn is_recent(&self) -> bool {
        self.at.elapsed() < Duration::from_secs(60).max(10 * self.took)
    }
}

/// What is said of the whole shard. Sites with gaps are told, and fail by
/// themselves: the others go on.
fn recovered(index: &Index, manifest: &Manifest) -> Result<Outcome, Fault> {
    let (mut sites, mut events, mut incomplete) = (0_u64, 0_u64, 0_u64);
    audit::all(index, manifest, |state| {
        sites += 1;
        events += state.events();
        incomplete += u64::from(state.open().next().is_some());
    })?;
    let output = json!({ "sites": sites, "events": events, "incomplete_sites": incomplete });
    let Value::Object(output) = output else {
        unreachable!("it was written as an object")
    };
    Ok(Outcome {
        output,
        volume: Volume {
            rows: events,
            bytes: manifest
                .segments
                .iter()
                .flatten()
                .map(|segment| segment.bytes)
                .sum(),
        },
        recovery_point: audit::point(manifest),
        ..Outcome::default()
    })
}

fn archive_only(with: &Map<String, Value>) -> Result<bool, Fault> {
    let mut only = false;
    for (key, value) in with {
        match (key.as_str(), value.as_str()) {
            ("only", Some("completeness")) => only = true,
            // Of its restore: what it decides is not for a verification.
            ("on_conflict", Some("refuse" | "replace")) => {}
            _ => {
                let message = format!("`with: {key}: {value}` is no option of this step");
                return Err(Fault::permanent(message)
                    .hint("it knows `only`: completeness, and `on_conflict` of its restore"));
            }
        }
    }
    Ok(only)
}

#[async_trait]
impl Connector for EventsConnector {
    fn offers(&self) -> &'static [Action] {
        &[
            Action::Recover,
            Action::Restore,
            Action::Verify,
            Action::Release,
        ]
    }

    async fn inspect(&self, inspect: &Inspect) -> Inspection {
        inspect::look(&self.config, inspect).await
    }

    /// Can be cut off anywhere: see the protocol at the head of the folder.
    async fn perform(&self, call: &Call, context: &dyn Context) -> Result<Outcome, Fault> {
        tokio::select! {
            done = self.work(call, context) => done,
            () = context.cancelled().cancelled() => {
                let what = format!("{} was cancelled", call.task);
                Err(Fault::new(FaultKind::Cancelled, what))
            }
        }
    }

    async fn probe(
        &self,
        call: &Call,
        _mark: Option<&Value>,
        _context: &dyn Context,
    ) -> Result<Probe, Fault> {
        let shard = self.shard(call)?;
        let index = self.index(shard, call.target_time);
        match call.action {
            Action::Recover => {
                blocking(move || {
                    let manifest = index.manifest();
                    Ok(
                        match manifest.filter(|manifest| index.is_current(manifest)) {
                            Some(manifest) => Probe::AsItShouldBe(recovered(&index, &manifest)?),
                            None => Probe::NotYet,
                        },
                    )
                })
                .await
            }
            Action::Release => Ok(match index.folder.exists() {
                true => Probe::NotYet,
                false => Probe::AsItShouldBe(Outcome::default()),
            }),
            Action::Restore => self
                .probe_restore(call)
                .await
                .map_err(|fault| self.at_site(call, fault)),
            // Looking again is what verification is for.
            _ => Ok(Probe::NotYet),
        }
    }

    async fn close(&self) {
        self.slots.close();
    }

    fn leaves(&self) -> Vec<PathBuf> {
        let roots = self.config.shards.iter().map(|shard| {
            let own = shard.scratch.as_ref();
            own.unwrap_or(&self.config.scratch_root).clone()
        });
        roots.collect()
    }
}

/// Reading and sorting files, off the threads that wait for answers.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(Fault::permanent("reading the events ended in a panic")))
}
