//! Brings a site's slice back, entry by entry, each only where live does not
//! have it as it was at T. So it can be cut off anywhere and repeated: what
//! was done is found done.

use reprise_model::{Fault, FaultKind, Outcome, Volume};
use reprise_ports::{Context, Progress};
use serde_json::{Map, Value, json};

use super::compare::{Merge, Present};
use super::connection::{ALREADY_EXISTS, Answer, NO_SUCH_OBJECT, Session};
use crate::ldap::entry::{Entry, Values};
use crate::ldap::names::{Names, Shared};
use crate::ldap::slice::Slice;

/// What to do about live entries that are not as they were at T.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnConflict {
    /// Stop, and say how many there are.
    Refuse,
    /// The slice of T wins.
    Replace,
}

impl OnConflict {
    pub fn read(with: &Map<String, Value>) -> Result<Self, Fault> {
        let mut on_conflict = Self::Refuse;
        for (key, value) in with {
            on_conflict = match (key.as_str(), value.as_str()) {
                ("on_conflict", Some("refuse")) => Self::Refuse,
                ("on_conflict", Some("replace")) => Self::Replace,
                _ => {
                    let message = format!("`with: {key}: {value}` is no option of this step");
                    return Err(
                        Fault::permanent(message).hint("it knows `on_conflict`: refuse or replace")
                    );
                }
            };
        }
        Ok(on_conflict)
    }
}

/// What a restore did; a repeat does less.
#[derive(Default)]
struct Done {
    added: u64,
    replaced: u64,
    deleted: u64,
    present: u64,
    memberships: u64,
    groups_made: u64,
    merged: u64,
    /// Whether entries keep their `entryUUID` and times; unknown before one
    /// was added.
    relaxed: Option<bool>,
}

struct Restore<'a> {
    session: &'a mut Session,
    slice: &'a Slice,
    present: &'a Present,
    context: &'a dyn Context,
    done: Done,
}

pub async fn restore(
    session: &mut Session,
    names: &Names,
    slice: &Slice,
    on_conflict: OnConflict,
    context: &dyn Context,
) -> Result<Outcome, Fault> {
    if slice.entries.is_empty() {
        let message = format!("there was nothing at `{}` at the target time", names.base);
        return Err(Fault::refused(message));
    }
    let present = Present::read(session, names, slice).await?;
    let (extra, differing) = (present.extra(slice), present.differing(slice));
    let in_the_way = extra.len() + differing.len();
    if on_conflict == OnConflict::Refuse && in_the_way > 0 {
        let first = extra.first().map(|entry| &entry.dn);
        let first = first.or(differing.first().map(|(entry, _)| &entry.dn));
        return Err(Fault::refused(format!(
            "{in_the_way} live entries of the site are in the way ({} were not there at the target time, {} differ): `{}` is one",
            extra.len(),
            differing.len(),
            first.expect("there is one"),
        ))
        .hint("`with: { on_conflict: replace }` brings them to their state at the target time"));
    }
    let mut restore = Restore {
        session,
        slice,
        present: &present,
        context,
        done: Done::default(),
    };
    restore.clear(&extra, &differing).await?;
    restore.fill().await?;
    restore.merge(names).await?;
    restore.join().await?;
    Ok(restore.done.outcome())
}

