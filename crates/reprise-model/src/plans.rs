//! The plans of one run: the one that it was created with, and those that were
//! put in force later, after the runbook was edited.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Digest, Plan, Scope, TaskIx};

/// Never empty. Events before the first `replanned` number their tasks by the
/// first plan, events after it by the plan that it names.
#[derive(Clone, Debug)]
pub struct Plans {
    first: Arc<Plan>,
    later: Vec<Arc<Plan>>,
}

impl Plans {
    pub fn new(first: Arc<Plan>) -> Self {
        Self {
            first,
            later: Vec::new(),
        }
    }

    /// The plan that the run was created with.
    pub fn first(&self) -> &Arc<Plan> {
        &self.first
    }

    pub fn find(&self, hash: Digest) -> Option<&Arc<Plan>> {
        self.all().find(|plan| plan.hash == hash)
    }

    pub fn all(&self) -> impl Iterator<Item = &Arc<Plan>> {
        std::iter::once(&self.first).chain(&self.later)
    }

    pub fn add(&mut self, plan: Arc<Plan>) {
        if self.find(plan.hash).is_none() {
            self.later.push(plan);
        }
    }
}

impl From<Arc<Plan>> for Plans {
    fn from(first: Arc<Plan>) -> Self {
        Self::new(first)
    }
}

/// What tells two tasks of a step apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Run,
    Shard(usize),
    Site(usize),
}

/// The tasks of `new` by those of the same key in `old`, where there are such.
/// Linear but for the sorting of names and tasks.
pub fn counterparts(old: &Plan, new: &Plan) -> Vec<Option<TaskIx>> {
    let names = Names::of(old);
    let mut known: Vec<_> = old
        .ixs()
        .filter_map(|task| Some((names.place(old, task)?, task)))
        .collect();
    known.sort_unstable();
    let find = |task| {
        let place = names.place(new, task)?;
        let at = known.binary_search_by_key(&place, |(place, _)| *place);
        Some(known[at.ok()?].1)
    };
    new.ixs().map(find).collect()
}

/// Steps, sites and shards of a plan by name.
struct Names<'a> {
    steps: BTreeMap<(&'a str, Scope), usize>,
    sites: BTreeMap<&'a str, usize>,
    shards: BTreeMap<&'a str, usize>,
}

impl<'a> Names<'a> {
    fn of(plan: &'a Plan) -> Self {
        let steps = plan.steps.iter().enumerate();
        let sites = plan.sites.iter().enumerate();
        let shards = plan.shards.iter().enumerate();
        Self {
            steps: steps
                .map(|(at, step)| ((step.name.as_str(), step.scope), at))
                .collect(),
            sites: sites.map(|(at, site)| (site.id.as_str(), at)).collect(),
            shards: shards.map(|(at, s)| (s.shard.as_str(), at)).collect(),
        }
    }

    fn place(&self, plan: &Plan, task: TaskIx) -> Option<(usize, Subject)> {
        let step = plan.step_of(task);
        let at = *self.steps.get(&(step.name.as_str(), step.scope))?;
        let subject = match step.scope {
            Scope::Run => Subject::Run,
            Scope::Shard => {
                let shard = plan.shard_of(task)?;
                Subject::Shard(*self.shards.get(shard.shard.as_str())?)
            }
            Scope::Site => Subject::Site(*self.sites.get(plan.site_of(task)?.id.as_str())?),
        };
        Some((at, subject))
    }
}
