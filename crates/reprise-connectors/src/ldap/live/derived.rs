//! What the server derives from groups: `memberOf`, by its overlay. It follows
//! a change of a group while the member is there. Where a group came first, or
//! still named who was gone, the member does not know of it.
//!
//! The change log knows nothing of it either. So of `memberOf` at T only the
//! kinds of group count for which it is kept; who is in a group says the group.

use std::collections::{BTreeMap, BTreeSet};

use reprise_model::dn::DnKey;

use super::compare::Present;
use crate::ldap::entry::{Entry, Values};
use crate::ldap::names::{MEMBER_UID, Names};
use crate::ldap::slice::Slice;

/// A member that does not know of a group which names it.
pub struct Underived {
    /// As live has them.
    pub group: String,
    pub member: String,
    pub attribute: String,
    /// The member as the group names it.
    pub value: Vec<u8>,
}

/// The memberships that `memberOf` should tell, and those it does not.
pub struct Derived {
    pub expected: usize,
    pub missing: Vec<Underived>,
}

impl Derived {
    pub fn of(present: &Present, slice: &Slice, names: &Names) -> Self {
        let groups = groups(slice, names);
        let kept: BTreeSet<(&str, &str)> = groups
            .iter()
            .filter(|group| group.is_known())
            .map(Group::kind)
            .collect();
        let mut derived = Self {
            expected: 0,
            missing: Vec::new(),
        };
        for group in groups.iter().filter(|group| kept.contains(&group.kind())) {
            derived.expected += group.members.len();
            derived.missing.extend(group.underived(present));
        }
        derived
    }

    /// By group and attribute.
    pub fn by_group(self) -> BTreeMap<(String, String), Values> {
        let mut groups: BTreeMap<_, Values> = BTreeMap::new();
        for one in self.missing {
            let values = groups.entry((one.group, one.attribute)).or_default();
            values.insert(one.value);
        }
        groups
    }
}

/// The site's members of a group at T.
struct Group<'a> {
    group: &'a Entry,
    attribute: &'a str,
    members: Vec<&'a Entry>,
}

impl<'a> Group<'a> {
    /// What decides whether the overlay keeps it.
    fn kind(&self) -> (&'a str, &'a str) {
        let class = self.group.text("structuralobjectclass");
        (class.unwrap_or_default(), self.attribute)
    }

    fn is_known(&self) -> bool {
        let key = self.group.key();
        self.members.iter().any(|member| knows(member, &key))
    }

    fn underived(&self, present: &Present) -> Vec<Underived> {
        let Some(group) = present.of(self.group) else {
            return Vec::new();
        };
        let values = group.values(self.attribute);
        let named: BTreeMap<DnKey, &Vec<u8>> = values
            .map(|value| (DnKey::of_value(value), value))
            .collect();
        let key = group.key();
        let members = self.members.iter().filter_map(|then| {
            let member = present.of(then)?;
            // Whether it is a member at all is told by other checks.
            let value = named.get(&member.key())?;
            (!knows(member, &key)).then(|| Underived {
                group: group.dn.clone(),
                member: member.dn.clone(),
                attribute: self.attribute.to_owned(),
                value: (*value).clone(),
            })
        });
        members.collect()
    }
}

fn groups<'a>(slice: &'a Slice, names: &'a Names) -> Vec<Group<'a>> {
    let people = slice.entries.iter().chain(&slice.shared);
    let people: BTreeMap<DnKey, &Entry> = people.map(|one| (one.key(), one)).collect();
    let outside = slice.memberships.iter().map(|one| &one.group);
    let mut groups = Vec::new();
    for group in slice.entries.iter().chain(outside) {
        for attribute in names.member.iter().filter(|name| *name != MEMBER_UID) {
            let members = group.values(attribute);
            let members: Vec<&Entry> = members
                .filter_map(|value| people.get(&DnKey::of_value(value)).copied())
                .collect();
            if !members.is_empty() {
                groups.push(Group {
                    group,
                    attribute,
                    members,
                });
            }
        }
    }
    groups
}

fn knows(member: &Entry, group: &DnKey) -> bool {
    let mut groups = member.values("memberof");
    groups.any(|value| DnKey::of_value(value) == *group)
}
