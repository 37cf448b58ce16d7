//! Where the binary log is cut for T, and what proves the moment reached.
//!
//! The log's times are whole seconds: a transaction of second `s` was
//! committed somewhere in `[s, s + 1)`. It is before T when `s + 1 <= T` and
//! after T when `s >= T`. What is neither cannot be told apart from T, and is
//! a refusal that names the two moments which can.

use std::time::Duration;

use reprise_model::{Fault, RecoveryPoint, Timestamp};

use super::binlog::{Group, LogFile};

const SECOND: i64 = 1_000_000;

/// Everything from `from` of the first file up to `to` of the file `last`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cut {
    pub from: u64,
    /// How many of the files are read.
    pub files: usize,
    /// Where the last of them is cut.
    pub to: u64,
    /// The transactions in between.
    pub groups: Vec<Group>,
    pub last_before: Option<Group>,
    pub first_after: Option<Group>,
    /// By then all that the backup holds was committed.
    pub backup_by: i64,
    /// The second of a transaction at the log's end that is not whole.
    pub torn: Option<i64>,
}

pub fn second(at: i64) -> Timestamp {
    Timestamp::from_micros(at.saturating_mul(SECOND))
}

/// Why nothing can be said about a backup: the copy of its log is older.
pub fn beyond(files: &[LogFile], position: u64) -> Option<Fault> {
    let first = files.first().filter(|first| first.end < position)?;
    let fault = Fault::refused(format!(
        "the copy of {} ends before the backup does, which goes to byte {position} of it",
        first.path.display()
    ));
    Some(fault.hint("copy the binary log again, as it was after the backup"))
}

/// Why a backup cannot reach back to T: what it holds itself is not before T.
pub fn too_late(files: &[LogFile], position: u64, target: Timestamp) -> Option<Fault> {
    let backup_by = held_by(files, position);
    if backup_by < target.as_micros().div_euclid(SECOND) {
        return None;
    }
    let earliest = second(backup_by + 1);
    let fault = Fault::refused(format!(
        "the backup holds commits of up to {earliest}, later than the target time {target}"
    ));
    Some(fault.hint(format!(
        "`--at {earliest}` is the earliest that this backup reaches; an older backup reaches further back"
    )))
}

/// Finds the cut. `position` is the backup's, in the first of the files.
pub fn cut(files: &[LogFile], position: u64, target: Timestamp) -> Result<Cut, Fault> {
    let t = target.as_micros();
    let own = t.div_euclid(SECOND);
    let after = files.iter().enumerate().flat_map(|(file, log)| {
        let groups = log.groups.iter().map(move |group| (file, *group));
        groups.filter(move |(file, group)| *file > 0 || group.offset >= position)
    });
    let all: Vec<(usize, Group)> = after.collect();
    let first = all.iter().position(|(_, group)| group.at >= own);
    let (before, rest) = all.split_at(first.unwrap_or(all.len()));
    distinct(rest, target)?;
    let end = match rest.first() {
        Some((file, group)) => (file + 1, group.offset),
        None => (files.len(), files.last().map_or(position, |log| log.end)),
    };
    let groups: Vec<Group> = before.iter().map(|(_, group)| *group).collect();
    Ok(Cut {
        from: position,
        files: end.0,
        to: end.1,
        last_before: groups.last().copied(),
        first_after: rest.first().map(|(_, group)| *group),
        groups,
        backup_by: held_by(files, position),
        torn: files.last().and_then(|last| last.torn),
    })
}

/// What comes after the cut must really be after T.
fn distinct(rest: &[(usize, Group)], target: Timestamp) -> Result<(), Fault> {
    let t = target.as_micros();
    let own = t.div_euclid(SECOND);
    let within = rest.iter().filter(|(_, group)| group.at == own).count();
    if t.rem_euclid(SECOND) != 0 && within > 0 {
        return Err(Fault::refused(format!(
            "the binary log knows whole seconds, and {within} transactions were committed in the second of the target time {target}"
        ))
        .hint(format!(
            "`--at {}` or `--at {}` can be told apart from all of them",
            second(own),
            second(own + 1)
        )));
    }
    let stray = rest.iter().find(|(_, group)| group.at < own);
    match stray {
        None => Ok(()),
        Some((_, group)) => Err(Fault::refused(format!(
            "the binary log's times run backwards around the target time {target}: transaction {} is of {}, and follows one that is later",
            group.gtid,
            second(group.at)
        ))
        .hint("somebody set the clock or `timestamp`, or a statement ran for long; take a moment before or after it")),
    }
}

/// By which second everything in the backup was committed: the newest event
/// before its position, or the beginning of the file, before which all of the
/// earlier files was committed.
fn held_by(files: &[LogFile], position: u64) -> i64 {
    let Some(first) = files.first() else { return 0 };
    let inside = first.groups.iter().filter(|group| group.offset < position);
    inside.map(|group| group.at).fold(first.begun, i64::max)
}

/// What the live server says about transactions since.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Live {
    /// Not asked, not reached, or another server.
    Unknown,
    /// It has committed nothing that the log does not hold.
    Quiet,
    /// It has committed more than the log holds.
    Ahead,
}

