//! What a bucket tells of one key, and which of its versions was current at T.
//!
//! Times of S3 are whole seconds: a version of the second `s` was made
//! somewhere in `[s, s + 1)`. So one that is of T's own second cannot be told
//! to be before or after T, unless T is the start of it, and is a *doubt*, which is never guessed away: the
//! step says what to do (`with: { ties: refuse | include | exclude }`). Which
//! of several versions of one second came last is told by the order of the
//! listing, newest first. An order that contradicts the times across T, and a
//! version without an id (`null`) that was written after T and may have taken
//! the place of another, are doubts that nothing decides: such a key can be
//! left as it is (`with: { doubts: leave }`).

use reprise_model::Timestamp;
use serde::{Deserialize, Serialize};

const SECOND: i64 = 1_000_000;
/// The id of what was written while the bucket kept no versions.
const NULL: &str = "null";

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Version {
    pub id: String,
    pub modified: Timestamp,
    /// Absent for a delete marker.
    pub object: Option<Object>,
    /// Storage class, where it is not the standard one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
}

impl Version {
    /// Whether its bytes cannot be read as they are.
    pub fn is_archived(&self) -> bool {
        self.class.as_deref().is_some_and(is_archive)
    }
}

/// `GLACIER_IR` is read at once.
pub fn is_archive(class: &str) -> bool {
    matches!(class, "GLACIER" | "DEEP_ARCHIVE")
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Object {
    pub size: u64,
    pub etag: String,
}

/// All versions of one key, newest first, as the server lists them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct History {
    pub key: String,
    pub versions: Vec<Version>,
    /// Which of them the server says readers get. It is the newest, but for a
    /// server that broke off in a write: then it may be another, or none.
    pub current: Option<usize>,
}

impl History {
    pub fn current(&self) -> Option<&Version> {
        self.versions.get(self.current?)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// Made in T's own second.
    SameSecond,
    /// The order of the listing and its times disagree about T.
    Disorder,
    /// Written over, after T, in place of what may have been there at T.
    Overwritten,
}

/// What to do with versions of T's own second.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ties {
    #[default]
    Refuse,
    Include,
    Exclude,
}

/// What to do with keys of which nobody can tell what they were.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubts {
    /// Nothing of the site is touched.
    #[default]
    Refuse,
    /// They stay as they are, and are named; the others are brought back.
    Leave,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    After,
    Same,
    Before,
}

fn side(version: &Version, target: Timestamp) -> Side {
    let second = target.as_micros().div_euclid(SECOND);
    match version.modified.as_micros().div_euclid(SECOND).cmp(&second) {
        std::cmp::Ordering::Less => Side::Before,
        std::cmp::Ordering::Equal => Side::Same,
        std::cmp::Ordering::Greater => Side::After,
    }
}

impl Ties {
    /// Where T is the start of a second, all that was made in that second came
    /// after it: there is nothing to doubt or to decide.
    pub fn at(self, target: Timestamp) -> Self {
        match target.as_micros().rem_euclid(SECOND) {
            0 => Self::Exclude,
            _ => self,
        }
    }
}

