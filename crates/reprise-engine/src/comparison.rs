//! The plan in force beside another one: how each task differs, and what the
//! resume table makes of it. Gone through in the order of the needs, because
//! what is done again makes what comes after it change as well.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reprise_model::{Action, Plan, PlannedStep, ShardId, StoreId, TaskIx, TaskState, counterparts};

use crate::fold::Fold;
use crate::ledger::Blame;
use crate::orphans::{Restored, is_replaced, restored};
use crate::replan::{Compared, Replanning};
use crate::resume::{Change, Decision, Kind, Probed, Status, decide};
use crate::topology::Topology;

impl Fold {
    /// What the resume table says about each task under `plan`.
    pub fn compare(&self, plan: &Arc<Plan>) -> Replanning {
        let comparison = Comparison::of(self, plan);
        let tasks = comparison.settle();
        Replanning {
            plan: plan.clone(),
            dropped: comparison.dropped(),
            tasks,
        }
    }
}

type Slice = (StoreId, ShardId);

struct Comparison<'a> {
    old: &'a Fold,
    new: Topology,
    /// For each new task the old one of its key.
    before: Vec<Option<TaskIx>>,
    /// For each old task the new one of its key.
    after: Vec<Option<TaskIx>>,
    /// For each step of the new plan that the old one has: how they differ.
    steps: Vec<Option<Change>>,
    /// Steps of the old plan that each of its steps needs, through any others.
    reach: Vec<BTreeSet<usize>>,
    /// Old steps by those of the new plan.
    old_step: Vec<Option<usize>>,
    /// Restored by steps that are no more, or stand for something else.
    orphans: BTreeSet<Restored>,
    /// Shards whose scratch was, or may have been, released.
    released: BTreeSet<Slice>,
}

/// What is known while tasks are gone through.
#[derive(Default)]
struct Known {
    /// Sites that stay set aside.
    blocked: BTreeSet<u32>,
    /// Shards whose scratch is wanted again.
    wanted: BTreeSet<Slice>,
}

impl<'a> Comparison<'a> {
    fn of(old: &'a Fold, plan: &Arc<Plan>) -> Self {
        let before = counterparts(old.plan(), plan);
        let mut after = vec![None; old.plan().tasks.len()];
        for (at, task) in before.iter().enumerate() {
            if let Some(task) = task {
                after[task.get()] = Some(TaskIx::at(at));
            }
        }
        let place = |step: &PlannedStep| {
            let same = |other: &PlannedStep| other.name == step.name && other.scope == step.scope;
            old.plan().steps.iter().position(same)
        };
        let old_step: Vec<_> = plan.steps.iter().map(place).collect();
        let pairs = plan.steps.iter().zip(&old_step);
        let steps = pairs.map(|(step, at)| Some(difference(&old.plan().steps[(*at)?], step)));
        Self {
            steps: steps.collect(),
            old_step,
            reach: reach(old.plan()),
            released: released(old),
            orphans: old.orphans_under(plan, &before),
            new: Topology::new(plan.clone()),
            old,
            before,
            after,
        }
    }

    /// Which sites stay set aside, and whose scratch is wanted, follows from
    /// the rows, and rows follow from both. Going through the tasks again only
    /// ever adds to either, so that it ends.
    fn settle(&self) -> Vec<Compared> {
        let mut known = Known::default();
        loop {
            let tasks = self.go_through(&known);
            let found = Known {
                blocked: self.blocked(&tasks, &known.blocked),
                wanted: self.wanted(&tasks, &known.wanted),
            };
            let grown = found.blocked.len() > known.blocked.len()
                || found.wanted.len() > known.wanted.len();
            if !grown {
                return tasks;
            }
            known = found;
        }
    }

