//! `recover` and `inspect`: which copy is the one of T, and whether the sites'
//! folders are theirs and are anywhere.

use std::collections::BTreeMap;
use std::path::Path;

use reprise_model::{Fault, Outcome, ShardId, SiteId, Timestamp};
use reprise_ports::{CallSite, Estimate, Inspect, Inspection, Level};
use tokio_util::sync::CancellationToken;

use super::connector::FolderConnector;
use super::names::{self, at, may_be_below, text};
use super::past::Chosen;
use super::tree::{cannot, look};
use crate::shared::found::Found;
use crate::shared::seen::{Seen, findings};

const HINT: &str = "a wrong `tenant: { folder: ... }` looks like that; sites without files are left out by `placement`, or pass with `empty: allowed` in the `with` of verify";

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
        let mut copy = None;
        if let Some(target) = inspect.target_time {
            let cancelled = CancellationToken::new();
            found.push(
                match self.chosen(&inspect.shard, target, &cancelled).await {
                    Ok(chosen) => {
                        let words = format!("`{}` began at {}", chosen.id, chosen.begun);
                        copy = Some(chosen);
                        ("backup-reaches", Level::Ok, words, None)
                    }
                    Err(fault) => ("backup-reaches", Level::Error, fault.message, fault.hint),
                },
            );
        }
        found.extend(self.leads_elsewhere());
        found.extend(copy.and_then(|copy| self.nowhere(inspect, &copy)));
        for (_, _, message, _) in &mut found {
            *message = format!("{}/{}: {message}", self.config.store, inspect.shard);
        }
        Inspection {
            findings: findings(&self.config.store, &inspect.shard, found),
            estimate: Estimate::default(),
        }
    }

    fn leads_elsewhere(&self) -> Option<Seen> {
        let template = self.config.folder.as_deref()?;
        (!may_be_below(template)).then(|| {
            let message = format!("`{template}` is no folder below the tree");
            let hint = "`tenant: { folder: ... }` is relative to `live`, without `.` and `..`";
            ("folder", Level::Error, message, Some(hint.to_owned()))
        })
    }

    /// The folder that all sites' stand in, and sites' own, where they are neither in the
    /// copy nor in live; where the copy is a folder, and the sites' ids tell theirs.
    fn nowhere(&self, inspect: &Inspect, copy: &Chosen) -> Option<Seen> {
        let shard = self.shard(&inspect.shard).ok()?;
        let (stands, live) = (shard.past.stands(copy)?, shard.live.as_deref()?);
        let nowhere = |folder: &Path| {
            let there = |tree: &Path| !matches!(look(&at(tree, folder)), Ok(None));
            !there(&stands) && !there(live)
        };
        let all = self.config.folder.as_deref()?.split('{').next();
        let all = all.and_then(|lead| names::below(lead.rsplit_once('/')?.0));
        if let Some(all) = all.filter(|all| nowhere(all)) {
            let message = format!(
                "`{}`, in which the folders of all sites stand, is neither in `{}` nor in live",
                text(&all),
                copy.id
            );
            return Some(("folder", Level::Warning, message, Some(HINT.to_owned())));
        }
        let mut found = Found::default();
        for id in &inspect.sites {
            let folder = self.folder(&by_id(id)).ok()?;
            if nowhere(&folder) {
                found.add(format!("`{}` of site {id}", text(&folder)));
            }
        }
        let first = found.samples.first()?;
        let message = format!(
            "the folders of {} of {} sites are neither in `{}` nor in live, such as {first}",
            found.count,
            inspect.sites.len(),
            copy.id
        );
        Some(("folder", Level::Warning, message, Some(HINT.to_owned())))
    }
}

pub(super) fn by_id(id: &SiteId) -> CallSite {
    CallSite {
        id: id.clone(),
        attributes: BTreeMap::new(),
    }
}

fn readable(tree: &Path) -> Result<&Path, Fault> {
    std::fs::read_dir(tree)
        .map(|_| tree)
        .map_err(|error| cannot("read", tree, &error))
}

fn space(tree: &Path) -> Seen {
    match rustix::fs::statvfs(tree) {
        Ok(told) => {
            let free = told.f_bavail.saturating_mul(told.f_frsize);
            ("space", Level::Ok, format!("{free} bytes are free"), None)
        }
        Err(error) => ("space", Level::Unknown, error.to_string(), None),
    }
}
