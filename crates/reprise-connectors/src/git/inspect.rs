//! What can be known before anything is started: git, the branch and its
//! commit of T, the live folder.

use std::path::Path;

use reprise_model::{Fault, Timestamp};
use reprise_ports::{Finding, Inspect, Inspection, Level};

use super::command::run;
use super::config::GitShard;
use super::connector::{GitConnector, blocking};
use super::folder::Folder;
use super::history::{short, starts_a_second};
use super::scratch::history;

impl GitConnector {
    pub(super) async fn look(&self, inspect: &Inspect) -> Inspection {
        let Some(shard) = self.config.shard(&inspect.shard) else {
            return Inspection::default();
        };
        let finding = |check: &str, found: Result<(Level, String), Fault>| {
            let (level, message, hint) = match found {
                Ok((level, message)) => (level, message, None),
                Err(fault) => (Level::Error, fault.message, fault.hint),
            };
            Finding {
                check: check.to_owned(),
                level,
                store: self.config.store.clone(),
                shard: shard.id.clone(),
                message,
                hint,
            }
        };
        let (own, target) = (shard.clone(), inspect.target_time);
        let reach = blocking(move || reach(&own, target)).await;
        let mut findings = vec![finding("backup-reaches", reach)];
        if shard.live.is_some() {
            let live = self.live(shard);
            let looked = blocking(move || {
                let folder = Folder::open(&live?)?;
                Ok(match folder.may_write() {
                    true => (
                        Level::Ok,
                        "the live folder is there and may be written".to_owned(),
                    ),
                    false => (
                        Level::Error,
                        "the live folder may not be written".to_owned(),
                    ),
                })
            });
            findings.push(finding("connection", looked.await));
        }
        Inspection {
            findings,
            ..Inspection::default()
        }
    }
}

/// A repository elsewhere is asked for its branch alone; what it holds is
/// known once it is cloned.
fn reach(shard: &GitShard, target: Option<Timestamp>) -> Result<(Level, String), Fault> {
    let reference = format!("refs/heads/{}", shard.branch);
    let asked = run(
        None,
        &[
            "ls-remote",
            "--exit-code",
            "--",
            &shard.repository,
            &reference,
        ],
    );
    asked.map_err(|fault| {
        Fault::new(
            fault.kind,
            format!(
                "branch `{}` cannot be read: {}",
                shard.branch, fault.message
            ),
        )
    })?;
    let (Some(target), true) = (target, Path::new(&shard.repository).is_dir()) else {
        let message = format!(
            "branch `{}` is there; its commit of a moment is seen by `recover`",
            shard.branch
        );
        return Ok((Level::Later, message));
    };
    let own = Path::new(&shard.repository);
    let inner = own.join(".git");
    let cut = history(
        if inner.is_dir() { &inner } else { own },
        &shard.branch,
        target,
    )?;
    Ok(match (&cut.doubt, &cut.commit) {
        (Some(doubt), _) if !starts_a_second(target) => (
            Level::Warning,
            format!(
                "commit {} was made within the target time's own second",
                short(&doubt.id)
            ),
        ),
        (_, Some(commit)) => (
            Level::Ok,
            format!("commit {} of {}", short(&commit.id), commit.time),
        ),
        (_, None) => (Level::Error, "no commit is as old".to_owned()),
    })
}
