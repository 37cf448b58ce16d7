//! A site's slice of the directory at T.

use std::collections::{BTreeMap, BTreeSet};

use reprise_model::dn::DnKey;

use super::entry::{Entry, FORMERLY, Values};
use super::names::{MEMBER_UID, Names, Shared};
use super::tree::Tree;

pub struct Slice {
    /// Of the site alone, parents first.
    pub entries: Vec<Entry>,
    pub memberships: Vec<Membership>,
    pub shared: Vec<Entry>,
    /// Memberships of shared entries that other sites, which go on living,
    /// have too: whether a site or an accident ended them is not known.
    pub undecided: Vec<Membership>,
    /// Memberships by a name that an entry had before: whether the group
    /// followed is not known either.
    pub renamed: Vec<Membership>,
}

/// What a group outside of the subtree holds of the site.
pub struct Membership {
    /// The group with the site's members alone, to be made where it is gone.
    pub group: Entry,
    /// By attribute.
    pub members: BTreeMap<String, Values>,
}

impl Slice {
    pub fn of(tree: &Tree, names: &Names) -> Self {
        Self::among(tree.entries(), names)
    }

    /// Of the entries that were read, parents first.
    pub fn among(all: Vec<&Entry>, names: &Names) -> Self {
        let own = |entry: &&&Entry| entry.key().is_in(&names.base_key);
        let entries: Vec<Entry> = all.iter().filter(own).map(|e| (*e).clone()).collect();
        let shared = match &names.shared {
            Some(rule) => shared(&all, rule, names),
            None => Vec::new(),
        };
        let is_ours = |entry: &&Entry| {
            let rule = names.shared.as_ref();
            rule.is_some_and(|rule| rule.is_of_batch(entry))
        };
        let (ours, others): (Vec<&Entry>, Vec<&Entry>) = shared.iter().partition(is_ours);
        let ours: Vec<&Entry> = entries.iter().chain(ours).collect();
        let groups = names.groups.as_deref().map(DnKey::of);
        let groups: Vec<&Entry> = all
            .iter()
            .filter(|entry| groups.as_ref().is_some_and(|top| entry.key().is_in(top)))
            .filter(|entry| !entry.key().is_in(&names.base_key))
            .copied()
            .collect();
        let everyone = ours.iter().chain(&others).copied().collect();
        let everyone = People::of(&all, everyone);
        let (own, others) = (People::of(&all, ours.clone()), People::of(&all, others));
        let (mut memberships, mut undecided) = (Vec::new(), Vec::new());
        for group in &groups {
            let ours = membership(group, &own, names);
            // A group of the site's people alone is the site's.
            if ours.is_some() && everyone.are_all_of(group, names) {
                memberships.extend(membership(group, &everyone, names));
            } else {
                memberships.extend(ours);
                undecided.extend(membership(group, &others, names));
            }
        }
        Self {
            renamed: by_former_names(&all, &groups, &ours, names),
            memberships,
            undecided,
            entries,
            shared,
        }
    }

    /// What somebody has decided to bring back. The site's own groups are as
    /// they were, entry by entry.
    pub fn take_undecided(&mut self, names: &Names) {
        let is_own = |one: &mut Membership| one.group.key().is_in(&names.base_key);
        let renamed = self.renamed.extract_if(.., |one| !is_own(one));
        let undecided = self.undecided.drain(..).chain(renamed);
        let mut by_group: BTreeMap<DnKey, Membership> = BTreeMap::new();
        for one in self.memberships.drain(..).chain(undecided) {
            let key = one.group.key();
            let Some(known) = by_group.get_mut(&key) else {
                by_group.insert(key, one);
                continue;
            };
            for (attribute, values) in one.members {
                known.members.entry(attribute).or_default().extend(values);
            }
        }
        self.memberships = by_group.into_values().collect();
    }

    /// All groups of its memberships, each once.
    pub fn groups(&self) -> Vec<&Entry> {
        let all = self.memberships.iter().chain(&self.undecided);
        let all = all.chain(&self.renamed);
        let all: BTreeMap<DnKey, &Entry> = all.map(|one| (one.group.key(), &one.group)).collect();
        all.into_values().collect()
    }

