//! Rules about gates and times.

use reprise_model::{Action, StepName, format_duration};

use crate::handover;

use super::{Looking, Severity, Warning};

/// A gate that nothing needs is a hand-over when it waits for work, and
/// decides nothing when it does not.
pub(super) fn gate_holds_nothing(looking: &Looking<'_>) -> Vec<Warning> {
    let gates = looking.steps_that(Action::Gate, None);
    let idle = gates.filter(|(at, step)| {
        looking.graph.dependents(*at).next().is_none() && step.needs.is_empty()
    });
    let warnings = idle.map(|(_, step)| {
        let message = format!(
            "gate {} waits for nothing and nothing waits for it",
            step.name
        );
        Warning::new(Severity::Warning, "gate-holds-nothing", message)
            .step(step)
            .hint("name it in the needs of the steps that it should hold back")
    });
    warnings.collect()
}

/// A gate at the end of the runbook is a hand-over: everything must have been
/// verified by then.
pub(super) fn handover_before_verify(looking: &Looking<'_>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (at, gate) in looking.steps_that(Action::Gate, None) {
        let is_last = looking.graph.dependents(at).next().is_none();
        if !is_last || gate.needs.is_empty() {
            continue;
        }
        let missed = looking.steps_that(Action::Verify, None);
        let missed = missed.filter(|(verify, _)| !looking.graph.reaches(at, *verify));
        let missed: Vec<&str> = missed.map(|(_, s)| s.name.as_str()).collect();
        if missed.is_empty() {
            continue;
        }
        let missed = missed.join(", ");
        let message = format!("gate {} hands over without waiting for {missed}", gate.name);
        warnings.push(
            Warning::new(Severity::Warning, "handover-before-verify", message)
                .step(gate)
                .hint(format!("add {missed} to its needs")),
        );
    }
    warnings
}

/// Nobody hands over what was not held against one moment: what the compiler
/// adds for that is told.
pub(super) fn consistency_added(looking: &Looking<'_>) -> Vec<Warning> {
    let added = handover::missing(looking.runbook, &looking.graph).into_iter();
    let hints = added.map(|added| {
        let gates = added.gates.iter();
        let gates: Vec<_> = gates
            .map(|at| looking.runbook.steps[*at].name.as_str())
            .collect();
        let message = format!(
            "step {} is added before gate {}: all stores of a site at one moment, before it is handed over",
            added.step.name,
            gates.join(", ")
        );
        Warning::new(Severity::Hint, "consistency-added", message)
            .step(&added.step)
            .hint("write a step with `action: check.consistency` to give it another name or pool")
    });
    hints.collect()
}

pub(super) fn timeout_below_expectation(looking: &Looking<'_>) -> Vec<Warning> {
    let steps = looking.runbook.steps.iter();
    let warnings = steps.filter_map(|step| {
        let (timeout, expect) = (step.timeout?, step.expect?);
        (timeout.0 < expect.0).then(|| {
            let name: &StepName = &step.name;
            let (timeout, expect) = (format_duration(timeout.0), format_duration(expect.0));
            let message =
                format!("step {name} is ended after {timeout} and expected to take {expect}");
            Warning::new(Severity::Warning, "timeout-below-expectation", message)
                .step(step)
                .hint("raise its `timeout`, or lower `expect`")
        })
    });
    warnings.collect()
}
