//! What can be known before anything is started: connection, rights, whether
//! the backup reaches T, space.

use std::collections::BTreeMap;

use reprise_model::{Fault, ShardId, Timestamp};
use reprise_ports::{CallSite, Estimate, Finding, Inspect, Inspection, Level};

use super::connector::{LdapConnector, blocking};
use super::recover::recover;
use super::{LdapConfig, LdapShard};

struct Findings<'a> {
    config: &'a LdapConfig,
    shard: &'a ShardId,
    all: Vec<Finding>,
}

impl Findings<'_> {
    fn add(&mut self, check: &str, level: Level, message: impl Into<String>, hint: Option<String>) {
        self.all.push(Finding {
            check: check.to_owned(),
            level,
            store: self.config.store.clone(),
            shard: self.shard.clone(),
            message: message.into(),
            hint,
        });
    }

    fn ok(&mut self, check: &str, message: impl Into<String>) {
        self.add(check, Level::Ok, message, None);
    }

    fn error(&mut self, check: &str, fault: Fault) {
        self.add(check, Level::Error, fault.message, fault.hint);
    }
}

impl LdapConnector {
    pub(super) async fn look(&self, inspect: &Inspect) -> Inspection {
        let Ok(shard) = self.shard(&inspect.shard) else {
            return Inspection::default();
        };
        let mut findings = Findings {
            config: &self.config,
            shard: &inspect.shard,
            all: Vec::new(),
        };
        let scratch_bytes = self.backup(shard, inspect.target_time, &mut findings).await;
        if shard.live.is_some()
            && let Err(fault) = self.live_end(shard, inspect, &mut findings).await
        {
            findings.error("connection", fault);
        }
        Inspection {
            findings: findings.all,
            estimate: Estimate {
                scratch_bytes,
                ..Estimate::default()
            },
        }
    }

    /// Replays in memory what `recover` would; writes nothing.
    async fn backup(
        &self,
        shard: &LdapShard,
        target: Option<Timestamp>,
        findings: &mut Findings<'_>,
    ) -> Option<u64> {
        let Some(target) = target else {
            let message = "whether the backup reaches a moment is seen with `--at`";
            findings.add("backup-reaches", Level::Later, message, None);
            return None;
        };
        let (snapshots, changes) = (shard.snapshots.clone(), shard.changes.clone());
        let rpo = self.config.rpo;
        let looked = blocking(move || {
            let recovered = recover(&snapshots, &changes, target, rpo)?;
            Ok((recovered.tree.bytes(), recovered.outcome))
        });
        let (bytes, outcome) = match looked.await {
            Ok(looked) => looked,
            Err(fault) => {
                findings.error("backup-reaches", fault);
                return None;
            }
        };
        let basis = outcome.recovery_point.map(|point| point.basis);
        findings.ok("backup-reaches", basis.unwrap_or_default());
        self.space(shard, bytes, findings);
        Some(bytes)
    }

    fn space(&self, shard: &LdapShard, bytes: u64, findings: &mut Findings<'_>) {
        let root = shard.scratch.as_ref().unwrap_or(&self.config.scratch_root);
        let there = root.ancestors().find(|folder| folder.exists());
        let free = there.and_then(|folder| rustix::fs::statvfs(folder).ok());
        let place = root.display();
        match free.map(|free| free.f_bavail * free.f_frsize) {
            None => findings.add(
                "space",
                Level::Unknown,
                format!("{place} cannot be asked"),
                None,
            ),
            Some(free) if free < bytes => {
                let message = format!("{bytes} bytes are needed in {place}, {free} are free");
                findings.add("space", Level::Error, message, None);
            }
            Some(_) => findings.ok("space", format!("{bytes} bytes are needed in {place}")),
        }
    }

    async fn live_end(
        &self,
        shard: &LdapShard,
        inspect: &Inspect,
        findings: &mut Findings<'_>,
    ) -> Result<(), Fault> {
        let mut session = self.live(shard)?.session().await?;
        findings.ok(
            "connection",
            "the live end answers and knows the name in `bind`",
        );
        let message = "whether that name may write is seen at the first entry";
        findings.add("rights", Level::Later, message, None);
        let mut in_the_way = 0;
        for id in &inspect.sites {
            let site = CallSite {
                id: id.clone(),
                attributes: BTreeMap::new(),
            };
            // A base that is made of attributes is known only to the plan.
            let Ok(names) = self.names(&site, &[]) else {
                let message = "the site's base needs its attributes, which are not known yet";
                findings.add("in-the-way", Level::Later, message, None);
                return Ok(());
            };
            in_the_way += session.subtree(&names.base).await?.len();
        }
        match in_the_way {
            0 => findings.ok("in-the-way", "no live entries of the sites"),
            count => {
                let message = format!("{count} live entries of the sites are there");
                let hint = "those that differ need `with: { on_conflict: replace }`".to_owned();
                findings.add("in-the-way", Level::Warning, message, Some(hint));
            }
        }
        Ok(())
    }
}
