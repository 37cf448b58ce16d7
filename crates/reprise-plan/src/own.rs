//! Where sites are told apart by a path, of keys or of files, or by a place in
//! a directory, no site's is another's or lies within it: a restore of the one
//! would touch the other.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use reprise_model::dn::{DnKey, escape};
use reprise_model::{SiteId, Store, Tenancy};

use crate::error::{PlanError, PlanErrors};
use crate::input::SiteRow;
use crate::placement::place;
use crate::render::{self, Facts};
use crate::select::{Chosen, Roster};

/// One site's path on one shard.
struct Path<'a> {
    shard: usize,
    text: String,
    /// The same taken apart, from the top.
    parts: Vec<String>,
    site: &'a SiteId,
}

impl Path<'_> {
    /// Those that hold others come before them.
    fn order(&self, other: &Self) -> Ordering {
        let shards = self.shard.cmp(&other.shard);
        shards.then_with(|| self.parts.cmp(&other.parts))
    }

    fn holds(&self, other: &Self) -> bool {
        self.shard == other.shard && other.parts.starts_with(&self.parts)
    }
}

/// How a store's sites are told apart.
#[derive(Clone, Copy)]
enum Way<'a> {
    /// Folders, parted by slashes.
    Slashes(&'a str),
    /// A DN, which is compared as directories do.
    Name(&'a str),
}

impl<'a> Way<'a> {
    fn of(tenancy: &'a Tenancy) -> Option<Self> {
        match tenancy {
            Tenancy::Objects(objects) => Some(Self::Slashes(&objects.prefix)),
            Tenancy::FileTree(tree) => Some(Self::Slashes(&tree.folder)),
            Tenancy::Directory(directory) => Some(Self::Name(&directory.base)),
            _ => None,
        }
    }

    fn needs_no_look(self, roster: &Roster<'_>) -> bool {
        match self {
            Self::Slashes(template) => tells_by_id_alone(template),
            Self::Name(template) => tells_by_id_alone(template) && differ_to_a_directory(roster),
        }
    }

    /// The text and its parts; `None` where it cannot be told.
    fn path(self, at: &str, site: &SiteId, row: &SiteRow) -> Option<(String, Vec<String>)> {
        match self {
            Self::Slashes(template) => {
                let text = render(at, template, site, row)?;
                let parts = text.split('/').filter(|part| !part.is_empty());
                let parts = parts.map(str::to_owned).collect();
                Some((text, parts))
            }
            Self::Name(template) => {
                // As the connector fills it in: no value breaks out of its place.
                let id: SiteId = escape(site.as_str()).into();
                let tame = |(name, value): (&String, &String)| (name.clone(), escape(value));
                let row: SiteRow = row.iter().map(tame).collect();
                let text = render(at, template, &id, &row)?;
                let parts: Vec<String> = DnKey::of(&text).from_top().map(str::to_owned).collect();
                // No name at all is nobody's place, which the connector refuses.
                (!parts.is_empty()).then_some((text, parts))
            }
        }
    }
}

fn render(at: &str, template: &str, site: &SiteId, row: &SiteRow) -> Option<String> {
    let facts = Facts {
        site: Some((site, row)),
        shard: None,
    };
    render::text(at, template, facts).ok()
}

/// Looks at all sites of the list, for those that are chosen.
pub(crate) fn each_its_own(
    stores: &[&Store],
    roster: &Roster<'_>,
    chosen: &[Chosen<'_>],
) -> Result<(), PlanErrors> {
    let chosen: BTreeSet<&SiteId> = chosen.iter().map(|site| site.id).collect();
    let mut errors = Vec::new();
    for store in stores {
        let way = store.tenant.as_ref().and_then(Way::of);
        if let Some(way) = way.filter(|way| !way.needs_no_look(roster)) {
            let mut paths = paths(store, way, roster);
            paths.sort_by(Path::order);
            errors.extend(shared(store, &paths, &chosen));
        }
    }
    PlanErrors::none_in(errors)
}

/// Ids differ, so paths do in which nothing else is filled in.
fn tells_by_id_alone(template: &str) -> bool {
    let mut ids = 0;
    let mut rest = template;
    while let Some((_, inside)) = rest.split_once("{{") {
        let Some((name, after)) = inside.split_once("}}") else {
            return false;
        };
        if name.trim() != "site.id" {
            return false;
        }
        (ids, rest) = (ids + 1, after);
    }
    ids > 0 && !template.contains("{%")
}

/// Ids that differ can be one name to a directory, which folds case and spaces.
fn differ_to_a_directory(roster: &Roster<'_>) -> bool {
    let fold = |id: &SiteId| {
        let words = id.as_str().split_whitespace();
        words.map(str::to_lowercase).collect::<String>()
    };
    let mut seen = BTreeSet::new();
    roster.by_id.keys().all(|id| seen.insert(fold(id)))
}

/// What cannot be told of a site that nobody restores is in nobody's way; of
/// one that is restored, the connector says so.
fn paths<'a>(store: &Store, way: Way<'_>, roster: &'a Roster<'_>) -> Vec<Path<'a>> {
    let at = format!("stores.{}.tenant", store.id);
    let path = |(site, row): (&'a SiteId, &&'a SiteRow)| {
        let shard = place(store, &Chosen { id: site, row }).ok()??;
        let (text, parts) = way.path(&at, site, row)?;
        Some(Path {
            shard,
            text,
            parts,
            site,
        })
    };
    roster.by_id.iter().filter_map(path).collect()
}

/// The first two sites that are not apart, of which one is chosen.
fn shared(store: &Store, paths: &[Path<'_>], chosen: &BTreeSet<&SiteId>) -> Option<PlanError> {
    let mut above: Vec<&Path<'_>> = Vec::new();
    for path in paths {
        while above.last().is_some_and(|outer| !outer.holds(path)) {
            above.pop();
        }
        let wanted = |outer: &&&Path<'_>| chosen.contains(outer.site) || chosen.contains(path.site);
        if let Some(outer) = above.iter().find(wanted) {
            return Some(PlanError::NotApart {
                store: store.id.clone(),
                site: outer.site.clone(),
                path: outer.text.clone(),
                other: path.site.clone(),
                inner: path.text.clone(),
            });
        }
        above.push(path);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_alone_tell_sites_apart() {
        for (template, expect) in [
            ("sites/{{ site.id }}/", true),
            ("t-{{site.id}}", true),
            ("sites", false),
            ("{{ site.customer }}/{{ site.id }}", false),
            ("{{ site.id | lower }}/", false),
            ("{% if site.id %}x{% endif %}{{ site.id }}", false),
        ] {
            assert_eq!(tells_by_id_alone(template), expect, "{template}");
        }
    }
}
