//! Which commit was current at T: the newest along first parents that was
//! made before it.
//!
//! Committer times are whole seconds, cut off. Where T lies within a second, a
//! commit of that second may be before or after it: that is *doubt*, and the
//! step says (`ties`), else it is a refusal for the sites whose files differ.
//! Where T is the start of a second, all that was made in it came after.

use reprise_model::{Fault, RecoveryPoint, Timestamp};
use serde::{Deserialize, Serialize};

const SECOND: i64 = 1_000_000;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Commit {
    pub id: String,
    pub time: Timestamp,
}

/// The history around T.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Cut {
    /// The newest that is at or before T for certain.
    pub commit: Option<Commit>,
    /// The newest of T's own second.
    pub doubt: Option<Commit>,
    pub first_after: Option<Timestamp>,
}

/// `lines` are `ID SECONDS`, the newest first, as `git log --first-parent` has them.
pub(super) fn cut(lines: &str, target: Timestamp) -> Result<Cut, Fault> {
    let commits: Vec<Commit> = lines
        .lines()
        .map(|line| {
            read(line).ok_or_else(|| Fault::permanent(format!("git log: `{line}` is no commit")))
        })
        .collect::<Result<_, _>>()?;
    let is_after = |commit: &&Commit| commit.time > target;
    let after = commits.iter().take_while(is_after).count();
    if let Some(older) = commits[after..].iter().find(is_after) {
        let newer = &commits[after];
        return Err(Fault::refused(format!(
            "the history disagrees with its times about {target}: commit {} of {} is older than {} of {}",
            short(&older.id), older.time, short(&newer.id), newer.time
        ))
        .hint("a clock was wrong; choose a time at which all commits before are earlier"));
    }
    let (later, rest) = commits.split_at(after);
    let second = Timestamp::from_micros(target.as_micros().div_euclid(SECOND) * SECOND);
    let in_doubt = |commit: &&Commit| commit.time == second;
    let certain = rest.iter().find(|commit| !in_doubt(commit));
    // A doubt behind a certain one is a clock that went back: not T's affair.
    let doubt = rest.first().filter(in_doubt);
    Ok(Cut {
        commit: certain.cloned(),
        doubt: doubt.cloned(),
        first_after: later.last().map(|commit| commit.time),
    })
}

fn read(line: &str) -> Option<Commit> {
    let (id, seconds) = line.split_once(' ')?;
    let seconds: i64 = seconds.parse().ok()?;
    Some(Commit {
        id: id.to_owned(),
        time: Timestamp::from_micros(seconds.checked_mul(SECOND)?),
    })
}

/// The start of a second leaves no doubt about what was made within it.
pub(super) fn starts_a_second(target: Timestamp) -> bool {
    target.as_micros().rem_euclid(SECOND) == 0
}

pub(super) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

impl Cut {
    /// A repository has all of its past: it reaches T unless T lies in a
    /// second about which it cannot tell.
    pub fn point(&self, target: Timestamp) -> RecoveryPoint {
        let last = self.commit.as_ref().map(|commit| commit.time);
        let basis = match (&self.commit, &self.doubt) {
            (_, Some(doubt)) if !starts_a_second(target) => format!(
                "commit {} was made within the target time's own second",
                short(&doubt.id)
            ),
            (Some(commit), _) => format!("commit {}", short(&commit.id)),
            (None, _) => "no commit is as old".to_owned(),
        };
        RecoveryPoint {
            point: target,
            last_before: last,
            first_after: match &self.doubt {
                Some(doubt) if starts_a_second(target) => Some(doubt.time),
                _ => self.first_after,
            },
            basis,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(times: &[i64], target: i64) -> Result<Cut, Fault> {
        let lines: Vec<String> = times
            .iter()
            .enumerate()
            .map(|(n, time)| format!("c{} {time}", times.len() - n))
            .collect();
        cut(&lines.join("\n"), Timestamp::from_micros(target))
    }

    #[test]
    fn the_newest_commit_not_after_t() {
        let ids = |cut: Cut| (cut.commit.map(|c| c.id), cut.doubt.map(|c| c.id));
        let some = |id: &str| Some(id.to_owned());
        assert_eq!(
            ids(around(&[30, 20, 10], 25 * SECOND).unwrap()),
            (some("c2"), None)
        );
        // At its start, what was made in a second is yet to come; within it nobody knows.
        assert_eq!(
            ids(around(&[30, 20, 10], 20 * SECOND).unwrap()),
            (some("c1"), some("c2"))
        );
        assert_eq!(
            ids(around(&[30, 20, 10], 20 * SECOND + 1).unwrap()),
            (some("c1"), some("c2"))
        );
        assert_eq!(
            ids(around(&[20, 20, 10], 20 * SECOND + 1).unwrap()),
            (some("c1"), some("c3"))
        );
        assert_eq!(
            ids(around(&[30, 20, 10], 5 * SECOND).unwrap()),
            (None, None)
        );
        assert_eq!(
            around(&[30, 20], 25 * SECOND).unwrap().first_after,
            Some(Timestamp::from_micros(30 * SECOND))
        );
    }

    #[test]
    fn times_that_disagree_about_t_are_refused_and_others_are_not() {
        let fault = around(&[30, 20, 26, 10], 25 * SECOND).unwrap_err();
        assert!(fault.message.contains("commit c2"), "{}", fault.message);
        assert!(around(&[30, 20, 26, 10], 28 * SECOND).is_ok());
        assert!(around(&[20, 30, 10], 25 * SECOND).is_err());
    }
}
