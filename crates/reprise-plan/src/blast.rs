//! What the run will touch, counted before anything is written.

use std::collections::{BTreeMap, BTreeSet};

use reprise_model::{Action, BlastRadius, PlannedTask, ShardId, SiteId, StoreId, Volume};

use crate::input::{CompileInput, ShardEstimate};
use crate::placement::{self, Placement};
use crate::select::{Chosen, Roster};
use crate::wave;

const CUSTOMER: &str = "customer";

pub(crate) struct Counting<'a> {
    pub input: &'a CompileInput<'a>,
    pub roster: &'a Roster<'a>,
    pub placement: &'a Placement<'a>,
    pub sites: &'a [Chosen<'a>],
    pub tasks: &'a [PlannedTask],
}

impl Counting<'_> {
    pub(crate) fn count(&self) -> BlastRadius {
        let written = self.shards_that(Action::Restore);
        let volume = self.volume();
        BlastRadius {
            sites: self.sites.len() as u32,
            customers: self.customers(),
            users: sum(self.sites.iter().filter_map(wave::users)),
            shards: written.len() as u32,
            rows: volume.map(|v| v.rows),
            bytes: volume.map(|v| v.bytes),
            scratch_bytes: self.scratch_bytes(),
            neighbours: Some(self.neighbours(&written)),
        }
    }

    fn action(&self, task: &PlannedTask) -> Action {
        self.input.runbook.steps[task.step as usize].action
    }

    fn shards_that(&self, action: Action) -> BTreeSet<u32> {
        let tasks = self.tasks.iter().filter(|task| self.action(task) == action);
        tasks.filter_map(|task| task.shard).collect()
    }

    fn estimate(&self, shard: u32) -> Option<&ShardEstimate> {
        let shard = &self.placement.shards[shard as usize];
        let key = (shard.store.clone(), shard.shard.clone());
        self.input.estimates.get(&key)
    }

    fn customers(&self) -> Option<u32> {
        let customers = self.sites.iter().filter_map(|site| site.row.get(CUSTOMER));
        let customers: BTreeSet<&String> = customers.filter(|c| !c.is_empty()).collect();
        (!customers.is_empty()).then_some(customers.len() as u32)
    }

    /// Each slice once, however many steps restore a part of it.
    fn volume(&self) -> Option<Volume> {
        let restores = self
            .tasks
            .iter()
            .filter(|t| self.action(t) == Action::Restore);
        let slices: BTreeSet<_> = restores.filter_map(|t| Some((t.shard?, t.site?))).collect();
        let mut per_shard: BTreeMap<u32, u64> = BTreeMap::new();
        for (shard, _) in slices {
            *per_shard.entry(shard).or_default() += 1;
        }
        let known = per_shard.into_iter().filter_map(|(shard, sites)| {
            let each = self.estimate(shard)?.per_site?;
            Some(Volume {
                rows: each.rows.saturating_mul(sites),
                bytes: each.bytes.saturating_mul(sites),
            })
        });
        known.reduce(|a, b| Volume {
            rows: a.rows.saturating_add(b.rows),
            bytes: a.bytes.saturating_add(b.bytes),
        })
    }

    fn scratch_bytes(&self) -> Option<u64> {
        let recovered = self.shards_that(Action::Recover);
        sum(recovered
            .into_iter()
            .filter_map(|shard| self.estimate(shard)?.scratch_bytes))
    }

    /// Sites at the target time on the written shards and not in the batch.
    /// Sites that were created since are in no list; where a live end holds
    /// more sites than that, its count is the better bound.
    fn neighbours(&self, written: &BTreeSet<u32>) -> u32 {
        let names: BTreeSet<(&StoreId, &ShardId)> = written
            .iter()
            .map(|&s| self.placement.facts_of(s))
            .collect();
        let chosen: BTreeSet<&SiteId> = self.sites.iter().map(|site| site.id).collect();
        let others = self
            .roster
            .by_id
            .iter()
            .filter(|(id, _)| !chosen.contains(*id));
        let listed = others
            .filter(|(id, row)| self.is_on(&Chosen { id, row }, &names))
            .count();
        let live = written.iter().filter_map(|&shard| {
            let live = self.estimate(shard)?.live_sites?;
            Some(live.saturating_sub(self.placement.sites_on(shard).len() as u64))
        });
        let most = live.max().unwrap_or(0).max(listed as u64);
        u32::try_from(most).unwrap_or(u32::MAX)
    }

    fn is_on(&self, site: &Chosen<'_>, shards: &BTreeSet<(&StoreId, &ShardId)>) -> bool {
        self.placement.stores().iter().any(|store| {
            // A site that cannot be placed is nobody's neighbour that we know of.
            let place = placement::place(store, site).ok().flatten();
            place.is_some_and(|at| shards.contains(&(&store.id, &store.shards[at].id)))
        })
    }
}

/// `None` for the sum of nothing: unknown, not zero.
fn sum(numbers: impl Iterator<Item = u64>) -> Option<u64> {
    numbers.reduce(u64::saturating_add)
}