    fn go_through(&self, known: &Known) -> Vec<Compared> {
        let plan = &self.new.plan;
        let mut tasks: Vec<Compared> = Vec::with_capacity(plan.tasks.len());
        // Something that the task needs works again, or it does itself; for a
        // gate a check that looks again is enough.
        let mut moved = vec![false; plan.tasks.len()];
        let mut looked = vec![false; plan.tasks.len()];
        for task in plan.ixs() {
            let among = |flags: &[bool]| self.new.needs(task).iter().any(|need| flags[need.get()]);
            let (upstream, seen) = (among(&moved), among(&looked));
            let is_gate = self.new.action(task) == Action::Gate;
            let compared = self.compare(task, upstream || (is_gate && seen), &tasks, known);
            moved[task.get()] = upstream || self.changes_others(&compared);
            looked[task.get()] = seen || works_again(&compared);
            tasks.push(compared);
        }
        tasks
    }

    fn compare(
        &self,
        task: TaskIx,
        upstream: bool,
        earlier: &[Compared],
        known: &Known,
    ) -> Compared {
        let action = self.new.action(task);
        let Some(before) = self.before[task.get()] else {
            let change = match self.is_twin(task) {
                true => Change::Twin,
                false => Change::New,
            };
            let status = Status::NotTried;
            let row = decide(status, Kind::of(action), change, Probed::NotAsked);
            return Compared {
                task,
                status,
                change,
                row,
            };
        };
        let change = self.change(task, before, upstream, known);
        let status = match self.old.status(before) {
            Status::Skipped if !self.is_obstructed(task, earlier, known) => Status::Freed,
            status => status,
        };
        let row = decide(status, self.old.kind(before), change, Probed::NotAsked);
        Compared {
            task,
            status,
            change,
            row,
        }
    }

    fn change(&self, task: TaskIx, before: TaskIx, upstream: bool, known: &Known) -> Change {
        let step = self.new.plan.tasks[task.get()].step as usize;
        let of_step = self.steps[step].expect("the task is in both plans, and so is its step");
        let mut change = of_step;
        if self.has_new_need(task, before) {
            change = change.max(Change::Order);
        }
        let scratch = Kind::of(self.new.action(task)) == Kind::Scratch;
        if scratch
            && self
                .slice(task)
                .is_some_and(|slice| known.wanted.contains(&slice))
        {
            change = change.max(Change::Wanted);
        }
        if upstream {
            change = change.max(Change::Upstream);
        }
        if change == Change::Replaced && self.is_twin(task) {
            change = Change::Twin;
        }
        change
    }

    /// Whether it needs a task that it did not need before, directly or
    /// through the steps between.
    fn has_new_need(&self, task: TaskIx, before: TaskIx) -> bool {
        let step = self.old.plan().tasks[before.get()].step as usize;
        let needs = self.new.needs(task).iter();
        needs
            .map(|need| (need, self.before[need.get()]))
            .any(|(need, earlier)| match earlier {
                None => true,
                Some(earlier) => {
                    let direct = || self.old.topology.needs(before).contains(&earlier);
                    let place = self.old_step[self.new.plan.tasks[need.get()].step as usize];
                    let through = place.is_some_and(|place| self.reach[step].contains(&place));
                    !through && !direct()
                }
            })
    }

    /// Whether what it does is felt by those that come after it.
    fn changes_others(&self, compared: &Compared) -> bool {
        works_again(compared)
            && match self.new.action(compared.task) {
                Action::Restore | Action::Recover | Action::Exec => true,
                Action::Verify
                | Action::HttpCheck
                | Action::TcpCheck
                | Action::CheckConsistency
                | Action::CheckReferences
                | Action::Release
                | Action::Gate => false,
            }
    }

    /// Whether what it was skipped for stays as it is.
    fn is_obstructed(&self, task: TaskIx, earlier: &[Compared], known: &Known) -> bool {
        let site = self.new.plan.tasks[task.get()].site;
        if site.is_some_and(|site| known.blocked.contains(&site)) {
            return true;
        }
        let mut hope = self.new.needs(task).is_empty();
        for need in self.new.needs(task) {
            let stands = stays_unsuccessful(&earlier[need.get()]);
            if stands && !self.new.tolerates(task, *need) {
                return true;
            }
            hope |= !stands;
        }
        !hope
    }

