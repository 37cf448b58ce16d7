//! One entry of the change log, as `overlay accesslog` writes it.

use reprise_model::dn::parent;

use crate::ldap::csn::Csn;
use crate::ldap::entry::Entry;
use crate::ldap::ldif::Raw;

#[derive(Debug)]
pub struct Change {
    /// The log entry's own: `reqStart` counts operations in its fraction, and
    /// is no time at all.
    pub csn: Csn,
    /// Of the entry that was changed.
    pub uuid: String,
    pub dn: String,
    pub what: What,
}

#[derive(Debug)]
pub enum What {
    Add(Vec<Mod>),
    Modify {
        mods: Vec<Mod>,
        /// The change of the entry before this one, where the log tells it.
        before: Option<Csn>,
    },
    Rename {
        mods: Vec<Mod>,
        new_dn: String,
        delete_old: bool,
    },
    Delete {
        before: Option<Csn>,
    },
}

/// One `reqMod`: `mail:+ a@b`, `mail:- a@b`, `mail:= a@b`, `mail:-`, `n:# 1`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mod {
    pub attribute: String,
    pub how: How,
    pub value: Option<Vec<u8>>,
    /// Begins a modification of its own; without it, one more value of the
    /// modification before could be meant.
    pub begins: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    Add,
    Delete,
    Replace,
    Increment,
}

impl Change {
    /// `None` for what changes nothing: the log's own root, reads, failures.
    pub fn read(entry: &Raw) -> Result<Option<Self>, String> {
        let one = |name: &str| entry.one(name);
        let Some(kind) = one("reqType") else {
            return Ok(None);
        };
        if one("reqResult").is_some_and(|result| result != "0") {
            return Ok(None);
        }
        let bad = |what: &str| format!("log entry `{}` {what}", entry.dn);
        let csn = one("entryCSN")
            .and_then(|text| Csn::parse(&text))
            .ok_or_else(|| bad("has no entryCSN"))?;
        let mods = || {
            entry
                .mods()
                .ok_or_else(|| bad("has a change that is not understood"))
        };
        let what = match kind.as_str() {
            "add" => What::Add(mods()?),
            "modify" => What::Modify {
                mods: mods()?,
                before: entry.before(),
            },
            "delete" => What::Delete {
                before: entry.before(),
            },
            "modrdn" | "moddn" => What::Rename {
                mods: mods()?,
                new_dn: entry.new_dn().ok_or_else(|| bad("names no new DN"))?,
                delete_old: one("reqDeleteOldRDN").as_deref() == Some("TRUE"),
            },
            _ => return Ok(None),
        };
        Ok(Some(Self {
            csn,
            uuid: one("reqEntryUUID").ok_or_else(|| bad("names no entryUUID"))?,
            dn: one("reqDN").ok_or_else(|| bad("names no DN"))?,
            what,
        }))
    }
}

/// The order of modifications counts.
impl Raw {
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let named = move |line: &&(String, Vec<u8>)| line.0.eq_ignore_ascii_case(name);
        self.lines
            .iter()
            .filter(named)
            .map(|(_, value)| value.as_slice())
    }

    pub fn one(&self, name: &str) -> Option<String> {
        let value = self.all(name).next()?;
        String::from_utf8(value.to_vec()).ok()
    }

    /// A lone colon parts modifications that would look like one.
    fn mods(&self) -> Option<Vec<Mod>> {
        let mut mods = Vec::new();
        let mut begins = true;
        for line in self.all("reqMod") {
            if line == b":" {
                begins = true;
                continue;
            }
            mods.push(Mod {
                begins,
                ..read_mod(line)?
            });
            begins = false;
        }
        Some(mods)
    }

    fn before(&self) -> Option<Csn> {
        let old = self
            .all("reqOld")
            .filter_map(|line| std::str::from_utf8(line).ok());
        old.filter_map(|line| line.strip_prefix("entryCSN: "))
            .find_map(Csn::parse)
    }

    /// `reqNewDN` is in lower case, and older servers do not give it: the RDN is
    /// as it was written in `reqNewRDN` alone.
    fn new_dn(&self) -> Option<String> {
        let new = self.one("reqNewDN");
        let Some(rdn) = self.one("reqNewRDN") else {
            return new;
        };
        let parent = match (self.one("reqNewSuperior"), new) {
            (Some(parent), _) => parent,
            (None, Some(new)) => parent(&new),
            (None, None) => parent(&self.one("reqDN")?),
        };
        Some(format!("{rdn},{parent}"))
    }
}

