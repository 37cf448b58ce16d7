//! What is allowed and still probably wrong. One function for each rule.

mod checks;
mod planned;
mod pools;
mod recovery;
mod references;

use reprise_model::{Estate, Plan, Runbook, Step, StepName, StoreId};
use serde::Serialize;

use crate::steps::{self, StepGraph};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Could be better.
    Hint,
    /// Works, and is probably not what was meant.
    Warning,
    /// The run would fail.
    Error,
}

/// One finding. `code` is a stable word for scripts.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Warning {
    pub severity: Severity,
    pub code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<StepName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreId>,
    /// Facts, in lower case.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Warning {
    fn new(severity: Severity, code: &'static str, message: String) -> Self {
        Self {
            severity,
            code,
            step: None,
            store: None,
            message,
            hint: None,
        }
    }

    fn step(mut self, step: &Step) -> Self {
        self.step = Some(step.name.clone());
        self.store = step.store.clone();
        self
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A runbook as the rules look at it.
struct Looking<'a> {
    runbook: &'a Runbook,
    estate: &'a Estate,
    graph: StepGraph,
}

type Rule = fn(&Looking<'_>) -> Vec<Warning>;

const RULES: [Rule; 13] = [
    recovery::restore_without_recover,
    recovery::verify_without_restore,
    recovery::restore_without_verify,
    recovery::store_not_restored,
    recovery::release_too_early,
    checks::gate_holds_nothing,
    checks::handover_before_verify,
    checks::consistency_added,
    references::compared_too_early,
    checks::timeout_below_expectation,
    pools::pool_unused,
    pools::pool_above_slots,
    pools::recover_without_pool,
];

/// Looks at a runbook over its estate, without any site. What makes compiling
/// impossible comes first, as errors; where there is such, the rules that
/// follow the graph are not asked.
pub fn lint(runbook: &Runbook, estate: &Estate) -> Vec<Warning> {
    let graph = StepGraph::of(runbook);
    let mistakes = steps::mistakes(runbook, estate, &graph);
    if !mistakes.is_empty() {
        let errors = mistakes.iter();
        let errors = errors.map(|e| Warning::new(Severity::Error, e.code(), e.to_string()));
        return errors.collect();
    }
    let looking = Looking {
        runbook,
        estate,
        graph,
    };
    RULES.iter().flat_map(|rule| rule(&looking)).collect()
}

/// Looks at what compiling made of a runbook.
pub fn lint_plan(plan: &Plan) -> Vec<Warning> {
    [planned::step_never_planned, planned::site_untouched]
        .iter()
        .flat_map(|rule: &fn(&Plan) -> Vec<Warning>| rule(plan))
        .collect()
}
