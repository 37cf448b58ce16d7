//! The slice of T held against what is in live.

use std::collections::{BTreeMap, BTreeSet};

use reprise_model::Fault;
use reprise_model::dn::DnKey;

use super::connection::Session;
use super::derived::Derived;
use super::moved::{self, Moved};
use crate::ldap::entry::{Entry, Values};
use crate::ldap::names::{MEMBER_UID, Names};
use crate::ldap::slice::{Membership, Slice};

/// Attributes that a merge does not give back: who lacks one lost it to
/// somebody who may take it away.
const CREDENTIALS: [&str; 7] = [
    "userpassword",
    "authpassword",
    "sambantpassword",
    "sambalmpassword",
    "krbprincipalkey",
    "sshpublickey",
    "userpkcs12",
];

/// What live has of the slice, by the name at T. Groups and shared entries
/// that were moved since are found where they are.
pub struct Present {
    pub own: BTreeMap<DnKey, Entry>,
    pub groups: BTreeMap<DnKey, Entry>,
    pub shared: BTreeMap<DnKey, Entry>,
    /// Groups and shared entries that stand where they are not the store's.
    pub astray: Vec<Moved>,
}

/// How a shared entry of the site differs from what live has of it.
pub enum Merge<'a> {
    Absent(&'a Entry),
    /// Attributes that live lacks, and the value that makes it the site's.
    Lacks {
        then: &'a Entry,
        now: &'a Entry,
        lacks: BTreeMap<String, Values>,
    },
}

/// A group and the members it lacks, by attribute; one that is gone lacks all.
pub struct Lacking<'a> {
    pub then: &'a Entry,
    pub now: Option<&'a Entry>,
    pub members: BTreeMap<String, Values>,
}

impl Present {
    /// Reads the site's base, its groups and its shared entries; nothing else.
    pub async fn read(session: &mut Session, names: &Names, slice: &Slice) -> Result<Self, Fault> {
        let own = session.subtree(&names.base).await?;
        let mut present = Self {
            own: own.into_iter().map(|entry| (entry.key(), entry)).collect(),
            groups: BTreeMap::new(),
            shared: BTreeMap::new(),
            astray: Vec::new(),
        };
        let groups = slice.groups();
        let shared: Vec<&Entry> = slice.shared.iter().collect();
        present.groups = present
            .at(session, names, &groups, names.groups.as_deref())
            .await?;
        // One that is only looked at may stand anywhere.
        let joins = |dn: &str| slice.memberships.iter().any(|one| one.group.dn == dn);
        present.astray.retain(|moved| joins(&moved.then));
        let below = names.shared.as_ref().map(|rule| rule.base.as_str());
        present.shared = present.at(session, names, &shared, below).await?;
        Ok(present)
    }

    /// What live has of these entries, below the place where all such stand.
    async fn at(
        &mut self,
        session: &mut Session,
        names: &Names,
        entries: &[&Entry],
        below: Option<&str>,
    ) -> Result<BTreeMap<DnKey, Entry>, Fault> {
        let below = below.map(DnKey::of).unwrap_or_default();
        let mut found = BTreeMap::new();
        let mut absent = Vec::new();
        for entry in entries {
            match session.entry(&entry.dn).await? {
                Some(there) => drop(found.insert(entry.key(), there)),
                None => absent.push(*entry),
            }
        }
        let mut moved = moved::find(session, names, &absent).await?;
        for entry in absent {
            let Some(there) = moved.remove(&entry.key()) else {
                continue;
            };
            let key = there.key();
            if key.is_in(&below) && !key.is_in(&names.base_key) {
                found.insert(entry.key(), there);
            } else {
                self.astray.push(Moved::new(entry, &there));
            }
        }
        Ok(found)
    }

    /// What live has of an entry of the slice.
    pub fn of(&self, entry: &Entry) -> Option<&Entry> {
        let key = entry.key();
        let own = self.own.get(&key).or_else(|| self.groups.get(&key));
        own.or_else(|| self.shared.get(&key))
    }

    /// Whether nothing is left to restore.
    pub fn is_whole(&self, slice: &Slice, names: &Names) -> bool {
        self.missing(slice).is_empty()
            && self.extra(slice).is_empty()
            && self.differing(slice).is_empty()
            && self.lacking(&slice.memberships).is_empty()
            && self.merges(slice, names).is_empty()
            && Derived::of(self, slice, names).missing.is_empty()
    }

