//! An entry of a directory, and which of its attributes are data.

use reprise_model::dn::DnKey;
use std::collections::{BTreeMap, BTreeSet};

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

/// Follows from other data, or from who bound when.
const DERIVED: [&str; 6] = [
    "contextcsn",
    "memberof",
    "entrydn",
    "subschemasubentry",
    "hassubordinates",
    "pwdfailuretime",
];

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
        self.values(name)
            .any(|own| own.eq_ignore_ascii_case(value.as_bytes()))
    }

    pub fn csn(&self) -> Option<Csn> {
        Csn::parse(self.text("entrycsn")?)
    }

    /// What people put in, passwords included.
    pub fn data(&self) -> impl Iterator<Item = (&String, &Values)> {
        self.attributes.iter().filter(|(name, _)| is_data(name))
    }

    /// What an `add` writes; with `relax` the server's own as far as it is kept.
    pub fn to_add(&self, relax: bool) -> Vec<(String, Values)> {
        let written = |name: &str| is_data(name) || (relax && KEPT_BY_RELAX.contains(&name));
        let own = self.attributes.iter().filter(|(name, _)| written(name));
        own.map(|(name, values)| (name.clone(), values.clone()))
            .collect()
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

/// The attributes of a password policy (`pwdChangedTime`, `pwdHistory`) are
/// the server's too, but for the name of the policy itself.
fn is_data(name: &str) -> bool {
    let policy = name.starts_with("pwd") && name != "pwdpolicysubentry";
    !policy && !SERVERS.contains(&name) && !DERIVED.contains(&name)
}
