//! An entry of a directory, and which of its attributes are data.

use std::collections::{BTreeMap, BTreeSet};

use reprise_model::dn::DnKey;

use super::csn::Csn;

/// Kept by the server itself; written only where the rights allow.
const SERVERS: [&str; 7] = [
    "entryuuid",
    "createtimestamp",
    "modifytimestamp",
    "creatorsname",
    "modifiersname",
    "entrycsn",
    "structuralobjectclass",
];

/// Follows from other data, or from who bound when. Of a password policy's
/// attributes these are the ones that the schema lets no client write.
const DERIVED: [&str; 13] = [
    FORMERLY,
    "contextcsn",
    "memberof",
    "entrydn",
    "subschemasubentry",
    "hassubordinates",
    "authtimestamp",
    "pwdchangedtime",
    "pwdfailuretime",
    "pwdhistory",
    "pwdgraceusetime",
    "pwdlastsuccess",
    "pwdaccounttmplockoutend",
];

/// Set by an administrator it is data; the server itself sets it to the time
/// of the last of too many wrong passwords.
const LOCKED: &str = "pwdaccountlockedtime";
const LOCKED_FOR_GOOD: &[u8] = b"000001010000Z";

/// Names that an entry had since the snapshot. No attribute of a directory: the
/// replay leaves it to tell what groups can have followed.
pub const FORMERLY: &str = "reprise-formerly";

/// What the relax control lets a manager write.
const KEPT_BY_RELAX: [&str; 3] = ["entryuuid", "createtimestamp", "modifytimestamp"];

pub type Values = BTreeSet<Vec<u8>>;

#[derive(Clone, PartialEq, Eq, Default)]
pub struct Entry {
    pub dn: String,
    /// By name in lower case.
    pub attributes: BTreeMap<String, Values>,
}

impl Entry {
    pub fn new(dn: impl Into<String>) -> Self {
        Self {
            dn: dn.into(),
            attributes: BTreeMap::new(),
        }
    }

    pub fn key(&self) -> DnKey {
        DnKey::of(&self.dn)
    }

    pub fn add(&mut self, name: &str, value: Vec<u8>) {
        let values = self.attributes.entry(name.to_lowercase()).or_default();
        values.insert(value);
    }

    /// Removes a value; whether it was there. A client may name it in another
    /// spelling, which the attribute's rules take for the same.
    pub fn take(&mut self, name: &str, value: &[u8]) -> bool {
        let Some(values) = self.attributes.get_mut(name) else {
            return false;
        };
        let before = values.len();
        if !values.remove(value) {
            let key = |value: &[u8]| DnKey::of(&String::from_utf8_lossy(value));
            let same = |own: &[u8]| {
                let is_name = own.contains(&b'=');
                own.eq_ignore_ascii_case(value) || (is_name && key(own) == key(value))
            };
            values.retain(|own| !same(own));
        }
        let was_there = values.len() < before;
        if values.is_empty() {
            self.attributes.remove(name);
        }
        was_there
    }

    pub fn values(&self, name: &str) -> impl Iterator<Item = &Vec<u8>> {
        self.attributes
            .get(&name.to_lowercase())
            .into_iter()
            .flatten()
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        let value = self.values(name).next()?;
        std::str::from_utf8(value).ok()
    }

    pub fn has(&self, name: &str, value: &str) -> bool {
        let folded = |text: &str| text.to_lowercase();
        let value = folded(value);
        self.values(name)
            .any(|own| folded(&String::from_utf8_lossy(own)) == value)
    }

    pub fn csn(&self) -> Option<Csn> {
        Csn::parse(self.text("entrycsn")?)
    }

    /// What people put in, passwords included.
    pub fn data(&self) -> impl Iterator<Item = (&String, &Values)> {
        let all = self.attributes.iter();
        all.filter(|(name, values)| is_data(name, values))
    }

    /// What an `add` writes; with `relax` the server's own as far as it is kept.
    pub fn to_add(&self, relax: bool) -> Vec<(String, Values)> {
        let kept = |name: &str| relax && KEPT_BY_RELAX.contains(&name);
        let own = self.attributes.iter();
        own.filter(|(name, values)| is_data(name, values) || kept(name))
            .map(|(name, values)| (name.clone(), values.clone()))
            .collect()
    }

    /// Whether it names others: a group, mostly.
    pub fn has_any(&self, attributes: &[String]) -> bool {
        let mut attributes = attributes.iter();
        attributes.any(|name| self.attributes.contains_key(name))
    }

    /// Names of the attributes whose values differ; never the values.
    pub fn differs_from(&self, other: &Entry) -> Vec<String> {
        let names: BTreeSet<&String> = self.data().chain(other.data()).map(|(n, _)| n).collect();
        let differs = |name: &&&String| self.attributes.get(**name) != other.attributes.get(**name);
        names
            .iter()
            .filter(differs)
            .map(|name| (*name).clone())
            .collect()
    }
}

fn is_data(name: &str, values: &Values) -> bool {
    match name {
        LOCKED => values.contains(LOCKED_FOR_GOOD),
        _ => !SERVERS.contains(&name) && !DERIVED.contains(&name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_password_policy_only_what_the_server_counts_is_left_out() {
        let mut entry = Entry::new("uid=a");
        for name in [
            "pwdReset",
            "pwdPolicySubentry",
            "pwdMaxAge",
            "pwdAttribute",
            "pwdChangedTime",
            "pwdHistory",
            "pwdFailureTime",
            "memberOf",
        ] {
            entry.add(name, b"x".to_vec());
        }
        let names = |entry: &Entry| entry.data().map(|(n, _)| n.clone()).collect::<Vec<_>>();
        let data = ["pwdattribute", "pwdmaxage", "pwdpolicysubentry", "pwdreset"];
        assert_eq!(names(&entry), data);

        let mut locked = entry.clone();
        locked.add("pwdAccountLockedTime", b"20261130082539Z".to_vec());
        assert!(entry.differs_from(&locked).is_empty(), "by wrong passwords");
        locked.take("pwdaccountlockedtime", b"20261130082539Z");
        locked.add("pwdAccountLockedTime", LOCKED_FOR_GOOD.to_vec());
        assert_eq!(entry.differs_from(&locked), ["pwdaccountlockedtime"]);
    }
}