    pub fn missing<'a>(&self, slice: &'a Slice) -> Vec<&'a Entry> {
        let absent = |entry: &&Entry| !self.own.contains_key(&entry.key());
        slice.entries.iter().filter(absent).collect()
    }

    /// Entries that are there with other data, and what of it differs.
    pub fn differing<'a>(&self, slice: &'a Slice) -> Vec<(&'a Entry, Vec<String>)> {
        let differs = |entry: &'a Entry| {
            let there = self.own.get(&entry.key())?;
            let names = entry.differs_from(there);
            (!names.is_empty()).then_some((entry, names))
        };
        slice.entries.iter().filter_map(differs).collect()
    }

    /// Entries that were not there at T, children first.
    pub fn extra(&self, slice: &Slice) -> Vec<&Entry> {
        let then: BTreeSet<DnKey> = slice.entries.iter().map(Entry::key).collect();
        let own = self.own.iter();
        let mut extra: Vec<(&DnKey, &Entry)> = own.filter(|(key, _)| !then.contains(key)).collect();
        extra.sort_by_key(|(key, _)| std::cmp::Reverse(key.depth()));
        extra.into_iter().map(|(_, entry)| entry).collect()
    }

    pub fn lacking<'a>(&'a self, memberships: &'a [Membership]) -> Vec<Lacking<'a>> {
        let mut all = Vec::new();
        for membership in memberships {
            let now = self.of(&membership.group);
            let mut members = BTreeMap::new();
            for (attribute, values) in &membership.members {
                let there = Members::of(now, attribute);
                let values = values.iter().map(|value| self.named_now(attribute, value));
                let absent: Values = values.filter(|value| !there.has(value)).collect();
                if !absent.is_empty() {
                    members.insert(attribute.clone(), absent);
                }
            }
            if !members.is_empty() {
                all.push(Lacking {
                    then: &membership.group,
                    now,
                    members,
                });
            }
        }
        all
    }

    /// A member by the name it has in live.
    fn named_now(&self, attribute: &str, value: &[u8]) -> Vec<u8> {
        let key = DnKey::of_value(value);
        let shared = self.shared.get(&key).filter(|_| attribute != MEMBER_UID);
        match shared.filter(|now| now.key() != key) {
            Some(now) => now.dn.clone().into_bytes(),
            None => value.to_vec(),
        }
    }

    pub fn merges<'a>(&'a self, slice: &'a Slice, names: &Names) -> Vec<Merge<'a>> {
        let Some(rule) = &names.shared else {
            return Vec::new();
        };
        let mut merges = Vec::new();
        for then in &slice.shared {
            let Some(now) = self.shared.get(&then.key()) else {
                merges.push(Merge::Absent(then));
                continue;
            };
            let mut lacks = BTreeMap::new();
            if !now.has(&rule.attribute, &rule.value) {
                let own = rule.value.clone().into_bytes();
                lacks.insert(rule.attribute.clone(), Values::from([own]));
            }
            for (name, values) in then.data().filter(|(name, _)| !is_held_back(name)) {
                if *name != rule.attribute && !now.attributes.contains_key(name) {
                    lacks.insert(name.clone(), values.clone());
                }
            }
            if !lacks.is_empty() {
                merges.push(Merge::Lacks { then, now, lacks });
            }
        }
        merges
    }
}

/// A lock or a policy that is gone was lifted as a password was taken.
fn is_held_back(name: &str) -> bool {
    CREDENTIALS.contains(&name) || name.starts_with("pwd")
}

/// Whom a group names, in whatever way they are written.
struct Members<'a> {
    values: BTreeSet<&'a [u8]>,
    keys: BTreeSet<DnKey>,
}

impl<'a> Members<'a> {
    fn of(group: Option<&'a Entry>, attribute: &str) -> Self {
        let values = group.into_iter().flat_map(|group| group.values(attribute));
        let values: BTreeSet<&[u8]> = values.map(Vec::as_slice).collect();
        let names = values.iter().filter(|_| attribute != MEMBER_UID);
        Self {
            keys: names.map(|value| DnKey::of_value(value)).collect(),
            values,
        }
    }

    fn has(&self, value: &[u8]) -> bool {
        self.values.contains(value)
            || (!self.keys.is_empty() && self.keys.contains(&DnKey::of_value(value)))
    }
}
