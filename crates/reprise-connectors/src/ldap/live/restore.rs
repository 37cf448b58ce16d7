//! Brings a site's slice back, entry by entry, each only where live does not
//! have it as it was at T. So it can be cut off anywhere and repeated: what
//! was done is found done.

use std::collections::BTreeSet;

use reprise_model::dn::{DnKey, parent};
use reprise_model::{Fault, FaultKind, Outcome, Volume};
use reprise_ports::{Context, Progress};
use serde_json::json;

use super::compare::{Lacking, Merge, Present};
use super::connection::{
    ALREADY_EXISTS, Answer, CLASS_VIOLATION, NO_SUCH_OBJECT, NO_SUCH_VALUE, Session, VALUE_EXISTS,
};
use super::derived::Derived;
use super::moved::{self, Moved};
use crate::ldap::entry::{Entry, Values};
use crate::ldap::names::{Names, Shared};
use crate::ldap::options::OnConflict;
use crate::ldap::slice::Slice;

const PASSWORD: &str = "userpassword";
const CLASS: &str = "objectclass";
const STRUCTURAL: &str = "structuralobjectclass";

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
    /// Memberships that members were told of once more.
    derived: u64,
    /// Whether entries keep their `entryUUID` and times; unknown before one
    /// was added.
    relaxed: Option<bool>,
}

struct Restore<'a> {
    session: &'a mut Session,
    names: &'a Names,
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
    let missing = present.missing(slice);
    let mut moved = astray(session, names, &missing, &extra).await?;
    moved.extend(present.astray.iter().cloned());
    if let Some(refusal) = moved::refusal(&moved) {
        return Err(refusal);
    }
    let mut restore = Restore {
        session,
        names,
        slice,
        present: &present,
        context,
        done: Done {
            present: (slice.entries.len() - missing.len()) as u64,
            ..Done::default()
        },
    };
    // The server derives what members know of groups from changes of groups,
    // while the members are there: groups come last.
    let (groups, people) = groups_apart(missing, names);
    let is_group = |(entry, _): &(&Entry, Vec<String>)| entry.has_any(&names.member);
    let (groups_set, people_set): (Vec<_>, Vec<_>) = differing.into_iter().partition(is_group);
    restore.clear(&extra).await?;
    restore.set(&people_set).await?;
    restore.fill(&people).await?;
    restore.merge().await?;
    restore.set(&groups_set).await?;
    restore.fill(&groups).await?;
    restore.join().await?;
    restore.derive().await?;
    Ok(restore.done.outcome())
}

/// Own entries that are to be added and have another name in live, but for
/// those that are taken away first.
async fn astray(
    session: &mut Session,
    names: &Names,
    missing: &[&Entry],
    extra: &[&Entry],
) -> Result<Vec<Moved>, Fault> {
    let live = moved::find(session, names, missing).await?;
    let goes = |there: &Entry| extra.iter().any(|entry| entry.dn == there.dn);
    let moved = missing.iter().filter_map(|entry| {
        let there = live.get(&entry.key()).filter(|there| !goes(there))?;
        Some(Moved::new(entry, there))
    });
    Ok(moved.collect())
}

/// Entries with members, and what stands below them, from the others; parents
/// first in both.
fn groups_apart<'a>(entries: Vec<&'a Entry>, names: &Names) -> (Vec<&'a Entry>, Vec<&'a Entry>) {
    let mut groups: BTreeSet<DnKey> = BTreeSet::new();
    entries.into_iter().partition(|entry| {
        let below = groups.contains(&DnKey::of(&parent(&entry.dn)));
        let is_group = below || entry.has_any(&names.member);
        if is_group {
            groups.insert(entry.key());
        }
        is_group
    })
}

