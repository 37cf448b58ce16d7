//! `recover` and `inspect`: which copy is the one of T.

use std::path::Path;

use reprise_model::{Fault, Outcome, ShardId, Timestamp};
use reprise_ports::{Estimate, Finding, Inspect, Inspection, Level};
use tokio_util::sync::CancellationToken;

use super::connector::FolderConnector;
use super::tree::cannot;

impl FolderConnector {
    pub(super) async fn recover(
        &self,
        shard: &ShardId,
        target: Timestamp,
        cancelled: &CancellationToken,
    ) -> Result<Outcome, Fault> {
        let chosen = self.chosen(shard, target, cancelled).await?;
        let what = self.shard(shard)?.past.what();
        Ok(Outcome {
            recovery_point: Some(chosen.point(what)),
            ..Outcome::default()
        })
    }

    pub(super) async fn look(&self, inspect: &Inspect) -> Inspection {
        let mut found = vec![match self.live(&inspect.shard).and_then(readable) {
            Ok(tree) => (
                "connection",
                Level::Ok,
                format!("{} can be read", tree.display()),
                None,
            ),
            Err(fault) => ("connection", Level::Error, fault.message, fault.hint),
        }];
        if let Ok(tree) = self.live(&inspect.shard) {
            found.push(space(tree));
        }
        if let Some(target) = inspect.target_time {
            let cancelled = CancellationToken::new();
            let chosen = self.chosen(&inspect.shard, target, &cancelled).await;
            found.push(match chosen {
                Ok(chosen) => (
                    "backup-reaches",
                    Level::Ok,
                    format!("`{}` began at {}", chosen.id, chosen.begun),
                    None,
                ),
                Err(fault) => ("backup-reaches", Level::Error, fault.message, fault.hint),
            });
        }
        let findings = found
            .into_iter()
            .map(|(check, level, message, hint)| Finding {
                check: check.to_owned(),
                level,
                store: self.config.store.clone(),
                shard: inspect.shard.clone(),
                message: format!("{}/{}: {message}", self.config.store, inspect.shard),
                hint,
            });
        Inspection {
            findings: findings.collect(),
            estimate: Estimate::default(),
        }
    }
}

fn readable(tree: &Path) -> Result<&Path, Fault> {
    std::fs::read_dir(tree)
        .map(|_| tree)
        .map_err(|error| cannot("read", tree, &error))
}

fn space(tree: &Path) -> (&'static str, Level, String, Option<String>) {
    match rustix::fs::statvfs(tree) {
        Ok(told) => {
            let free = told.f_bavail.saturating_mul(told.f_frsize);
            ("space", Level::Ok, format!("{free} bytes are free"), None)
        }
        Err(error) => ("space", Level::Unknown, error.to_string(), None),
    }
}
