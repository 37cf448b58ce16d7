//! The same plan with another number of sites.
//!
//! The planned sites are dealt like a pack of cards: shuffled, and shuffled
//! anew when all have been dealt, so that every mix of sizes and shards keeps
//! its proportions. What belongs to shards and to the run stays as it is, and
//! gathers the sites that are there now.

use std::collections::{BTreeMap, BTreeSet};

use rand::seq::SliceRandom;
use rand::{SeedableRng, rngs::StdRng};
use reprise_model::{Plan, PlannedTask, Scope, SiteId, TaskIx};

/// The plan with as many sites as the waves hold; each task's second value is
/// the task of the first plan that it was made from.
pub fn scaled(plan: &Plan, waves: &[u32], seed: u64) -> (Plan, Vec<TaskIx>) {
    let sites = waves.iter().sum::<u32>() as usize;
    let origins = deal(plan.sites.len(), sites, seed);
    let mut copies = vec![Vec::new(); plan.sites.len()];
    for (site, origin) in (0u32..).zip(&origins) {
        copies[*origin].push(site);
    }
    let mut made = Made::default();
    for run in plan.ixs().collect::<Vec<_>>().chunk_by(same_step(plan)) {
        match plan.step_of(run[0]).scope {
            Scope::Site => made.for_sites(plan, run, &origins),
            Scope::Run | Scope::Shard => made.once(plan, run, &copies),
        }
    }
    let mut larger = plan.clone();
    larger.sites = waves_of(waves)
        .zip(origins.iter().zip(0u32..))
        .map(|(wave, (origin, number))| {
            let mut site = plan.sites[*origin].clone();
            site.wave = wave;
            site.id = SiteId::new(format!("{}~{number}", site.id));
            site
        })
        .collect();
    larger.waves = waves.to_vec();
    larger.tasks = made.tasks;
    (larger, made.origins)
}

fn same_step(plan: &Plan) -> impl Fn(&TaskIx, &TaskIx) -> bool + '_ {
    |a, b| plan.tasks[a.get()].step == plan.tasks[b.get()].step
}

fn shards_of(plan: &Plan, counts: impl Fn(usize) -> bool) -> BTreeSet<u32> {
    let sites = plan.sites.iter().enumerate();
    let counted = sites.filter(|(number, _)| counts(*number));
    counted
        .flat_map(|(_, site)| site.shards.iter().copied())
        .collect()
}

fn waves_of(waves: &[u32]) -> impl Iterator<Item = u32> {
    let numbered = (0u32..).zip(waves);
    numbered.flat_map(|(wave, size)| std::iter::repeat_n(wave, *size as usize))
}

fn deal(pack: usize, wanted: usize, seed: u64) -> Vec<usize> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut dealt = Vec::with_capacity(wanted);
    while dealt.len() < wanted && pack > 0 {
        let mut cards: Vec<usize> = (0..pack).collect();
        cards.shuffle(&mut rng);
        cards.truncate(wanted - dealt.len());
        dealt.extend(cards);
    }
    dealt
}

#[derive(Default)]
struct Made {
    tasks: Vec<PlannedTask>,
    origins: Vec<TaskIx>,
    /// The copy of a site's task, by the task and the new site.
    of_site: BTreeMap<(TaskIx, u32), TaskIx>,
    of_others: BTreeMap<TaskIx, TaskIx>,
}

impl Made {
    /// Tasks of one step for every new site, in the order of the sites.
    fn for_sites(&mut self, plan: &Plan, run: &[TaskIx], origins: &[usize]) {
        let mut of_origin: BTreeMap<usize, Vec<TaskIx>> = BTreeMap::new();
        for task in run {
            let site = plan.tasks[task.get()]
                .site
                .expect("a site's task has a site");
            of_origin.entry(site as usize).or_default().push(*task);
        }
        for (site, origin) in (0u32..).zip(origins) {
            for task in of_origin.get(origin).into_iter().flatten() {
                let needs = plan.tasks[task.get()].needs.iter();
                let needs = needs.filter_map(|need| {
                    let own = self.of_site.get(&(*need, site));
                    own.or_else(|| self.of_others.get(need)).copied()
                });
                let mut copy = plan.tasks[task.get()].clone();
                copy.needs = needs.collect();
                copy.site = Some(site);
                let copy = self.add(*task, copy);
                self.of_site.insert((*task, site), copy);
            }
        }
    }

    /// Tasks of shards and of the run, which gather all copies. A shard that
    /// has lost all its sites has nothing to do.
    fn once(&mut self, plan: &Plan, run: &[TaskIx], copies: &[Vec<u32>]) {
        let held = shards_of(plan, |_| true);
        let wanted = shards_of(plan, |site| !copies[site].is_empty());
        for task in run {
            let shard = plan.tasks[task.get()].shard;
            if shard.is_some_and(|shard| held.contains(&shard) && !wanted.contains(&shard)) {
                continue;
            }
            let mut copy = plan.tasks[task.get()].clone();
            let mut needs = Vec::new();
            for need in &copy.needs {
                match plan.tasks[need.get()].site {
                    None => needs.extend(self.of_others.get(need)),
                    Some(origin) => {
                        let sites = copies[origin as usize].iter();
                        needs.extend(sites.filter_map(|site| self.of_site.get(&(*need, *site))));
                    }
                }
            }
            needs.sort_unstable();
            copy.needs = needs;
            let copy = self.add(*task, copy);
            self.of_others.insert(*task, copy);
        }
    }

    fn add(&mut self, origin: TaskIx, task: PlannedTask) -> TaskIx {
        self.tasks.push(task);
        self.origins.push(origin);
        TaskIx::at(self.tasks.len() - 1)
    }
}

/// Waves of another number of sites where nobody knows the rule behind the
/// planned ones: a canary of one stays one, the others keep their proportions.
pub fn proportional(waves: &[u32], sites: u32) -> Vec<u32> {
    let canary = u32::from(waves.len() > 1 && waves[0] == 1 && sites > 1);
    let planned: u32 = waves.iter().sum::<u32>().saturating_sub(canary).max(1);
    let left = f64::from(sites - canary);
    let mut sizes = vec![canary];
    let (mut before, mut dealt) = (0, 0);
    for wave in &waves[canary as usize..] {
        before += wave;
        let until = (left * f64::from(before) / f64::from(planned)).round() as u32;
        sizes.push(until - dealt);
        dealt = until;
    }
    sizes.retain(|size| *size > 0);
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_keep_their_proportions_and_lose_nobody() {
        let check = |waves: &[u32], sites, expect: &[u32]| {
            assert_eq!(proportional(waves, sites), expect, "{waves:?} {sites}");
        };
        check(&[20], 10_000, &[10_000]);
        check(&[1, 1, 5, 13], 2_000, &[1, 105, 526, 1368]);
        check(&[5, 15], 40, &[10, 30]);
        check(&[1, 19], 1, &[1]);
        check(&[1, 1, 18], 2, &[1, 1]);
        check(&[3], 1, &[1]);
    }
}