/// The version that was current at T; `None` where the key was not there.
pub fn at(history: &History, target: Timestamp, ties: Ties) -> Result<Option<&Version>, Doubt> {
    let ties = ties.at(target);
    let sides = || history.versions.iter().map(|version| side(version, target));
    if !sides().is_sorted() {
        return Err(Doubt::Disorder);
    }
    let after = |version: &&Version| side(version, target) == Side::After;
    if history.versions.iter().filter(after).any(|v| v.id == NULL) {
        return Err(Doubt::Overwritten);
    }
    if ties == Ties::Refuse && sides().any(|side| side == Side::Same) {
        return Err(Doubt::SameSecond);
    }
    let within = match ties {
        Ties::Include => Side::Same,
        Ties::Refuse | Ties::Exclude => Side::Before,
    };
    // What was written without an id in T's second may hide what was there.
    let hidden = |v: &Version| side(v, target) == Side::Same && v.id == NULL;
    if ties == Ties::Exclude && history.versions.iter().any(hidden) {
        return Err(Doubt::Overwritten);
    }
    let newest = history
        .versions
        .iter()
        .find(|version| side(version, target) >= within);
    Ok(newest.filter(|version| version.object.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(id: &str, second: i64, object: bool) -> Version {
        Version {
            id: id.to_owned(),
            modified: Timestamp::from_micros(second * SECOND),
            object: object.then(|| Object {
                size: 1,
                etag: id.to_owned(),
            }),
            class: None,
        }
    }

    fn found(
        versions: &[(&str, i64, bool)],
        micros: i64,
        ties: Ties,
    ) -> Result<Option<String>, Doubt> {
        let history = History {
            key: "k".to_owned(),
            versions: versions.iter().map(|v| version(v.0, v.1, v.2)).collect(),
            current: Some(0),
        };
        let target = Timestamp::from_micros(micros);
        at(&history, target, ties).map(|found| found.map(|v| v.id.clone()))
    }

    #[test]
    fn the_newest_before_t_was_current() {
        let all = [
            ("d", 40, false),
            ("c", 30, true),
            ("b", 20, false),
            ("a", 10, true),
        ];
        let at = |second: i64| found(&all, second * SECOND + 1, Ties::Refuse);
        assert_eq!(at(5), Ok(None));
        assert_eq!(at(15), Ok(Some("a".to_owned())));
        assert_eq!(at(25), Ok(None), "deleted then");
        assert_eq!(at(35), Ok(Some("c".to_owned())));
        assert_eq!(at(45), Ok(None));
    }

    #[test]
    fn ts_own_second_is_a_doubt_that_the_step_decides() {
        let all = [("c", 20, true), ("b", 20, false), ("a", 10, true)];
        for micros in [20 * SECOND + 1, 20 * SECOND + 999_999] {
            assert_eq!(found(&all, micros, Ties::Refuse), Err(Doubt::SameSecond));
            assert_eq!(found(&all, micros, Ties::Include), Ok(Some("c".to_owned())));
            assert_eq!(found(&all, micros, Ties::Exclude), Ok(Some("a".to_owned())));
        }
        assert_eq!(
            found(&all, 20 * SECOND, Ties::Refuse),
            Ok(Some("a".to_owned())),
            "a second begins with T"
        );
        for ties in [Ties::Include, Ties::Exclude] {
            let whole = found(&all, 20 * SECOND, ties);
            assert_eq!(whole, Ok(Some("a".to_owned())), "there is no tie");
        }
        // A tie of another second is told by the order.
        assert_eq!(
            found(&all, 21 * SECOND, Ties::Refuse),
            Ok(Some("c".to_owned()))
        );
        assert_eq!(
            found(&all, 20 * SECOND - 1, Ties::Refuse),
            Ok(Some("a".to_owned()))
        );
    }

    #[test]
    fn an_order_against_the_times_is_never_guessed() {
        let all = [("b", 10, true), ("a", 20, true)];
        for ties in [Ties::Refuse, Ties::Include, Ties::Exclude] {
            assert_eq!(found(&all, 15 * SECOND, ties), Err(Doubt::Disorder));
        }
        assert_eq!(
            found(&all, 30 * SECOND, Ties::Refuse),
            Ok(Some("b".to_owned()))
        );
    }

    #[test]
    fn what_was_written_over_without_a_version_is_not_known() {
        let all = [("null", 20, true), ("a", 10, true)];
        assert_eq!(
            found(&all, 15 * SECOND, Ties::Refuse),
            Err(Doubt::Overwritten)
        );
        assert_eq!(
            found(&all, 20 * SECOND, Ties::Exclude),
            Err(Doubt::Overwritten)
        );
        assert_eq!(
            found(&all, 25 * SECOND, Ties::Refuse),
            Ok(Some("null".to_owned()))
        );
        let before = [("a", 20, true), ("null", 10, true)];
        assert_eq!(
            found(&before, 15 * SECOND, Ties::Refuse),
            Ok(Some("null".to_owned()))
        );
    }
}
