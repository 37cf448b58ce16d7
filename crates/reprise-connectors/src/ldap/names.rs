//! What belongs to a site, as names: its subtree, groups, shared entries.

use std::collections::{BTreeMap, BTreeSet};

use reprise_model::dn::{DnKey, escape};
use reprise_model::{Directory, Fault, SiteId};
use reprise_ports::CallSite;

use super::config::Render;
use super::entry::Entry;

/// Holds no DN, but a value of `uid`.
pub const MEMBER_UID: &str = "memberuid";

/// The tenant's rules with one site filled in.
#[derive(Clone, Debug)]
pub struct Names {
    pub base: String,
    pub base_key: DnKey,
    pub groups: Option<String>,
    pub member: Vec<String>,
    pub shared: Option<Shared>,
}

#[derive(Clone, Debug)]
pub struct Shared {
    pub base: String,
    /// An entry with this value of this attribute is the site's too.
    pub attribute: String,
    pub value: String,
    /// Values of the sites that are restored together, in lower case; as far
    /// as their ids alone tell them.
    batch: BTreeSet<String>,
}

impl Shared {
    /// Whether no site has the entry but those that come back together: it is
    /// theirs to bring back as it was at T.
    pub fn is_of_batch(&self, entry: &Entry) -> bool {
        let mut sites = entry.values(&self.attribute);
        sites.all(|site| {
            let site = String::from_utf8_lossy(site).to_lowercase();
            site == self.value.to_lowercase() || self.batch.contains(&site)
        })
    }
}

impl Names {
    /// `companions` are the sites of the batch.
    pub fn of(
        tenant: &Directory,
        render: &Render,
        site: &CallSite,
        companions: &[SiteId],
    ) -> Result<Self, Fault> {
        if !tenant.base.contains("{{") {
            let message = "`base` is the same for every site: all would be each one's";
            return Err(Fault::permanent(message)
                .hint("name the site in it, such as `ou={{ site.id }},ou=sites,dc=acme`"));
        }
        let tame = tame(site);
        let dn = |text: &str| render(text, &tame).map_err(Fault::permanent);
        let base = dn(&tenant.base)?;
        let base_key = DnKey::of(&base);
        if site.id.as_str().is_empty() || base_key.depth() == 0 {
            return Err(Fault::permanent("the site's base is no DN"));
        }
        let shared = match &tenant.shared {
            None => None,
            Some(shared) => {
                let (attribute, value) = equality(&shared.filter)?;
                let of_other = |id: &SiteId| {
                    let attributes = BTreeMap::new();
                    let id = id.clone();
                    render(value, &CallSite { id, attributes }).ok()
                };
                let batch = companions.iter().filter_map(of_other);
                Some(Shared {
                    batch: batch.map(|value| value.to_lowercase()).collect(),
                    base: dn(&shared.base)?,
                    attribute: attribute.to_lowercase(),
                    value: render(value, site).map_err(Fault::permanent)?,
                })
            }
        };
        Ok(Self {
            base,
            base_key,
            groups: tenant.groups.as_deref().map(dn).transpose()?,
            member: tenant
                .member
                .iter()
                .map(|name| name.to_lowercase())
                .collect(),
            shared,
        })
    }
}

/// The site with every value escaped as one of a DN: a site that is named
/// `x,ou=other` stays in its own place.
fn tame(site: &CallSite) -> CallSite {
    let attributes = site.attributes.iter();
    CallSite {
        id: escape(site.id.as_str()).into(),
        attributes: attributes
            .map(|(name, value)| (name.clone(), escape(value)))
            .collect::<BTreeMap<_, _>>(),
    }
}

/// The template's two sides are taken apart before the site is filled in.
pub fn equality(filter: &str) -> Result<(&str, &str), Fault> {
    let inner = filter
        .trim()
        .strip_prefix('(')
        .and_then(|f| f.strip_suffix(')'));
    let sides = inner.unwrap_or(filter.trim()).split_once('=');
    let is_name = |name: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !name.is_empty() && name.chars().all(plain)
    };
    sides
        .filter(|(name, value)| is_name(name) && !value.is_empty() && *value != "*")
        .ok_or_else(|| {
            Fault::permanent(format!("the filter `{filter}` is not understood"))
                .hint("it is of the form `(attribute=value)`")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_equalities() {
        let value = "{{ site.id }}";
        assert_eq!(equality("(o={{ site.id }})").unwrap(), ("o", value));
        for bad in ["(&(o=1)(p=2))", "(o=*)", "(o>=1)", "o"] {
            assert!(equality(bad).is_err(), "{bad}");
        }
    }
}
