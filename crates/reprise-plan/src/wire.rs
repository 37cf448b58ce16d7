//! From the graph of steps to the graph of tasks: scopes wired by rule.
//!
//! | a task of | needs a step of scope run | shard | site |
//! |---|---|---|---|
//! | run | it | all its shards | all sites |
//! | shard | it | same store: its own shard; another store: all shards | the sites on it |
//! | site | it | the shard that holds the site's slice | the same site |
//!
//! A task that is not planned passes its needs on to those that need it.
//! The number of edges is linear in tasks but where a step of one store's
//! shards needs another store's: shards times shards, and where a whole scope
//! is passed through; [`MAX_EDGES`] bounds both.

use reprise_model::{NotPlanned, PlannedTask, Runbook, Scope, Step, StoreId, TaskIx, TaskKey};

use crate::error::{PlanError, PlanErrors};
use crate::placement::Placement;
use crate::render::{self, Facts};
use crate::select::Chosen;
use crate::steps::{StepGraph, stores_of};

/// At 4 bytes an edge, what a plan may weigh in memory on a small machine.
pub(crate) const MAX_EDGES: usize = 50_000_000;

#[derive(Debug, Default)]
pub(crate) struct Wired {
    pub tasks: Vec<PlannedTask>,
    pub not_planned: Vec<NotPlanned>,
}

/// What a task of a step is for.
#[derive(Clone, Copy, Debug)]
enum Subject {
    Run,
    Shard(u32),
    Site(u32),
}

/// What became of a step for one subject.
enum Slot {
    Planned(TaskIx),
    /// Not planned: whoever needs it needs these instead.
    Passed(Vec<TaskIx>),
}

/// For each subject of a step, in order. Shards count from the store's first.
struct Slots {
    first: usize,
    of: Vec<Slot>,
}

pub(crate) struct Wiring<'a> {
    pub runbook: &'a Runbook,
    pub graph: &'a StepGraph,
    pub placement: &'a Placement<'a>,
    pub sites: &'a [Chosen<'a>],
}

