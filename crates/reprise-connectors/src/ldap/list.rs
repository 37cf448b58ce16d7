//! The items of a site's slice of a directory, at T or in live: its entries,
//! or its members of groups outside of its subtree. Passwords are no items.

use reprise_model::dn::{first_rdn, rdn_parts};
use reprise_model::{Fault, Listed, Side};
use reprise_ports::Item;

use super::entry::Entry;
use super::names::{MEMBER_UID, equality};
use super::slice::{Membership, Slice};

/// A value, as text, of something that a listing names.
type Read<'a> = &'a dyn Fn(&str) -> Option<String>;

pub fn items(slice: &Slice, side: &Side) -> Result<Vec<Item>, Fault> {
    for name in std::iter::once(&side.key).chain(&side.compare) {
        let name = name.to_lowercase();
        if name.contains("password") || name.starts_with("pwd") {
            let message = format!("`{name}` is a secret, which no listing may name");
            return Err(Fault::permanent(message));
        }
    }
    let filter = side.filter.as_deref().map(Filter::read).transpose()?;
    let fits = |entry: &Entry| filter.as_ref().is_none_or(|filter| filter.fits(entry));
    Ok(match side.list {
        Listed::Entries => {
            let all = slice.entries.iter().chain(&slice.shared);
            let fitting = all.filter(|entry| fits(entry));
            fitting.flat_map(|entry| entries(entry, side)).collect()
        }
        Listed::Members => {
            // Who is in a group, whoever may bring it back.
            let all = slice.memberships.iter().chain(&slice.undecided);
            let fitting = all.filter(|membership| fits(&membership.group));
            fitting.flat_map(|one| members(one, side)).collect()
        }
    })
}

/// `(attribute=value)`, or `(attribute=*)`: the same at both ends.
struct Filter<'a> {
    attribute: &'a str,
    /// Absent where any will do.
    value: Option<&'a str>,
}

impl<'a> Filter<'a> {
    fn read(text: &'a str) -> Result<Self, Fault> {
        let any = text
            .trim()
            .strip_prefix('(')
            .and_then(|t| t.strip_suffix("=*)"));
        if let Some(attribute) = any.filter(|name| name.bytes().all(|b| b.is_ascii_alphanumeric()))
        {
            return Ok(Self {
                attribute,
                value: None,
            });
        }
        let (attribute, value) = equality(text)?;
        match value.contains(['*', '(', ')', '\\']) {
            true => Err(
                Fault::permanent(format!("the filter `{text}` is not understood"))
                    .hint("it is `(attribute=value)` or `(attribute=*)`, nothing more"),
            ),
            false => Ok(Self {
                attribute,
                value: Some(value),
            }),
        }
    }

    fn fits(&self, entry: &Entry) -> bool {
        match self.value {
            None => entry.values(self.attribute).next().is_some(),
            Some(value) => entry.has(self.attribute, value),
        }
    }
}

/// An item for each value of the key: a person may have two addresses.
fn entries(entry: &Entry, side: &Side) -> Vec<Item> {
    let read = |name: &str| value(entry, name);
    let keys: Vec<String> = match side.key.as_str() {
        "dn" => vec![entry.dn.clone()],
        key => entry.values(key).map(|value| text(value)).collect(),
    };
    items_of(keys, side, &read)
}

/// `ATTRIBUTE` of the member's name, or `ATTRIBUTE-OF-GROUP/ATTRIBUTE`.
fn members(membership: &Membership, side: &Side) -> Vec<Item> {
    let group = &membership.group;
    let (lead, attribute) = match side.key.split_once('/') {
        Some((of_group, attribute)) => (Some(value(group, of_group)), attribute),
        None => (None, side.key.as_str()),
    };
    let values = membership.members.iter();
    let values = values.flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    let named = values.filter_map(|(name, value)| member(name, &text(value), attribute));
    let keys = named.filter_map(|name| match &lead {
        None => Some(name),
        Some(Some(group)) => Some(format!("{group}/{name}")),
        Some(None) => None,
    });
    let read = |name: &str| value(group, name);
    items_of(keys.collect(), side, &read)
}

/// What a group says of a member, by the attribute that a listing wants.
fn member(attribute: &str, value: &str, wanted: &str) -> Option<String> {
    if wanted.eq_ignore_ascii_case("dn") {
        return (attribute != MEMBER_UID).then(|| value.to_owned());
    }
    if attribute == MEMBER_UID {
        return wanted.eq_ignore_ascii_case("uid").then(|| value.to_owned());
    }
    let parts = rdn_parts(&first_rdn(value));
    let found = parts
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    found.map(|(_, value)| value)
}

fn items_of(keys: Vec<String>, side: &Side, read: Read<'_>) -> Vec<Item> {
    let fields: Vec<Option<String>> = side.compare.iter().map(|name| read(name)).collect();
    let item = |key: Option<String>| Item {
        key,
        fields: fields.clone(),
    };
    match keys.is_empty() {
        true => vec![item(None)],
        false => keys.into_iter().map(|key| item(Some(key))).collect(),
    }
}

/// All values of an attribute, in order.
fn value(entry: &Entry, name: &str) -> Option<String> {
    if name == "dn" {
        return Some(entry.dn.clone());
    }
    let values: Vec<String> = entry.values(name).map(|value| text(value)).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}
