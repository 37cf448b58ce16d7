//! From the list of sites and the selection to the chosen sites, in order.

use std::collections::BTreeMap;

use reprise_model::SiteId;

use crate::error::{PlanError, PlanErrors};
use crate::input::{Place, SelectedId, Selection, SiteRow};
use crate::nearest::nearest;

/// The column that holds a site's id.
const ID: &str = "id";

/// For how many unknown ids the nearest site is looked for: a list full of
/// wrong ids must not cost a comparison of each with each.
const NEAREST_LOOKUPS: usize = 20;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Chosen<'a> {
    pub id: &'a SiteId,
    pub row: &'a SiteRow,
}

impl Chosen<'_> {
    /// Every column but the id.
    pub(crate) fn attributes(&self) -> SiteRow {
        let columns = self.row.iter().filter(|(name, _)| *name != ID);
        columns.map(|(n, v)| (n.clone(), v.clone())).collect()
    }
}

/// All sites at the target time, by id.
pub(crate) struct Roster<'a> {
    pub by_id: BTreeMap<SiteId, &'a SiteRow>,
}

impl<'a> Roster<'a> {
    pub(crate) fn of(rows: &'a [SiteRow]) -> Result<Self, PlanErrors> {
        let mut by_id = BTreeMap::new();
        let mut errors = Vec::new();
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for (at, row) in rows.iter().enumerate() {
            match row.get(ID).filter(|id| !id.is_empty()) {
                Some(id) => {
                    by_id.insert(SiteId::from(id.as_str()), row);
                    *times.entry(id).or_default() += 1;
                }
                None => errors.push(PlanError::SiteWithoutId { row: at + 1 }),
            }
        }
        let twice = times.into_iter().filter(|(_, times)| *times > 1);
        errors.extend(twice.map(|(id, times)| PlanError::SiteListedTwice {
            id: SiteId::from(id),
            times,
        }));
        PlanErrors::none_in(errors)?;
        Ok(Self { by_id })
    }

    pub(crate) fn select(
        &self,
        selection: &Selection,
        identified: &BTreeMap<String, String>,
    ) -> Result<Vec<Chosen<'_>>, PlanErrors> {
        let chosen = match selection {
            Selection::Ids(ids) => self.by_ids(ids, identified)?,
            Selection::Where(wanted) => self.by_attributes(wanted)?,
            Selection::All => self.all().collect(),
        };
        if chosen.is_empty() {
            let why = self.why_nothing(selection);
            return Err(PlanError::NothingSelected { why }.into());
        }
        Ok(chosen)
    }

    fn all(&self) -> impl Iterator<Item = Chosen<'_>> {
        self.by_id.iter().map(|(id, &row)| Chosen { id, row })
    }

    fn by_ids(
        &self,
        ids: &[SelectedId],
        identified: &BTreeMap<String, String>,
    ) -> Result<Vec<Chosen<'_>>, PlanErrors> {
        let mut chosen = Vec::with_capacity(ids.len());
        let mut errors = Vec::new();
        let mut seen: BTreeMap<&SiteId, &Option<Place>> = BTreeMap::new();
        let mut lookups = 0;
        for SelectedId { id, place } in ids {
            if let Some(first) = seen.insert(id, place) {
                errors.push(PlanError::SelectedTwice {
                    id: id.clone(),
                    place: place.clone(),
                    first: first.clone(),
                });
                continue;
            }
            if let Some((id, &row)) = self.by_id.get_key_value(id) {
                chosen.push(Chosen { id, row });
                continue;
            }
            lookups += 1;
            let identified = identified.get(id.as_str()).cloned();
            let look = identified.is_none() && lookups <= NEAREST_LOOKUPS;
            errors.push(PlanError::NotASite {
                nearest: look.then(|| self.nearest(id)).flatten(),
                id: id.clone(),
                place: place.clone(),
                identified,
            });
        }
        PlanErrors::none_in(errors)?;
        Ok(chosen)
    }

    fn nearest(&self, id: &SiteId) -> Option<SiteId> {
        nearest(id.as_str(), self.by_id.keys().map(SiteId::as_str)).map(SiteId::from)
    }

    fn by_attributes(&self, wanted: &[(String, String)]) -> Result<Vec<Chosen<'_>>, PlanErrors> {
        let unknown = wanted
            .iter()
            .filter(|(name, _)| !self.by_id.values().any(|row| row.contains_key(name)));
        // Without any site there is no attribute to be unknown.
        let unknown = unknown.filter(|_| !self.by_id.is_empty());
        let errors = unknown.map(|(name, _)| PlanError::UnknownAttribute {
            attribute: name.clone(),
            nearest: self.nearest_attribute(name),
        });
        PlanErrors::none_in(errors.collect())?;
        let holds = |row: &SiteRow| wanted.iter().all(|(name, v)| row.get(name) == Some(v));
        Ok(self.all().filter(|site| holds(site.row)).collect())
    }

    fn nearest_attribute(&self, name: &str) -> Option<String> {
        let row = self.by_id.values().next()?;
        nearest(name, row.keys().map(String::as_str)).map(str::to_owned)
    }

    fn why_nothing(&self, selection: &Selection) -> String {
        let sites = self.by_id.len();
        match selection {
            _ if sites == 0 => "the list of sites is empty at the target time".to_owned(),
            Selection::Ids(_) => "the selection lists no id".to_owned(),
            Selection::Where(wanted) => {
                let wanted: Vec<String> = wanted.iter().map(|(n, v)| format!("{n}={v}")).collect();
                format!("none of {sites} sites has {}", wanted.join(" and "))
            }
            Selection::All => "there is none".to_owned(),
        }
    }
}
