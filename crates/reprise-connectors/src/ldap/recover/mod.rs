//! Brings a shard to T in scratch: a snapshot and the change log, replayed in
//! memory, cut by the log entries' own `entryCSN`.

mod change;
mod replay;
mod scratch;
mod source;

use std::path::Path;
use std::time::Duration;

use reprise_model::{Fault, Outcome, RecoveryPoint, Timestamp, Volume};
use serde_json::{Map, json};

pub use scratch::Scratch;

use super::tree::Tree;
use replay::{Obstacle, Replayed, replay};
use source::{Changes, Snapshot, Snapshots};

/// The directory at T and how it came about.
pub struct Recovered {
    pub tree: Tree,
    pub outcome: Outcome,
}

/// Reads and replays; writes nothing. A shard that can be proven only up to
/// more than `rpo` before T is refused.
pub fn recover(
    snapshots: &Path,
    changes: &Path,
    target: Timestamp,
    rpo: Option<Duration>,
) -> Result<Recovered, Fault> {
    let found = Snapshots::read(snapshots, target)?;
    let mut unfit = found.unreadable;
    for snapshot in found.usable {
        let place = snapshot.path.display().to_string();
        let log = match Changes::read(changes)?.since(&snapshot.newest) {
            Ok(log) => log,
            Err(fault) => {
                unfit.push(format!("{place}: {fault}"));
                continue;
            }
        };
        match replay(snapshot.tree.clone(), &snapshot.newest, &log, target) {
            Ok(replayed) => return conclude(&snapshot, replayed, target, rpo),
            Err(Obstacle::MadeLater(why)) => unfit.push(format!("{place}: {why}")),
            Err(Obstacle::Gap(why)) => {
                unfit.push(format!("{place}: the change log has a gap after it: {why}"));
            }
        }
    }
    let oldest = found.oldest_after.map_or_else(String::new, |oldest| {
        format!("; the oldest of the later ones is of {oldest}")
    });
    let others = match unfit.is_empty() {
        true => String::new(),
        false => format!("; {}", unfit.join("; ")),
    };
    Err(Fault::refused(format!(
        "{} holds no snapshot at or before {target} from which the change log reaches it{oldest}{others}",
        snapshots.display()
    ))
    .hint("take snapshots more often than the log is purged, and write the log out after them"))
}

fn conclude(
    snapshot: &Snapshot,
    replayed: Replayed,
    target: Timestamp,
    rpo: Option<Duration>,
) -> Result<Recovered, Fault> {
    let last = replayed.last_before.as_ref().map(|csn| csn.time);
    let last = last.unwrap_or(snapshot.newest.time).min(target);
    let (point, proof) = match &replayed.first_after {
        Some(after) => (target, format!("the log goes on with {after}")),
        None => (
            last,
            "the log ends there, and nothing later proves that it was quiet".to_owned(),
        ),
    };
    if point.saturating_add(rpo.unwrap_or_default()) < target {
        return Err(Fault::refused(format!(
            "the change log ends at {point}, before the target time {target}"
        ))
        .hint(format!(
            "write the log out again after a change later than that; `--at {point}` is reached"
        )));
    }
    let point = RecoveryPoint {
        point,
        last_before: Some(last),
        first_after: replayed.first_after.as_ref().map(|csn| csn.time),
        basis: format!(
            "entryCSN: {} of {} and {} changes of the log; {proof}",
            snapshot.path.file_name().unwrap_or_default().display(),
            snapshot.newest.time,
            replayed.applied,
        ),
    };
    let mut output = Map::new();
    output.insert("entries".to_owned(), json!(replayed.tree.len()));
    output.insert("changes".to_owned(), json!(replayed.applied));
    let outcome = Outcome {
        output,
        volume: Volume {
            rows: replayed.tree.len() as u64,
            bytes: 0,
        },
        recovery_point: Some(point),
        ..Outcome::default()
    };
    Ok(Recovered {
        tree: replayed.tree,
        outcome,
    })
}
