//! A directory in memory.

use std::collections::BTreeMap;

use reprise_model::dn::{DnKey, first_rdn, rdn_parts};

use super::csn::Csn;
use super::entry::{Entry, FORMERLY};

/// Entries by `entryUUID`, which no rename changes, and by name.
#[derive(Clone, Default)]
pub struct Tree {
    by_uuid: BTreeMap<String, Entry>,
    names: BTreeMap<DnKey, String>,
}

impl Tree {
    pub fn of(entries: Vec<Entry>) -> Result<Self, String> {
        let mut tree = Self::default();
        for entry in entries {
            tree.insert(entry)?;
        }
        Ok(tree)
    }

    pub fn len(&self) -> usize {
        self.by_uuid.len()
    }

    /// About as many as its LDIF takes.
    pub fn bytes(&self) -> u64 {
        let line = |name: &String, value: &Vec<u8>| name.len() + value.len() * 4 / 3 + 4;
        let entries = self.by_uuid.values();
        let sizes = entries.map(|entry| {
            let values = entry.attributes.iter();
            let lines =
                values.flat_map(|(name, all)| all.iter().map(move |value| line(name, value)));
            entry.dn.len() + 6 + lines.sum::<usize>()
        });
        sizes.sum::<usize>() as u64
    }

    pub fn insert(&mut self, entry: Entry) -> Result<(), String> {
        let dn = entry.dn.clone();
        let uuid = entry
            .text("entryuuid")
            .ok_or_else(|| format!("`{dn}` has no entryUUID"))?
            .to_owned();
        if self.by_uuid.contains_key(&uuid) || self.names.contains_key(&entry.key()) {
            return Err(format!("`{dn}` is there twice"));
        }
        self.names.insert(entry.key(), uuid.clone());
        self.by_uuid.insert(uuid, entry);
        Ok(())
    }

    pub fn has(&self, uuid: &str) -> bool {
        self.by_uuid.contains_key(uuid)
    }

    pub fn by_uuid(&mut self, uuid: &str) -> Option<&mut Entry> {
        self.by_uuid.get_mut(uuid)
    }

    pub fn csn(&self, uuid: &str) -> Option<Csn> {
        self.by_uuid.get(uuid)?.csn()
    }

    pub fn remove(&mut self, uuid: &str) {
        if let Some(entry) = self.by_uuid.remove(uuid) {
            self.names.remove(&entry.key());
        }
    }

    /// Renames an entry and all below it. Values of the old and the new RDN
    /// come and go with it.
    pub fn rename(&mut self, uuid: &str, new_dn: &str, delete_old: bool) -> Result<(), String> {
        let Some(entry) = self.by_uuid.get_mut(uuid) else {
            return Ok(());
        };
        let (old, old_rdn) = (entry.key(), first_rdn(&entry.dn));
        for (name, value) in rdn_parts(&old_rdn).into_iter().filter(|_| delete_old) {
            if let Some(values) = entry.attributes.get_mut(&name.to_lowercase()) {
                values.retain(|own| !own.eq_ignore_ascii_case(value.as_bytes()));
            }
        }
        entry.attributes.retain(|_, values| !values.is_empty());
        for (name, value) in rdn_parts(&first_rdn(new_dn)) {
            if !entry.has(&name, &value) {
                entry.add(&name, value.into_bytes());
            }
        }
        let below: Vec<String> = self
            .names
            .iter()
            .filter(|(key, _)| key.is_in(&old))
            .map(|(_, uuid)| uuid.clone())
            .collect();
        self.names.retain(|key, _| !key.is_in(&old));
        for uuid in below {
            let entry = self
                .by_uuid
                .get_mut(&uuid)
                .expect("both maps hold the same");
            entry.add(FORMERLY, entry.dn.clone().into_bytes());
            entry.dn = DnKey::moved(&entry.dn, &old, new_dn);
            if self.names.insert(entry.key(), uuid).is_some() {
                return Err(format!("`{}` is there twice", entry.dn));
            }
        }
        Ok(())
    }

    /// Parents before their children.
    pub fn entries(&self) -> Vec<&Entry> {
        let mut all: Vec<(&DnKey, &Entry)> = self
            .names
            .iter()
            .map(|(key, uuid)| (key, &self.by_uuid[uuid]))
            .collect();
        all.sort_by_key(|(key, _)| (key.depth(), *key));
        all.into_iter().map(|(_, entry)| entry).collect()
    }

    /// The newest change that can be read off the entries.
    pub fn newest(&self) -> Option<Csn> {
        let own = self.by_uuid.values().flat_map(|entry| {
            let context = entry.values("contextcsn");
            let context = context.filter_map(|value| std::str::from_utf8(value).ok());
            context.chain(entry.text("entrycsn")).filter_map(Csn::parse)
        });
        own.max()
    }
}