    /// Sites of which work failed and stays so.
    fn blocked(&self, tasks: &[Compared], known: &BTreeSet<u32>) -> BTreeSet<u32> {
        let failed = tasks.iter().filter(|compared| {
            let before = self.before[compared.task.get()];
            let work_failed = |before: TaskIx| {
                self.old.state(before) == TaskState::Failed
                    && self.old.ledger.slot(before).blame == Blame::Work
            };
            stays_unsuccessful(compared) && before.is_some_and(work_failed)
        });
        let sites = failed.filter_map(|it| self.new.plan.tasks[it.task.get()].site);
        sites.chain(known.iter().copied()).collect()
    }

    /// Shards whose scratch is gone, and from which something will be read.
    fn wanted(&self, tasks: &[Compared], known: &BTreeSet<Slice>) -> BTreeSet<Slice> {
        let readers = tasks.iter().filter(|compared| {
            let reads = matches!(
                self.new.action(compared.task),
                Action::Restore | Action::Verify
            );
            reads && compared.row.decision.is_work()
        });
        let slices = readers.filter_map(|reader| self.slice(reader.task));
        let gone = slices.filter(|slice| self.released.contains(slice));
        gone.chain(known.iter().cloned()).collect()
    }

    fn slice(&self, task: TaskIx) -> Option<Slice> {
        slice(&self.new.plan, task)
    }

    /// A restore of a slice that was brought back, or may have been, by a step
    /// that is dropped or stands for something else.
    fn is_twin(&self, task: TaskIx) -> bool {
        self.new.action(task) == Action::Restore
            && restored(&self.new.plan, task).is_some_and(|it| self.orphans.contains(&it))
    }

    fn dropped(&self) -> Vec<Compared> {
        let gone = self
            .old
            .plan()
            .ixs()
            .filter(|task| self.after[task.get()].is_none());
        gone.map(|task| {
            let (status, change) = (self.old.status(task), Change::Dropped);
            Compared {
                task,
                status,
                change,
                row: decide(status, self.old.kind(task), change, Probed::NotAsked),
            }
        })
        .collect()
    }
}

/// Scratch that is made again is the same scratch.
fn works_again(compared: &Compared) -> bool {
    compared.row.decision.is_work() && compared.change != Change::Wanted
}

fn stays_unsuccessful(compared: &Compared) -> bool {
    let unsuccessful = matches!(
        compared.status,
        Status::Failed | Status::FailedUncertain | Status::Skipped
    );
    unsuccessful && compared.row.decision == Decision::Keep
}

fn slice(plan: &Plan, task: TaskIx) -> Option<Slice> {
    let shard = plan.shard_of(task)?;
    Some((shard.store.clone(), shard.shard.clone()))
}

fn difference(old: &PlannedStep, new: &PlannedStep) -> Change {
    if is_replaced(old, new) {
        Change::Replaced
    } else if old.with != new.with {
        Change::Work
    } else if (old.timeout, old.retry, &old.pool) != (new.timeout, new.retry, &new.pool) {
        Change::Handling
    } else {
        Change::Same
    }
}

fn reach(plan: &Plan) -> Vec<BTreeSet<usize>> {
    let places: BTreeMap<_, _> = plan
        .steps
        .iter()
        .enumerate()
        .map(|(at, step)| (&step.name, at))
        .collect();
    let reached_from = |start: usize| {
        let mut seen = BTreeSet::new();
        let mut todo = vec![start];
        while let Some(at) = todo.pop() {
            let needs = plan.steps[at].needs.iter();
            let needs = needs.filter_map(|need| places.get(need).copied());
            todo.extend(needs.filter(|need| seen.insert(*need)));
        }
        seen
    };
    (0..plan.steps.len()).map(reached_from).collect()
}

/// Shards of which a release has begun.
fn released(fold: &Fold) -> BTreeSet<Slice> {
    let plan = fold.plan();
    let releases = plan
        .ixs()
        .filter(|task| fold.topology.action(*task) == Action::Release);
    let begun = releases.filter(|task| fold.ledger.slot(*task).attempt > 0);
    begun.filter_map(|task| slice(plan, task)).collect()
}