impl Wiring<'_> {
    pub(crate) fn wire(&self) -> Result<Wired, PlanErrors> {
        let mut wired = Wired::default();
        let mut errors = Vec::new();
        let mut edges = 0;
        let mut slots: Vec<Option<Slots>> = self.runbook.steps.iter().map(|_| None).collect();
        for at in self.graph.order() {
            let step = &self.runbook.steps[at];
            let (first, subjects) = self.subjects(step);
            let mut of = Vec::with_capacity(subjects.len());
            for subject in subjects {
                let needs = self.needs(at, subject, &slots);
                edges += needs.len();
                if edges > MAX_EDGES {
                    let step = step.name.clone();
                    let limit = MAX_EDGES;
                    return Err(PlanError::TooManyEdges { step, limit }.into());
                }
                match self.why_not(step, subject) {
                    Ok(None) => of.push(Slot::Planned(self.plan(&mut wired, at, subject, needs))),
                    Ok(Some(why)) => {
                        let task = self.key(step, subject);
                        wired.not_planned.push(NotPlanned { task, why });
                        of.push(Slot::Passed(needs));
                    }
                    Err(error) => add(&mut errors, error),
                }
            }
            slots[at] = Some(Slots { first, of });
            // Slots of a broken step are incomplete, so nothing may look at them.
            PlanErrors::none_in(std::mem::take(&mut errors))?;
        }
        Ok(wired)
    }

    /// The subjects of a step, and the number of the first.
    fn subjects(&self, step: &Step) -> (usize, Vec<Subject>) {
        match (step.scope, &step.store) {
            (Scope::Run, _) => (0, vec![Subject::Run]),
            (Scope::Site, _) => {
                let sites = (0u32..).take(self.sites.len());
                (0, sites.map(Subject::Site).collect())
            }
            (Scope::Shard, Some(store)) => {
                let shards = self.placement.shards_of(store);
                let first = shards.start;
                (first, shards.map(|at| Subject::Shard(at as u32)).collect())
            }
            (Scope::Shard, None) => (0, Vec::new()),
        }
    }

    fn plan(&self, wired: &mut Wired, step: usize, subject: Subject, needs: Vec<TaskIx>) -> TaskIx {
        let task = TaskIx::at(wired.tasks.len());
        let (site, shard) = match subject {
            Subject::Run => (None, None),
            Subject::Shard(shard) => (None, Some(shard)),
            Subject::Site(site) => (Some(site), self.slice_shard(step, site)),
        };
        wired.tasks.push(PlannedTask {
            step: step as u32,
            site,
            shard,
            needs,
            expected: None,
        });
        task
    }

    /// The shard that a site's task works on, where its step names a store.
    fn slice_shard(&self, step: usize, site: u32) -> Option<u32> {
        let store = self.runbook.steps[step].store.as_ref()?;
        self.placement.shard_of(store, site)
    }

    /// Why the step is not planned for the subject; `None` where it is.
    fn why_not(&self, step: &Step, subject: Subject) -> Result<Option<String>, PlanError> {
        let mut facts = Facts::default();
        match subject {
            Subject::Run => {}
            Subject::Shard(shard) => facts.shard = Some(self.placement.facts_of(shard).1),
            Subject::Site(site) => {
                let chosen = &self.sites[site as usize];
                facts.site = Some((chosen.id, chosen.row));
                if let Some(store) = &step.store {
                    let Some(shard) = self.placement.shard_of(store, site) else {
                        return Ok(Some(format!("store {store} holds no slice of the site")));
                    };
                    facts.shard = Some(self.placement.facts_of(shard).1);
                } else if let Some(store) = self.nothing_to_compare(step, site) {
                    return Ok(Some(format!("store {store} holds no slice of the site")));
                }
            }
        }
        let Some(when) = &step.when else {
            return Ok(None);
        };
        match render::condition(&format!("steps.{}.when", step.name), when, facts) {
            Ok(true) => Ok(None),
            Ok(false) => Ok(Some(format!("`when: {when}` does not hold"))),
            Err(reason) => Err(PlanError::Condition {
                step: step.name.clone(),
                subject: self.name(subject),
                reason,
                others: 0,
            }),
        }
    }

    /// A store of the step's listings that has nothing of the site.
    fn nothing_to_compare(&self, step: &Step, site: u32) -> Option<StoreId> {
        let mut stores = stores_of(step).into_iter();
        stores.find(|store| self.placement.shard_of(store, site).is_none())
    }

    fn name(&self, subject: Subject) -> String {
        match subject {
            Subject::Run => "the run".to_owned(),
            Subject::Shard(shard) => {
                let (store, shard) = self.placement.facts_of(shard);
                format!("shard {shard} of store {store}")
            }
            Subject::Site(site) => format!("site {}", self.sites[site as usize].id),
        }
    }

    fn key(&self, step: &Step, subject: Subject) -> TaskKey {
        match subject {
            Subject::Run => TaskKey::of_run(&step.name),
            Subject::Shard(shard) => {
                TaskKey::of_shard(&step.name, self.placement.facts_of(shard).1)
            }
            Subject::Site(site) => TaskKey::of_site(&step.name, self.sites[site as usize].id),
        }
    }

    /// Every task that the step needs for the subject, ascending, each once.
    fn needs(&self, step: usize, subject: Subject, slots: &[Option<Slots>]) -> Vec<TaskIx> {
        let mut found = Vec::new();
        let mut todo = self.graph.needs[step].clone();
        let mut passed = Vec::new();
        while let Some(need) = todo.pop() {
            let slots = slots[need]
                .as_ref()
                .expect("steps are wired after their needs");
            let at_hand = self.counterparts(need, subject);
            let mut any = false;
            at_hand.for_each(slots, |slot| {
                any = true;
                match slot {
                    Slot::Planned(task) => found.push(*task),
                    Slot::Passed(tasks) => found.extend(tasks),
                }
            });
            // A step that knows no such subject passes its own needs through.
            if !any && !passed.contains(&need) {
                passed.push(need);
                todo.extend(&self.graph.needs[need]);
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The rule: which subjects of the needed step a task waits for.
    fn counterparts(&self, need: usize, subject: Subject) -> Counterparts<'_> {
        let step = &self.runbook.steps[need];
        let everything = Counterparts::All;
        match (subject, step.scope) {
            (_, Scope::Run) | (Subject::Run, Scope::Shard | Scope::Site) => everything,
            (Subject::Site(site), Scope::Site) => Counterparts::One(Some(site)),
            (Subject::Site(site), Scope::Shard) => Counterparts::One(self.slice_shard(need, site)),
            (Subject::Shard(shard), Scope::Site) => {
                Counterparts::Sites(self.placement.sites_on(shard))
            }
            (Subject::Shard(shard), Scope::Shard) => {
                let same = step.store.as_ref() == Some(self.placement.facts_of(shard).0);
                if same {
                    Counterparts::One(Some(shard))
                } else {
                    everything
                }
            }
        }
    }
}

/// A condition that fails for one site mostly fails for all.
fn add(errors: &mut Vec<PlanError>, error: PlanError) {
    match errors.last_mut() {
        Some(PlanError::Condition { others, .. }) => *others += 1,
        _ => errors.push(error),
    }
}

enum Counterparts<'s> {
    All,
    One(Option<u32>),
    Sites(&'s [u32]),
}

impl Counterparts<'_> {
    fn for_each(&self, slots: &Slots, mut act: impl FnMut(&Slot)) {
        match self {
            Self::All => slots.of.iter().for_each(act),
            Self::One(Some(at)) => act(&slots.of[*at as usize - slots.first]),
            Self::One(None) => {}
            Self::Sites(sites) => sites.iter().for_each(|&at| act(&slots.of[at as usize])),
        }
    }
}