fn read_mod(line: &[u8]) -> Option<Mod> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let how = match line.get(colon + 1)? {
        b'+' => How::Add,
        b'-' => How::Delete,
        b'=' => How::Replace,
        b'#' => How::Increment,
        _ => return None,
    };
    let value = match line.get(colon + 2) {
        None => None,
        Some(b' ') => Some(line[colon + 3..].to_vec()),
        Some(_) => return None,
    };
    Some(Mod {
        attribute: std::str::from_utf8(&line[..colon]).ok()?.to_owned(),
        how,
        value,
        begins: false,
    })
}

/// Applies modifications in their order. A run of replacements of one
/// attribute is one replacement by all of their values.
pub fn apply(entry: &mut Entry, mods: &[Mod]) -> Result<(), String> {
    let mut replacing: Option<&str> = None;
    for one in mods {
        let name = one.attribute.to_lowercase();
        if one.how != How::Replace || one.begins {
            replacing = None;
        }
        if one.how == How::Replace && replacing != Some(one.attribute.as_str()) {
            entry.attributes.remove(&name);
            replacing = Some(&one.attribute);
        }
        match (one.how, &one.value) {
            (How::Add | How::Replace, Some(value)) => entry.add(&name, value.clone()),
            (How::Replace, None) => {}
            (How::Delete, None) => {
                entry.attributes.remove(&name);
            }
            (How::Delete, Some(value)) => {
                if !entry.take(&name, value) {
                    let dn = &entry.dn;
                    return Err(format!("`{dn}` loses a value of `{name}` that it has not"));
                }
            }
            (How::Increment, Some(by)) => increment(entry, &name, by)?,
            (How::Add | How::Increment, None) => {
                return Err(format!("`{name}` of `{}` is changed by nothing", entry.dn));
            }
        }
    }
    Ok(())
}

fn increment(entry: &mut Entry, name: &str, by: &[u8]) -> Result<(), String> {
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<i64>().ok();
    let dn = entry.dn.clone();
    let bad = || format!("`{name}` of `{dn}` is no number");
    let by = number(by).ok_or_else(bad)?;
    let old: Vec<i64> = entry
        .values(name)
        .filter_map(|value| number(value))
        .collect();
    entry.attributes.remove(name);
    for value in old {
        let sum = value.checked_add(by).ok_or_else(bad)?;
        entry.add(name, sum.to_string().into_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mods(lines: &[&str]) -> Vec<Mod> {
        lines
            .iter()
            .map(|line| read_mod(line.as_bytes()).unwrap())
            .collect()
    }

    #[test]
    fn modifications_are_applied_in_their_order() {
        let mut entry = Entry::new("cn=x");
        apply(
            &mut entry,
            &mods(&["description:+ a", "description:+ b", "n:+ 4", "sn:+ x"]),
        )
        .unwrap();
        let next = [
            "description:- a",
            "mail:+ a: b",
            "sn:= y",
            "sn:= z",
            "n:# -2",
            "description:-",
            "gone:=",
        ];
        apply(&mut entry, &mods(&next)).unwrap();
        assert_eq!(entry.values("sn").count(), 2);
        assert_eq!(entry.text("n"), Some("2"));
        assert_eq!(entry.text("mail"), Some("a: b"));
        assert_eq!(entry.values("description").count(), 0);
        assert!(read_mod(b"mail:? x").is_none());
        assert!(apply(&mut entry, &mods(&["mail:- other"])).is_err());
    }

    #[test]
    fn two_replacements_are_not_one_of_two_values() {
        let lines = ["sn:= x", ":", "sn:= y"].map(|line| ("reqMod".to_owned(), line.into()));
        let raw = Raw {
            dn: String::new(),
            lines: lines.into(),
        };
        let mut entry = Entry::new("cn=x");
        apply(&mut entry, &raw.mods().unwrap()).unwrap();
        assert_eq!(entry.values("sn").count(), 1);
        assert_eq!(entry.text("sn"), Some("y"));
    }
}
