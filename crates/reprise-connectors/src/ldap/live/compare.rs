//! The slice of T held against what is in live.

use std::collections::{BTreeMap, BTreeSet};

use reprise_model::Fault;
use reprise_model::dn::DnKey;

use super::connection::Session;
use crate::ldap::entry::{Entry, Values};
use crate::ldap::names::Names;
use crate::ldap::slice::Slice;

/// What live has where the slice belongs, by name.
pub struct Present {
    pub own: BTreeMap<DnKey, Entry>,
    pub groups: BTreeMap<DnKey, Entry>,
    pub shared: BTreeMap<DnKey, Entry>,
}

/// How a shared entry of the site differs from what live has of it.
pub enum Merge<'a> {
    Absent(&'a Entry),
    /// Attributes that live lacks, and the value that makes it the site's.
    Lacks(&'a Entry, BTreeMap<String, Values>),
}

impl Present {
    /// Reads the site's base, its groups and its shared entries; nothing else.
    pub async fn read(session: &mut Session, names: &Names, slice: &Slice) -> Result<Self, Fault> {
        let own = session.subtree(&names.base).await?;
        let mut present = Self {
            own: own.into_iter().map(|entry| (entry.key(), entry)).collect(),
            groups: BTreeMap::new(),
            shared: BTreeMap::new(),
        };
        for membership in &slice.memberships {
            if let Some(group) = session.entry(&membership.group.dn).await? {
                present.groups.insert(membership.group.key(), group);
            }
        }
        for entry in &slice.shared {
            if let Some(there) = session.entry(&entry.dn).await? {
                present.shared.insert(entry.key(), there);
            }
        }
        Ok(present)
    }

    /// Whether nothing is left to restore.
    pub fn is_whole(&self, slice: &Slice, names: &Names) -> bool {
        self.missing(slice).is_empty()
            && self.extra(slice).is_empty()
            && self.differing(slice).is_empty()
            && self.lacking(slice).is_empty()
            && self.merges(slice, names).is_empty()
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

    /// Groups with the members they lack, by attribute; absent groups lack all.
    pub fn lacking<'a>(
        &self,
        slice: &'a Slice,
    ) -> Vec<(&'a Entry, bool, BTreeMap<String, Values>)> {
        let mut all = Vec::new();
        for membership in &slice.memberships {
            let there = self.groups.get(&membership.group.key());
            let mut lacking = BTreeMap::new();
            for (attribute, values) in &membership.members {
                let absent = |value: &&Vec<u8>| !there.is_some_and(|g| names(g, attribute, value));
                let absent: Values = values.iter().filter(absent).cloned().collect();
                if !absent.is_empty() {
                    lacking.insert(attribute.clone(), absent);
                }
            }
            if !lacking.is_empty() {
                all.push((&membership.group, there.is_some(), lacking));
            }
        }
        all
    }

    pub fn merges<'a>(&self, slice: &'a Slice, names: &Names) -> Vec<Merge<'a>> {
        let Some(rule) = &names.shared else {
            return Vec::new();
        };
        let mut merges = Vec::new();
        for entry in &slice.shared {
            let Some(there) = self.shared.get(&entry.key()) else {
                merges.push(Merge::Absent(entry));
                continue;
            };
            let mut lacks = BTreeMap::new();
            if !there.has(&rule.attribute, &rule.value) {
                let own = rule.value.clone().into_bytes();
                lacks.insert(rule.attribute.clone(), Values::from([own]));
            }
            // A password that is gone was taken away by somebody who may.
            for (name, values) in entry.data().filter(|(name, _)| *name != "userpassword") {
                if *name != rule.attribute && !there.attributes.contains_key(name) {
                    lacks.insert(name.clone(), values.clone());
                }
            }
            if !lacks.is_empty() {
                merges.push(Merge::Lacks(entry, lacks));
            }
        }
        merges
    }
}

/// Whether a group names this member, in whatever way it is written.
fn names(group: &Entry, attribute: &str, value: &[u8]) -> bool {
    let key = |value: &[u8]| DnKey::of(&String::from_utf8_lossy(value));
    group
        .values(attribute)
        .any(|own| own == value || (attribute != "memberuid" && key(own) == key(value)))
}