impl Restore<'_> {
    /// Takes away what was not there at T.
    async fn clear(&mut self, extra: &[&Entry]) -> Result<(), Fault> {
        for entry in extra {
            self.go_on("deleting entries of later")?;
            let answer = self.session.delete(&entry.dn).await?;
            answer.expect(&format!("delete `{}`", entry.dn), &[NO_SUCH_OBJECT])?;
            self.done.deleted += 1;
        }
        Ok(())
    }

    /// Sets what differs.
    async fn set(&mut self, differing: &[(&Entry, Vec<String>)]) -> Result<(), Fault> {
        for (entry, names) in differing {
            self.go_on("setting entries")?;
            self.set_to(entry, names).await?;
            // A policy can have it that a password which another one sets is
            // to be changed at once.
            if names.iter().any(|name| name == PASSWORD)
                && let Some(there) = self.session.entry(&entry.dn).await?
            {
                self.set_to(entry, &entry.differs_from(&there)).await?;
            }
            self.done.replaced += 1;
        }
        Ok(())
    }

    async fn set_to(&mut self, entry: &Entry, names: &[String]) -> Result<(), Fault> {
        if names.is_empty() {
            return Ok(());
        }
        let values = names.iter().map(|name| {
            let values = entry.attributes.get(name).cloned();
            (name.clone(), values.unwrap_or_default())
        });
        let answer = self.session.set_values(&entry.dn, values).await?;
        answer.expect(&format!("set `{}`", entry.dn), &[])
    }

    /// Adds what is missing, parents first.
    async fn fill(&mut self, missing: &[&Entry]) -> Result<(), Fault> {
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
    async fn merge(&mut self) -> Result<(), Fault> {
        let Some(rule) = &self.names.shared else {
            return Ok(());
        };
        for merge in self.present.merges(self.slice, self.names) {
            self.go_on("merging shared entries")?;
            match merge {
                Merge::Absent(entry) => self.add(&own(entry, rule)).await?,
                Merge::Lacks { then, now, lacks } => {
                    let mut answer = self.session.add_values(&now.dn, lacks.clone()).await?;
                    let classes = classes(then, now);
                    if answer.code == CLASS_VIOLATION && !classes.is_empty() {
                        let lacks = lacks.into_iter().chain([(CLASS.to_owned(), classes)]);
                        answer = self.session.add_values(&now.dn, lacks).await?;
                    }
                    settled(&answer, &now.dn, &format!("merge `{}`", now.dn))?;
                }
            }
            self.done.merged += 1;
        }
        Ok(())
    }

    /// Adds the site's members to groups outside of its subtree.
    async fn join(&mut self) -> Result<(), Fault> {
        for Lacking { then, now, members } in self.present.lacking(&self.slice.memberships) {
            self.go_on("joining groups")?;
            self.done.memberships += members.values().map(|v| v.len() as u64).sum::<u64>();
            if let Some(now) = now {
                let answer = self.session.add_values(&now.dn, members).await?;
                settled(&answer, &now.dn, &format!("add members to `{}`", now.dn))?;
            } else {
                let mut group = then.clone();
                group.attributes.extend(members);
                self.add(&group).await?;
                self.done.groups_made += 1;
            }
        }
        Ok(())
    }

    /// Has the server tell members of the groups that name them, where they do
    /// not know: groups can name who was gone, or one another.
    async fn derive(&mut self) -> Result<(), Fault> {
        let expected = Derived::of(self.present, self.slice, self.names).expected;
        if expected == 0 {
            return Ok(());
        }
        let present = Present::read(self.session, self.names, self.slice).await?;
        let derived = Derived::of(&present, self.slice, self.names);
        for ((group, attribute), values) in derived.by_group() {
            self.go_on("telling members of their groups")?;
            self.done.derived += values.len() as u64;
            let renewed = self
                .session
                .renew_values(&group, &attribute, values)
                .await?;
            settled(&renewed, &group, &format!("renew members of `{group}`"))?;
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

/// Success, or a sign that somebody changed the entry since it was read: the
/// repeat compares again and does what is left.
fn settled(answer: &Answer, dn: &str, doing: &str) -> Result<(), Fault> {
    answer.expect(doing, &[VALUE_EXISTS, NO_SUCH_VALUE])?;
    match answer.code {
        VALUE_EXISTS | NO_SUCH_VALUE => Err(Fault::temporary(format!(
            "cannot {doing}: `{dn}` was changed while it was restored"
        ))),
        _ => Ok(()),
    }
}

/// Classes that live lacks. Where the structural one is the same they are
/// auxiliary, and allow attributes to come back.
fn classes(then: &Entry, now: &Entry) -> Values {
    if then.text(STRUCTURAL) != now.text(STRUCTURAL) {
        return Values::new();
    }
    let classes = then.values(CLASS);
    let absent = classes.filter(|class| !now.has(CLASS, &String::from_utf8_lossy(class)));
    absent.cloned().collect()
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
            "memberof_renewed": self.derived,
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
