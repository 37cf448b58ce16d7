//! From a snapshot and the change log to the directory at T.
//!
//! A snapshot's moment is the newest change that can be read off it, and what
//! came about then can be in it or not: changes are numbered before they are
//! committed, and a deletion leaves no number. So each change is held against
//! the entry it is about: what is in already is left out, and what cannot
//! follow from what is there is a gap.

use std::collections::BTreeSet;
use std::time::Duration;

use reprise_model::Timestamp;

use super::change::{Change, What, apply};
use crate::ldap::csn::Csn;
use crate::ldap::entry::Entry;
use crate::ldap::tree::Tree;

/// A change can be committed this much after one with a later number.
const OVERTAKEN: Duration = Duration::from_secs(60);

pub struct Replayed {
    pub tree: Tree,
    pub applied: usize,
    pub last_before: Option<Csn>,
    pub first_after: Option<Csn>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The snapshot holds less than there was at T: it was made later.
    MadeLater(String),
    Gap(String),
}

/// `changes` in the order of their CSN.
pub fn replay(
    mut tree: Tree,
    start: &Csn,
    changes: &[Change],
    target: Timestamp,
) -> Result<Replayed, Obstacle> {
    let cut = changes.partition_point(|change| change.csn.time <= target);
    let (before, after) = changes.split_at(cut);
    let (deleted, deleted_later) = (deleted(before), deleted(after));
    let mut applied = 0;
    for change in before {
        let state = State {
            tree: &mut tree,
            start,
            deleted: &deleted,
            deleted_later: &deleted_later,
        };
        applied += usize::from(state.step(change)?);
    }
    made_before(&tree, after)?;
    Ok(Replayed {
        last_before: before
            .last()
            .map(|change| change.csn.clone())
            .max(tree.newest()),
        tree,
        applied,
        first_after: after.first().map(|change| change.csn.clone()),
    })
}

/// What is changed after T and was not made after T was there at T.
fn made_before(tree: &Tree, after: &[Change]) -> Result<(), Obstacle> {
    let mut made = BTreeSet::new();
    for change in after {
        match change.what {
            What::Add(_) => {
                made.insert(change.uuid.as_str());
            }
            What::Modify { .. } | What::Rename { .. } | What::Delete { .. } => {
                if !tree.has(&change.uuid) && !made.contains(change.uuid.as_str()) {
                    return Err(Obstacle::MadeLater(format!(
                        "`{}` is not in it and was changed at {}, after the target time",
                        change.dn, change.csn.time
                    )));
                }
            }
        }
    }
    Ok(())
}

struct State<'a> {
    tree: &'a mut Tree,
    start: &'a Csn,
    /// What is deleted between the snapshot and T.
    deleted: &'a BTreeSet<&'a str>,
    /// What is deleted after T.
    deleted_later: &'a BTreeSet<&'a str>,
}

fn deleted(changes: &[Change]) -> BTreeSet<&str> {
    let deletions = changes
        .iter()
        .filter(|change| matches!(change.what, What::Delete { .. }));
    deletions.map(|change| change.uuid.as_str()).collect()
}