impl Restore<'_> {
    /// Takes away what was not there at T and sets what differs.
    async fn clear(
        &mut self,
        extra: &[&Entry],
        differing: &[(&Entry, Vec<String>)],
    ) -> Result<(), Fault> {
        for entry in extra {
            self.go_on("deleting entries of later")?;
            let answer = self.session.delete(&entry.dn).await?;
            answer.expect(&format!("delete `{}`", entry.dn), &[NO_SUCH_OBJECT])?;
            self.done.deleted += 1;
        }
        for (entry, names) in differing {
            self.go_on("setting entries")?;
            let values = names.iter().map(|name| {
                let values = entry.attributes.get(name).cloned();
                (name.clone(), values.unwrap_or_default())
            });
            let answer = self.session.set_values(&entry.dn, values).await?;
            answer.expect(&format!("set `{}`", entry.dn), &[])?;
            self.done.replaced += 1;
        }
        Ok(())
    }

    /// Adds what is missing, parents first.
    async fn fill(&mut self) -> Result<(), Fault> {
        let missing = self.present.missing(self.slice);
        self.done.present = (self.slice.entries.len() - missing.len()) as u64;
        for entry in missing {
            self.go_on("adding entries")?;
            self.add(entry).await?;
            self.done.added += 1;
        }
        Ok(())
    }

    /// Adds an entry with the server's own attributes where the rights allow.
    async fn add(&mut self, entry: &Entry) -> Result<(), Fault> {
        let doing = format!("add `{}`", entry.dn);
        if self.done.relaxed != Some(false) {
            let answer = self.session.add(entry, true).await?;
            if !answer.refuses_relax() {
                self.added(entry, &answer, &doing).await?;
                self.done.relaxed = Some(true);
                return Ok(());
            }
        }
        let answer = self.session.add(entry, false).await?;
        self.added(entry, &answer, &doing).await?;
        self.done.relaxed = Some(false);
        Ok(())
    }

    /// Somebody else, or an attempt whose answer was lost, can have been first.
    async fn added(&mut self, entry: &Entry, answer: &Answer, doing: &str) -> Result<(), Fault> {
        answer.expect(doing, &[ALREADY_EXISTS])?;
        if answer.code != ALREADY_EXISTS {
            return Ok(());
        }
        let there = self.session.entry(&entry.dn).await?;
        match there.is_some_and(|there| entry.differs_from(&there).is_empty()) {
            true => Ok(()),
            // Another site can have brought what both share: the repeat merges
            // it, and refuses what is really in the way.
            false => Err(Fault::temporary(format!(
                "`{}` came into being with other data while it was restored",
                entry.dn
            ))),
        }
    }

    /// Entries of several sites: what they have stays.
    async fn merge(&mut self, names: &Names) -> Result<(), Fault> {
        let Some(rule) = &names.shared else {
            return Ok(());
        };
        for merge in self.present.merges(self.slice, names) {
            self.go_on("merging shared entries")?;
            match merge {
                Merge::Absent(entry) => self.add(&own(entry, rule)).await?,
                Merge::Lacks(entry, lacks) => {
                    let answer = self.session.add_values(&entry.dn, lacks).await?;
                    answer.expect(&format!("merge `{}`", entry.dn), &[])?;
                }
            }
            self.done.merged += 1;
        }
        Ok(())
    }

    /// Adds the site's members to groups outside of its subtree.
    async fn join(&mut self) -> Result<(), Fault> {
        for (group, is_there, lacking) in self.present.lacking(self.slice) {
            self.go_on("joining groups")?;
            self.done.memberships += lacking.values().map(|v| v.len() as u64).sum::<u64>();
            if is_there {
                let answer = self.session.add_values(&group.dn, lacking).await?;
                answer.expect(&format!("add members to `{}`", group.dn), &[])?;
            } else {
                self.add(group).await?;
                self.done.groups_made += 1;
            }
        }
        Ok(())
    }

    fn go_on(&self, phase: &str) -> Result<(), Fault> {
        let done = self.done.added + self.done.replaced + self.done.present;
        self.context.progress(Progress {
            volume: Volume {
                rows: done,
                bytes: 0,
            },
            fraction: Some(done as f64 / self.slice.entries.len().max(1) as f64),
            phase: Some(phase.to_owned()),
        });
        match self.context.cancelled().is_cancelled() {
            true => Err(Fault::new(FaultKind::Cancelled, "cancelled")),
            false => Ok(()),
        }
    }
}

/// A shared entry that live has lost, with this site's claim to it alone.
fn own(entry: &Entry, rule: &Shared) -> Entry {
    let mut own = entry.clone();
    let claim = Values::from([rule.value.clone().into_bytes()]);
    own.attributes.insert(rule.attribute.clone(), claim);
    own
}

impl Done {
    fn outcome(self) -> Outcome {
        let origin = match self.relaxed {
            Some(true) => "kept",
            Some(false) => "new: the rights do not allow to keep them",
            None => "nothing was added",
        };
        let output = json!({
            "added": self.added,
            "replaced": self.replaced,
            "deleted": self.deleted,
            "as_it_was": self.present,
            "memberships": self.memberships,
            "groups_made": self.groups_made,
            "shared_merged": self.merged,
            "entry_uuids_and_times": origin,
        });
        let rows = self.added + self.replaced + self.present;
        Outcome {
            output: output.as_object().cloned().unwrap_or_default(),
            volume: Volume { rows, bytes: 0 },
            ..Outcome::default()
        }
    }
}
