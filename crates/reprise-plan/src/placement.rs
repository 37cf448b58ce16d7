//! Which shard of each store holds which site.

use std::collections::{BTreeMap, BTreeSet};

use reprise_model::{Estate, PlannedShard, Runbook, ShardId, Store, StoreId};

use crate::error::{PlanError, PlanErrors};
use crate::nearest::nearest;
use crate::render::{self, Facts};
use crate::select::Chosen;
use crate::steps::stores_of;

/// Shards that hold a selected site, and who is where. Shards are numbered in
/// the estate's order; sites as they are handed in.
pub(crate) struct Placement<'a> {
    pub shards: Vec<PlannedShard>,
    /// The stores that some step names, in the estate's order.
    stores: Vec<&'a Store>,
    by_store: BTreeMap<&'a StoreId, usize>,
    /// For each store, its shards among `shards`: a contiguous range.
    ranges: Vec<std::ops::Range<usize>>,
    /// For each store and site the shard, where the store places the site.
    of_site: Vec<Vec<Option<u32>>>,
    /// For each shard its sites, ascending.
    on_shard: Vec<Vec<u32>>,
}

impl<'a> Placement<'a> {
    pub(crate) fn of(
        estate: &'a Estate,
        runbook: &Runbook,
        sites: &[Chosen<'_>],
    ) -> Result<Self, PlanErrors> {
        let known: BTreeSet<StoreId> = runbook.steps.iter().flat_map(stores_of).collect();
        let named = |store: &&Store| known.contains(&store.id);
        let stores: Vec<&Store> = estate.stores.iter().filter(named).collect();
        let mut placement = Self {
            by_store: stores
                .iter()
                .enumerate()
                .map(|(at, s)| (&s.id, at))
                .collect(),
            shards: Vec::new(),
            ranges: Vec::new(),
            of_site: Vec::new(),
            on_shard: Vec::new(),
            stores,
        };
        let mut errors = Vec::new();
        for store in placement.stores.clone() {
            match places(store, sites) {
                Ok(places) => placement.add(store, &places),
                Err(found) => errors.extend(found),
            }
        }
        PlanErrors::none_in(errors)?;
        Ok(placement)
    }

    /// `places` holds for each site the shard's place in the store.
    fn add(&mut self, store: &Store, places: &[Option<usize>]) {
        let mut sites_on: Vec<Vec<u32>> = vec![Vec::new(); store.shards.len()];
        for (site, place) in (0u32..).zip(places) {
            if let Some(place) = place {
                sites_on[*place].push(site);
            }
        }
        let start = self.shards.len();
        let mut numbers = vec![None; store.shards.len()];
        for (place, sites) in sites_on.into_iter().enumerate() {
            if sites.is_empty() {
                continue;
            }
            numbers[place] = u32::try_from(self.shards.len()).ok();
            self.on_shard.push(sites);
            self.shards.push(PlannedShard {
                store: store.id.clone(),
                shard: store.shards[place].id.clone(),
                kind: store.kind,
                layer: store.layer,
            });
        }
        self.ranges.push(start..self.shards.len());
        let numbered = places.iter().map(|place| place.and_then(|at| numbers[at]));
        self.of_site.push(numbered.collect());
    }

    /// The shard that holds the site's slice of the store, where there is one.
    pub(crate) fn shard_of(&self, store: &StoreId, site: u32) -> Option<u32> {
        let store = *self.by_store.get(store)?;
        self.of_site[store][site as usize]
    }

    /// The store's shards that hold a selected site.
    pub(crate) fn shards_of(&self, store: &StoreId) -> std::ops::Range<usize> {
        let store = self.by_store.get(store);
        store.map_or(0..0, |&at| self.ranges[at].clone())
    }

    pub(crate) fn sites_on(&self, shard: u32) -> &[u32] {
        &self.on_shard[shard as usize]
    }

    /// One shard for each store that places the site.
    pub(crate) fn all_of(&self, site: usize) -> Vec<u32> {
        self.of_site.iter().filter_map(|s| s[site]).collect()
    }

    pub(crate) fn facts_of(&self, shard: u32) -> (&StoreId, &ShardId) {
        let shard = &self.shards[shard as usize];
        (&shard.store, &shard.shard)
    }

    pub(crate) fn stores(&self) -> &[&'a Store] {
        &self.stores
    }
}

fn places(store: &Store, sites: &[Chosen<'_>]) -> Result<Vec<Option<usize>>, Vec<PlanError>> {
    if store.placement.is_none() && store.shards.len() != 1 {
        return Err(vec![PlanError::NoPlacement {
            store: store.id.clone(),
            shards: store.shards.len(),
        }]);
    }
    let mut errors = Vec::new();
    let mut places = Vec::with_capacity(sites.len());
    for site in sites {
        match place(store, site) {
            Ok(place) => places.push(place),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(places)
    } else {
        Err(errors)
    }
}

/// The shard's place among the store's. A placement that renders to nothing
/// says that the store holds no slice of the site.
pub(crate) fn place(store: &Store, site: &Chosen<'_>) -> Result<Option<usize>, PlanError> {
    let Some(placement) = &store.placement else {
        return Ok(Some(0));
    };
    let facts = Facts {
        site: Some((site.id, site.row)),
        shard: None,
    };
    let at = format!("stores.{}.placement", store.id);
    let value = render::text(&at, placement, facts).map_err(|reason| PlanError::Placement {
        store: store.id.clone(),
        site: site.id.clone(),
        reason,
    })?;
    if value.is_empty() {
        return Ok(None);
    }
    let found = store.shards.iter().position(|s| s.id.as_str() == value);
    found.map(Some).ok_or_else(|| {
        let shards = store.shards.iter().map(|shard| shard.id.as_str());
        PlanError::UnknownShard {
            store: store.id.clone(),
            site: site.id.clone(),
            nearest: nearest(&value, shards).map(str::to_owned),
            value,
        }
    })
}