impl State<'_> {
    /// Whether the change was applied, or was there already.
    fn step(self, change: &Change) -> Result<bool, Obstacle> {
        let known = self.tree.has(&change.uuid);
        let is_old = change.csn <= *self.start;
        if known && self.tree.csn(&change.uuid) >= Some(change.csn.clone()) {
            return Ok(false);
        }
        if !known {
            return self.unknown(change, is_old);
        }
        let gap = |why: String| Obstacle::Gap(format!("{} at {}", why, change.csn.time));
        match &change.what {
            What::Add(_) => Err(gap(format!("`{}` is added and is there", change.dn))),
            What::Modify { mods, before } => {
                self.follows(change, before.as_ref())?;
                let entry = self.tree.by_uuid(&change.uuid).expect("it is known");
                apply(entry, mods).map_err(gap)?;
                Ok(true)
            }
            What::Rename {
                mods,
                new_dn,
                delete_old,
            } => {
                let entry = self.tree.by_uuid(&change.uuid).expect("it is known");
                apply(entry, mods).map_err(gap)?;
                let renamed = self.tree.rename(&change.uuid, new_dn, *delete_old);
                renamed.map_err(gap)?;
                Ok(true)
            }
            What::Delete { before } => {
                self.follows(change, before.as_ref())?;
                self.tree.remove(&change.uuid);
                Ok(true)
            }
        }
    }

    /// A change of an entry that is not there.
    fn unknown(self, change: &Change, is_old: bool) -> Result<bool, Obstacle> {
        let is_deleted = self.deleted.contains(change.uuid.as_str());
        let late = self.start.time.saturating_sub(OVERTAKEN) <= change.csn.time;
        let why = match &change.what {
            What::Add(mods) if late && !(is_old && is_deleted) => {
                let mut entry = Entry::new(change.dn.clone());
                let added = apply(&mut entry, mods);
                let added = added.and_then(|()| self.tree.insert(entry));
                added.map_err(|why| Obstacle::Gap(format!("{why} at {}", change.csn.time)))?;
                return Ok(true);
            }
            What::Add(_) | What::Modify { .. } | What::Rename { .. } | What::Delete { .. }
                if is_deleted =>
            {
                return Ok(false);
            }
            What::Add(_) => format!(
                "`{}` was added at {}, is not in it, and no deletion says why",
                change.dn, change.csn.time
            ),
            What::Modify { .. } | What::Rename { .. } | What::Delete { .. } => format!(
                "`{}` is changed at {}, is not there, and no deletion says why",
                change.dn, change.csn.time
            ),
        };
        match self.deleted_later.contains(change.uuid.as_str()) {
            true => Err(Obstacle::MadeLater(format!(
                "`{}` is not in it and was deleted after the target time",
                change.dn
            ))),
            false => Err(Obstacle::Gap(why)),
        }
    }

    /// The log tells which change of the entry came before this one.
    fn follows(&self, change: &Change, before: Option<&Csn>) -> Result<(), Obstacle> {
        let ours = self.tree.csn(&change.uuid);
        match before {
            Some(before) if ours.as_ref() != Some(before) => Err(Obstacle::Gap(format!(
                "the change of `{}` at {} follows one at {}, which is missing",
                change.dn, change.csn.time, before.time
            ))),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csn(second: &str) -> Csn {
        Csn::parse(&format!("2026112212{second}.000000Z#000000#000#000000")).unwrap()
    }

    fn change(second: &str, uuid: &str, what: What) -> Change {
        Change {
            csn: csn(second),
            uuid: uuid.to_owned(),
            dn: format!("uid={uuid},dc=x"),
            what,
        }
    }

    fn snapshot(second: &str) -> (Tree, Csn) {
        let mut top = Entry::new("dc=x");
        top.add("entryUUID", b"top".to_vec());
        top.add("entryCSN", csn(second).to_string().into_bytes());
        (Tree::of(vec![top]).unwrap(), csn(second))
    }

    fn replayed(changes: &[Change]) -> Result<usize, Obstacle> {
        let (tree, start) = snapshot("3000");
        let target = csn("4000").time;
        replay(tree, &start, changes, target).map(|replayed| replayed.tree.len())
    }

    #[test]
    fn what_was_there_long_before_a_snapshot_is_in_it_or_was_deleted() {
        let add = || change("2000", "a", What::Add(Vec::new()));
        let modify = || {
            let (mods, before) = (Vec::new(), None);
            change("2000", "a", What::Modify { mods, before })
        };
        let delete = |second: &str| change(second, "a", What::Delete { before: None });
        for (old, told) in [(add as fn() -> Change, "was added"), (modify, "is changed")] {
            let lost = replayed(&[old()]).unwrap_err();
            let told = format!("`uid=a,dc=x` {told}");
            assert!(matches!(lost, Obstacle::Gap(why) if why.contains(&told)));
            assert_eq!(replayed(&[old(), delete("2500")]), Ok(1));
            let late = replayed(&[old(), delete("4500")]).unwrap_err();
            assert!(matches!(late, Obstacle::MadeLater(_)));
        }
    }
}
