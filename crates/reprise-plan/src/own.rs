//! Where sites are told apart by a path, of keys or of files, no site's path is
//! another's or lies within it: a restore of the one would touch the other.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use reprise_model::{SiteId, Store, Tenancy};

use crate::error::{PlanError, PlanErrors};
use crate::placement::place;
use crate::render::{self, Facts};
use crate::select::{Chosen, Roster};

/// One site's path on one shard.
struct Path<'a> {
    shard: usize,
    text: String,
    site: &'a SiteId,
}

impl Path<'_> {
    fn parts(&self) -> impl Iterator<Item = &str> {
        self.text.split('/').filter(|part| !part.is_empty())
    }

    /// Those that hold others come before them.
    fn order(&self, other: &Self) -> Ordering {
        let shards = self.shard.cmp(&other.shard);
        shards.then_with(|| self.parts().cmp(other.parts()))
    }

    fn holds(&self, other: &Self) -> bool {
        let mut theirs = other.parts();
        self.shard == other.shard && self.parts().all(|part| theirs.next() == Some(part))
    }
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
        let template = match &store.tenant {
            Some(Tenancy::Objects(objects)) => &objects.prefix,
            Some(Tenancy::FileTree(tree)) => &tree.folder,
            _ => continue,
        };
        if !tells_by_id_alone(template) {
            let mut paths = paths(store, template, roster);
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

/// What cannot be told of a site that nobody restores is in nobody's way; of
/// one that is restored, the connector says so.
fn paths<'a>(store: &Store, template: &str, roster: &'a Roster<'_>) -> Vec<Path<'a>> {
    let at = format!("stores.{}.tenant", store.id);
    let path = |(site, row): (&'a SiteId, &&'a _)| {
        let facts = Facts {
            site: Some((site, row)),
            shard: None,
        };
        let shard = place(store, &Chosen { id: site, row }).ok()??;
        let text = render::text(&at, template, facts).ok()?;
        Some(Path { shard, text, site })
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