    /// The values of `uid` of the site's entries.
    pub fn uids(&self) -> BTreeSet<String> {
        let people = self.entries.iter().chain(&self.shared);
        people.flat_map(uids).collect()
    }
}

/// Shared entries with the site's own value of the attribute that says whose
/// they are; those of other sites are theirs to bring.
fn shared(all: &[&Entry], rule: &Shared, names: &Names) -> Vec<Entry> {
    let top = DnKey::of(&rule.base);
    let ours = all.iter().filter(|entry| {
        let key = entry.key();
        key.is_in(&top) && !key.is_in(&names.base_key) && entry.has(&rule.attribute, &rule.value)
    });
    ours.map(|entry| (*entry).clone()).collect()
}

/// Whose memberships are the site's.
struct People {
    keys: BTreeSet<DnKey>,
    /// Values of `uid` that nobody else has: `memberUid` holds nothing more.
    uids: BTreeSet<String>,
}

impl People {
    fn of(all: &[&Entry], ours: Vec<&Entry>) -> Self {
        let keys: BTreeSet<DnKey> = ours.iter().map(|entry| entry.key()).collect();
        let mut alone: BTreeSet<String> = ours.iter().flat_map(|entry| uids(entry)).collect();
        for entry in all.iter().filter(|entry| !keys.contains(&entry.key())) {
            for uid in uids(entry) {
                alone.remove(&uid);
            }
        }
        Self { keys, uids: alone }
    }

    fn are_all_of(&self, group: &Entry, names: &Names) -> bool {
        names.member.iter().all(|attribute| {
            let mut values = group.values(attribute);
            values.all(|value| self.has(attribute, value))
        })
    }

    fn has(&self, attribute: &str, value: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(value) else {
            return false;
        };
        match attribute {
            MEMBER_UID => self.uids.contains(text),
            _ => self.keys.contains(&DnKey::of(text)),
        }
    }
}

/// `overlay refint` brings the members of groups along when an entry is
/// renamed, and leaves no trace in the change log. Whether it was there is not
/// known: a name that nobody has any more can stand for the new one.
fn by_former_names(
    all: &[&Entry],
    groups: &[&Entry],
    people: &[&Entry],
    names: &Names,
) -> Vec<Membership> {
    let mut former: BTreeMap<DnKey, &Entry> = BTreeMap::new();
    for entry in people {
        former.extend(
            entry
                .values(FORMERLY)
                .map(|dn| (DnKey::of_value(dn), *entry)),
        );
    }
    if former.is_empty() {
        return Vec::new();
    }
    for entry in all {
        former.remove(&entry.key());
    }
    let own = people.iter().filter(|entry| entry.has_any(&names.member));
    let mut found = Vec::new();
    for group in groups.iter().chain(own) {
        let mut members = BTreeMap::new();
        let mut alone = (*group).clone();
        alone
            .attributes
            .retain(|name, _| !names.member.contains(name));
        for attribute in names.member.iter().filter(|name| *name != MEMBER_UID) {
            let values = group.values(attribute);
            let values: Values = values
                .filter_map(|value| former.get(&DnKey::of_value(value)))
                .map(|entry| entry.dn.clone().into_bytes())
                .collect();
            if !values.is_empty() {
                members.insert(attribute.clone(), values);
            }
        }
        if !members.is_empty() {
            let group = alone;
            found.push(Membership { group, members });
        }
    }
    found
}

fn uids(entry: &Entry) -> Vec<String> {
    let values = entry.values("uid");
    values
        .filter_map(|value| String::from_utf8(value.clone()).ok())
        .collect()
}

fn membership(group: &Entry, people: &People, names: &Names) -> Option<Membership> {
    let mut members = BTreeMap::new();
    let mut alone = group.clone();
    for attribute in &names.member {
        let Some(values) = group.attributes.get(attribute) else {
            continue;
        };
        let ours = values.iter().filter(|value| people.has(attribute, value));
        let ours: Values = ours.cloned().collect();
        alone.attributes.remove(attribute);
        if !ours.is_empty() {
            alone.attributes.insert(attribute.clone(), ours.clone());
            members.insert(attribute.clone(), ours);
        }
    }
    (!members.is_empty()).then_some(Membership {
        group: alone,
        members,
    })
}
