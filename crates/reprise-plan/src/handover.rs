//! No hand-over without the consistency verdict: a gate that comes after
//! restores gets a step `check.consistency` before it where the runbook has
//! none that looks at all of them.

use std::collections::{BTreeMap, BTreeSet};

use reprise_model::{Action, Retry, Runbook, Scope, Step, StepName};

use crate::steps::StepGraph;

/// What is put before gates. Empty where the runbook says it all.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Added {
    pub step: Step,
    /// Places of the gates in the runbook as it was written, ascending.
    pub gates: Vec<usize>,
}

/// The runbook with the steps that it lacks, each before its first gate.
pub(crate) fn with_consistency(runbook: &Runbook, graph: &StepGraph) -> Runbook {
    let added = missing(runbook, graph);
    let mut whole = runbook.clone();
    for added in &added {
        for gate in &added.gates {
            whole.steps[*gate].needs.push(added.step.name.clone());
        }
    }
    // From the end, so that the places before stay what they are.
    let mut added: Vec<_> = added.into_iter().map(|it| (it.gates[0], it.step)).collect();
    added.sort_by_key(|(at, _)| *at);
    for (at, step) in added.into_iter().rev() {
        whole.steps.insert(at, step);
    }
    whole
}

/// Gates that look at the same steps share one check.
pub(crate) fn missing(runbook: &Runbook, graph: &StepGraph) -> Vec<Added> {
    let mut by_work: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
    for (at, step) in runbook.steps.iter().enumerate() {
        if step.action != Action::Gate {
            continue;
        }
        let work = work_before(runbook, graph, at);
        let restores = work
            .iter()
            .any(|at| runbook.steps[*at].action == Action::Restore);
        if restores && !is_checked(runbook, graph, at, &work) {
            by_work.entry(work).or_default().push(at);
        }
    }
    let mut wanted: Vec<_> = by_work.into_iter().collect();
    wanted.sort_by_key(|(_, gates)| gates[0]);
    let mut names: BTreeSet<_> = runbook.steps.iter().map(|step| step.name.clone()).collect();
    let added = wanted.into_iter().map(|(work, gates)| Added {
        step: check(free_name(&mut names), runbook, &last_of(graph, &work)),
        gates,
    });
    added.collect()
}

/// What says which slices a gate lets through, and how far they were recovered.
fn work_before(runbook: &Runbook, graph: &StepGraph, gate: usize) -> Vec<usize> {
    let steps = runbook.steps.iter().enumerate();
    let work = steps.filter(|(at, step)| {
        let works = matches!(
            step.action,
            Action::Recover | Action::Restore | Action::Verify
        );
        works && graph.reaches(gate, *at)
    });
    work.map(|(at, _)| at).collect()
}

/// The work that no other work waits for: who needs it has waited for all.
fn last_of(graph: &StepGraph, work: &[usize]) -> Vec<usize> {
    let last = work.iter().copied();
    last.filter(|at| !work.iter().any(|later| graph.reaches(*later, *at)))
        .collect()
}

/// Whether a check of the runbook's own comes between the work and the gate,
/// for every site.
fn is_checked(runbook: &Runbook, graph: &StepGraph, gate: usize, work: &[usize]) -> bool {
    let mut steps = runbook.steps.iter().enumerate();
    steps.any(|(at, step)| {
        step.action == Action::CheckConsistency
            && step.when.is_none()
            && graph.reaches(gate, at)
            && work.iter().all(|work| graph.reaches(at, *work))
    })
}

fn free_name(names: &mut BTreeSet<StepName>) -> StepName {
    let mut name = StepName::new("consistency");
    let mut number = 1;
    while !names.insert(name.clone()) {
        number += 1;
        name = StepName::new(format!("consistency-{number}"));
    }
    name
}

fn check(name: StepName, runbook: &Runbook, work: &[usize]) -> Step {
    Step {
        name,
        scope: Scope::Site,
        action: Action::CheckConsistency,
        store: None,
        needs: work
            .iter()
            .map(|at| runbook.steps[*at].name.clone())
            .collect(),
        pool: None,
        timeout: None,
        retry: Retry::default(),
        when: None,
        expect: None,
        with: Default::default(),
    }
}
