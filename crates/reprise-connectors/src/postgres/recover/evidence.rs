//! Which moment a recovery really reached, and what proves it.
//!
//! The table is in `docs/design/recovery.md`; [`decide`] is that table.

use std::time::Duration;

use reprise_model::{Fault, RecoveryPoint, Timestamp};

use super::lsn::Lsn;

/// All that was measured after the replay stood still.
#[derive(Clone, PartialEq, Debug)]
pub struct Evidence {
    pub target: Timestamp,
    /// When the backup ended: its own content is at least that complete.
    pub backup_end: Timestamp,
    /// The last commit that is in.
    pub last_before: Option<Timestamp>,
    /// The first commit that was left out.
    pub first_after: Option<Timestamp>,
    pub replayed_to: Lsn,
    /// When the last piece of the log came into the archive.
    pub archived: Option<Timestamp>,
    pub live: Live,
}

/// What the live server says about transactions since.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Live {
    /// Not asked, not reached, or another server by its system identifier.
    Unknown,
    /// It has finished no transaction that the archive does not hold.
    Quiet,
    /// It has finished transactions beyond the archive's end.
    Ahead,
}

pub fn decide(evidence: &Evidence, rpo: Option<Duration>) -> Result<RecoveryPoint, Fault> {
    let target = evidence.target;
    if let Some(last) = evidence.last_before.filter(|last| *last > target) {
        return Err(Fault::permanent(format!(
            "the recovered data is later than the target time: it holds a commit of {last}, the target is {target}"
        )));
    }
    if let Some(first) = evidence.first_after {
        let basis =
            format!("the first commit after the target time was seen at {first} and left out");
        return Ok(point(evidence, target, basis));
    }
    let complete = complete_to(evidence);
    match evidence.live {
        Live::Quiet => {
            let basis = format!(
                "the log ends at {}, and the live server has finished no transaction beyond it",
                evidence.replayed_to
            );
            Ok(point(evidence, target, basis))
        }
        // The end of the log lies somewhere before what live has finished
        // since; a late archiver writes an old piece after T, so the time of
        // the file says nothing.
        Live::Ahead => {
            let seen = seen_to(evidence);
            Err(too_short(evidence, seen).hint(format!(
                "run `select pg_switch_wal()` on the live server and try again once the piece is in the archive; or take `--at {seen}`, which the archive surely reaches"
            )))
        }
        Live::Unknown if rpo.is_some_and(|rpo| complete.saturating_add(rpo) < target) => {
            Err(too_short(evidence, complete).hint(format!(
                "`--at {complete}` is the newest moment that the archive reaches"
            )))
        }
        Live::Unknown => {
            let basis = format!(
                "the log ends at {} without a commit after the target time; its last piece was archived at {complete}",
                evidence.replayed_to
            );
            Ok(point(evidence, complete.min(target), basis))
        }
    }
}

fn point(evidence: &Evidence, point: Timestamp, basis: String) -> RecoveryPoint {
    RecoveryPoint {
        point,
        last_before: evidence.last_before,
        first_after: evidence.first_after,
        basis,
    }
}

/// Up to when the archive was written, as far as its files' times can be believed.
fn complete_to(evidence: &Evidence) -> Timestamp {
    let seen = seen_to(evidence);
    evidence
        .archived
        .map_or(seen, |archived| archived.max(seen))
}

/// Up to when what is in the log itself shows that nothing is missing.
fn seen_to(evidence: &Evidence) -> Timestamp {
    let end = evidence.backup_end;
    evidence.last_before.map_or(end, |last| last.max(end))
}

fn too_short(evidence: &Evidence, complete: Timestamp) -> Fault {
    let last = match evidence.last_before {
        Some(last) => format!("the last commit in it is of {last}"),
        None => "it holds no commit since the backup".to_owned(),
    };
    Fault::refused(format!(
        "the archive ends before the target time {}: the log reaches {}, complete up to {complete}; {last}",
        evidence.target, evidence.replayed_to
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn evidence() -> Evidence {
        Evidence {
            target: at(100),
            backup_end: at(10),
            last_before: Some(at(50)),
            first_after: None,
            replayed_to: Lsn(0x300_0000),
            archived: Some(at(60)),
            live: Live::Unknown,
        }
    }

    const RPO: Option<Duration> = Some(Duration::from_secs(30));

    #[test]
    fn every_row_of_the_table() {
        let check = |change: fn(&mut Evidence), rpo, expect: Option<i64>| {
            let mut evidence = evidence();
            change(&mut evidence);
            let found = decide(&evidence, rpo).ok().map(|found| found.point);
            assert_eq!(found, expect.map(at), "{evidence:?}");
        };
        check(|e| e.first_after = Some(at(101)), RPO, Some(100));
        check(|e| e.last_before = Some(at(101)), RPO, None);
        check(
            |e| (e.last_before, e.first_after) = (Some(at(101)), Some(at(102))),
            RPO,
            None,
        );
        check(|e| e.live = Live::Quiet, RPO, Some(100));
        check(|e| e.live = Live::Ahead, RPO, None);
        check(|e| e.live = Live::Ahead, None, None);
        check(
            |e| (e.live, e.archived) = (Live::Ahead, Some(at(120))),
            RPO,
            None,
        );
        check(|_| (), RPO, None);
        check(|_| (), None, Some(60));
        check(|e| e.archived = Some(at(80)), RPO, Some(80));
        check(|e| e.archived = Some(at(500)), RPO, Some(100));
        check(
            |e| (e.last_before, e.archived) = (None, None),
            None,
            Some(10),
        );
    }

    /// The last piece came into the archive after T, and held only what was
    /// committed long before: commits between are in pieces that are not there.
    #[test]
    fn a_late_archiver_proves_nothing() {
        let mut evidence = evidence();
        (evidence.live, evidence.archived) = (Live::Ahead, Some(at(120)));
        let fault = decide(&evidence, None).unwrap_err();
        let hint = fault.hint.unwrap();
        assert!(hint.contains("pg_switch_wal()"), "{hint}");
        assert!(hint.contains(&format!("--at {}", at(50))), "{hint}");
    }

    #[test]
    fn a_short_archive_names_the_newest_moment_it_reaches() {
        let fault = decide(&evidence(), RPO).unwrap_err();
        let hint = fault.hint.unwrap();
        assert!(hint.contains(&format!("--at {}", at(60))), "{hint}");
    }
}