/// Which moment was reached. `written` is when the log was last written to.
pub fn decide(
    cut: &Cut,
    target: Timestamp,
    live: Live,
    written: Option<Timestamp>,
    rpo: Option<Duration>,
) -> Result<RecoveryPoint, Fault> {
    let last = cut.last_before.map(|group| second(group.at));
    let reached = |point, basis: String| RecoveryPoint {
        point,
        last_before: last,
        first_after: cut.first_after.map(|group| second(group.at)),
        basis,
    };
    if let Some(first) = cut.first_after {
        let basis = format!(
            "the first transaction after the target time, {} of the second {}, was seen and left out",
            first.gtid,
            second(first.at)
        );
        return Ok(reached(target, basis));
    }
    let seen = last.unwrap_or(second(cut.backup_by));
    let complete = written.map_or(seen, |written| written.max(seen));
    let inside = match cut.torn {
        Some(at) => format!(
            ", and it ends inside of a transaction of the second {}",
            second(at)
        ),
        None => String::new(),
    };
    let short = |newest: Timestamp| {
        Fault::refused(format!(
            "the binary log ends before the target time {target}: its last transaction is of the second {seen}{inside}"
        ))
        .hint(format!("copy the newest binary log (`flush binary logs` ends it), or take `--at {newest}`, which it reaches"))
    };
    match live {
        Live::Quiet => Ok(reached(
            target,
            "the live server has committed nothing beyond the end of the binary log".to_owned(),
        )),
        Live::Ahead => Err(short(seen)),
        Live::Unknown if rpo.is_some_and(|rpo| complete.saturating_add(rpo) < target) => {
            Err(short(complete))
        }
        Live::Unknown => Ok(reached(
            complete.min(target),
            format!(
                "the binary log holds no transaction after the target time; it was last written to at {complete}{inside}"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::binlog::Gtid;
    use super::*;

    fn group(sequence: u64, at: i64, offset: u64) -> Group {
        let gtid = Gtid {
            domain: 0,
            server: 1,
            sequence,
        };
        Group {
            gtid,
            at,
            offset,
            in_system_zone: false,
        }
    }

    fn file(name: &str, begun: i64, groups: &[Group]) -> LogFile {
        LogFile {
            path: name.into(),
            name: name.to_owned(),
            begun,
            follows: None,
            groups: groups.to_vec(),
            rotated: None,
            torn: None,
            end: 900,
            written: None,
        }
    }

    /// A backup at position 100, whose last commit is of second 10.
    fn files() -> Vec<LogFile> {
        vec![
            file(
                "bin.1",
                5,
                &[group(1, 10, 50), group(2, 20, 100), group(3, 30, 200)],
            ),
            file("bin.2", 31, &[group(4, 40, 100), group(5, 41, 200)]),
        ]
    }

    fn at(seconds: f64) -> Timestamp {
        Timestamp::from_micros((seconds * 1e6) as i64)
    }

    #[test]
    fn the_cut_is_before_the_first_transaction_that_is_not_before_t() {
        let check = |target: f64, files_read: usize, to: u64, replayed: &[u64]| {
            let cut = cut(&files(), 100, at(target)).unwrap();
            let found: Vec<u64> = cut.groups.iter().map(|g| g.gtid.sequence).collect();
            assert_eq!(
                (cut.files, cut.to, found.as_slice()),
                (files_read, to, replayed),
                "{target}"
            );
        };
        check(15.0, 1, 100, &[]);
        check(20.0, 1, 100, &[]);
        check(21.0, 1, 200, &[2]);
        check(35.5, 2, 100, &[2, 3]);
        check(41.0, 2, 200, &[2, 3, 4]);
        check(99.0, 2, 900, &[2, 3, 4, 5]);
    }

    #[test]
    fn what_cannot_be_told_apart_from_t_is_refused() {
        let fault = cut(&files(), 100, at(20.5)).unwrap_err();
        let hint = fault.hint.unwrap();
        assert!(
            hint.contains(&at(20.0).to_string()) && hint.contains(&at(21.0).to_string()),
            "{hint}"
        );
        assert!(cut(&files(), 100, at(25.5)).is_ok());
    }

    #[test]
    fn a_moment_that_the_backup_is_past_is_refused() {
        for target in [5.0, 10.0, 10.5] {
            let fault = too_late(&files(), 100, at(target)).unwrap();
            assert!(
                fault.message.contains("the backup holds"),
                "{}",
                fault.message
            );
        }
        assert_eq!(too_late(&files(), 100, at(11.0)), None);
    }

    #[test]
    fn a_log_that_was_copied_before_the_backup_ended_is_refused() {
        assert_eq!(beyond(&files(), 900), None);
        let fault = beyond(&files(), 901).unwrap();
        assert!(
            fault.message.contains("bin.1 ends before the backup does"),
            "{}",
            fault.message
        );
    }

    #[test]
    fn times_that_run_backwards_are_refused() {
        let mut files = files();
        files[1].groups[1].at = 33;
        let fault = cut(&files, 100, at(35.0)).unwrap_err();
        assert!(fault.message.contains("0-1-5"), "{}", fault.message);
    }

    #[test]
    fn the_end_of_the_log_needs_a_witness() {
        let check =
            |target: f64, live, written: Option<f64>, rpo: Option<u64>, expect: Option<f64>| {
                let cut = cut(&files(), 100, at(target)).unwrap();
                let rpo = rpo.map(Duration::from_secs);
                let found = decide(&cut, at(target), live, written.map(at), rpo).ok();
                assert_eq!(
                    found.map(|found| found.point),
                    expect.map(at),
                    "{target} {live:?}"
                );
            };
        check(35.0, Live::Ahead, None, None, Some(35.0));
        check(99.0, Live::Quiet, None, Some(1), Some(99.0));
        check(99.0, Live::Ahead, Some(200.0), None, None);
        check(99.0, Live::Unknown, Some(60.0), Some(30), None);
        check(99.0, Live::Unknown, Some(60.0), None, Some(60.0));
        check(99.0, Live::Unknown, Some(200.0), Some(30), Some(99.0));
        check(99.0, Live::Unknown, None, None, Some(41.0));
    }
}
