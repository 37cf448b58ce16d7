//! The graph of steps: names resolved, cycles found, one fixed order.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use petgraph::{Direction, Graph};
use reprise_model::{Estate, References, Runbook, Scope, Step, StepName, StoreId};

use crate::error::PlanError;
use crate::nearest::nearest;
use crate::options;

/// Steps by their place in the runbook; an edge leads from a need to the step
/// that has it.
pub(crate) struct StepGraph {
    graph: DiGraph<(), ()>,
    /// Each step's needs, in the runbook's order, without repetition.
    pub needs: Vec<Vec<usize>>,
}

impl StepGraph {
    /// Needs that are no steps are left out here and reported by [`mistakes`].
    pub(crate) fn of(runbook: &Runbook) -> Self {
        let by_name = places(runbook);
        let mut graph = Graph::with_capacity(runbook.steps.len(), runbook.steps.len());
        for _ in &runbook.steps {
            graph.add_node(());
        }
        let mut needs = Vec::with_capacity(runbook.steps.len());
        for (at, step) in runbook.steps.iter().enumerate() {
            let known = step.needs.iter().filter_map(|n| by_name.get(n).copied());
            let mut known: Vec<usize> = known.collect();
            known.sort_unstable();
            known.dedup();
            for &need in &known {
                graph.add_edge(NodeIndex::new(need), NodeIndex::new(at), ());
            }
            needs.push(known);
        }
        Self { graph, needs }
    }

    /// Needs before dependents; among steps that are free to come next, the
    /// one that the runbook writes first. Steps on a cycle are left out.
    pub(crate) fn order(&self) -> Vec<usize> {
        let mut open: Vec<usize> = self.needs.iter().map(Vec::len).collect();
        let free = (0..open.len()).filter(|&at| open[at] == 0);
        let mut free: BinaryHeap<Reverse<usize>> = free.map(Reverse).collect();
        let mut order = Vec::with_capacity(open.len());
        while let Some(Reverse(step)) = free.pop() {
            order.push(step);
            for next in self.dependents(step) {
                open[next] -= 1;
                if open[next] == 0 {
                    free.push(Reverse(next));
                }
            }
        }
        order
    }

    pub(crate) fn dependents(&self, step: usize) -> impl Iterator<Item = usize> {
        self.graph
            .edges_directed(NodeIndex::new(step), Direction::Outgoing)
            .map(|edge| edge.target().index())
    }

    /// Whether `step` needs `other`, directly or through others.
    pub(crate) fn reaches(&self, step: usize, other: usize) -> bool {
        let mut seen = vec![false; self.needs.len()];
        let mut todo = self.needs[step].clone();
        while let Some(at) = todo.pop() {
            if at == other {
                return true;
            }
            if !std::mem::replace(&mut seen[at], true) {
                todo.extend(&self.needs[at]);
            }
        }
        false
    }

    /// One shortest circle for each group of steps that need each other, each
    /// starting at its first step in the runbook.
    pub(crate) fn cycles(&self) -> Vec<Vec<usize>> {
        let mut starts: Vec<usize> = tarjan_scc(&self.graph)
            .into_iter()
            .filter_map(|group| group.into_iter().map(NodeIndex::index).min())
            .collect();
        starts.sort_unstable();
        starts
            .into_iter()
            .filter_map(|at| self.circle(at))
            .collect()
    }

    /// The shortest way along needs from a step back to itself.
    fn circle(&self, start: usize) -> Option<Vec<usize>> {
        let mut came_from = vec![None; self.needs.len()];
        let mut queue = VecDeque::from([start]);
        while let Some(at) = queue.pop_front() {
            for &need in &self.needs[at] {
                if need == start {
                    return Some(unwind(&came_from, start, at));
                }
                if came_from[need].is_none() {
                    came_from[need] = Some(at);
                    queue.push_back(need);
                }
            }
        }
        None
    }
}

fn unwind(came_from: &[Option<usize>], start: usize, last: usize) -> Vec<usize> {
    let mut path = vec![start, last];
    let mut at = last;
    while at != start {
        at = came_from[at].expect("every step on the way was reached from another");
        path.push(at);
    }
    if last == start {
        path.truncate(2);
    }
    path.reverse();
    path
}

fn places(runbook: &Runbook) -> BTreeMap<&StepName, usize> {
    let steps = runbook.steps.iter().enumerate();
    steps.map(|(at, step)| (&step.name, at)).collect()
}

/// The store that a step works on, and those whose listings it compares.
pub(crate) fn stores_of(step: &Step) -> Vec<StoreId> {
    let mut stores: Vec<StoreId> = step.store.iter().cloned().collect();
    if let Some(Ok(references)) = References::of(step.action, &step.with) {
        let compared = references.sides().map(|side| side.store.clone());
        stores.extend(compared);
    }
    stores.dedup();
    stores
}

/// Everything that keeps the steps from forming a graph over the estate.
pub(crate) fn mistakes(runbook: &Runbook, estate: &Estate, graph: &StepGraph) -> Vec<PlanError> {
    let by_name = places(runbook);
    let empty = runbook.pools.iter().filter(|pool| pool.slots == 0);
    let empty = empty.map(|pool| PlanError::PoolWithoutSlots {
        pool: pool.name.clone(),
    });
    let mut errors: Vec<PlanError> = empty.collect();
    for (at, step) in runbook.steps.iter().enumerate() {
        if by_name[&step.name] != at {
            let step = step.name.clone();
            errors.push(PlanError::StepTwice { step });
        }
        errors.extend(unknown_names(step, runbook, estate, &by_name));
    }
    errors.extend(graph.cycles().into_iter().map(|cycle| {
        let path = cycle.into_iter().map(|at| runbook.steps[at].name.clone());
        PlanError::Cycle {
            path: path.collect(),
        }
    }));
    errors
}

fn unknown_names(
    step: &Step,
    runbook: &Runbook,
    estate: &Estate,
    by_name: &BTreeMap<&StepName, usize>,
) -> Vec<PlanError> {
    let mut errors = Vec::new();
    let name = || step.name.clone();
    for need in step.needs.iter().filter(|n| !by_name.contains_key(n)) {
        let steps = by_name.keys().map(|name| name.as_str());
        errors.push(PlanError::UnknownNeed {
            step: name(),
            need: need.clone(),
            nearest: nearest(need.as_str(), steps).map(str::to_owned),
        });
    }
    for store in stores_of(step) {
        if estate.store(&store).is_none() {
            let stores = estate.stores.iter().map(|s| s.id.as_str());
            errors.push(PlanError::UnknownStore {
                step: name(),
                nearest: nearest(store.as_str(), stores).map(str::to_owned),
                store,
            });
        }
    }
    if let Some(store) = step.store.as_ref().and_then(|id| estate.store(id)) {
        errors.extend(options::unknown(step, store));
    }
    if step.store.is_none() && (step.scope == Scope::Shard || step.action.wants_store()) {
        errors.push(PlanError::StoreMissing {
            step: name(),
            action: step.action.as_str(),
            scope: step.scope.as_str(),
        });
    }
    if let Some(Err(why)) = References::of(step.action, &step.with) {
        let step = name();
        errors.push(PlanError::NothingCompared { step, why });
    }
    if let Some(pool) = &step.pool
        && !runbook.pools.iter().any(|p| p.name == *pool)
    {
        let pools = runbook.pools.iter().map(|p| p.name.as_str());
        errors.push(PlanError::UnknownPool {
            step: name(),
            pool: pool.clone(),
            nearest: nearest(pool.as_str(), pools).map(str::to_owned),
        });
    }
    errors
}
