//! Rules about a plan: what compiling left out.

use std::collections::BTreeMap;

use reprise_model::{Plan, Scope};

use super::{Severity, Warning};

/// A step of which no task is planned.
pub(super) fn step_never_planned(plan: &Plan) -> Vec<Warning> {
    let mut planned = vec![false; plan.steps.len()];
    for task in &plan.tasks {
        planned[task.step as usize] = true;
    }
    let reasons = first_reasons(plan);
    let idle = plan
        .steps
        .iter()
        .zip(planned)
        .filter(|(_, planned)| !planned);
    let warnings = idle.map(|(step, _)| {
        let reason = reasons.get(step.name.as_str());
        let reason = reason.map_or("no shard of its store holds a selected site", |why| why);
        let message = format!("no task of step {} is planned: {reason}", step.name);
        let mut warning = Warning::new(Severity::Warning, "step-never-planned", message);
        warning.step = Some(step.name.clone());
        warning.store = step.store.clone();
        warning
    });
    warnings.collect()
}

/// For each step one reason why a task of it was not planned.
fn first_reasons(plan: &Plan) -> BTreeMap<&str, &str> {
    let mut reasons = BTreeMap::new();
    for left_out in &plan.not_planned {
        let key = left_out.task.as_str();
        let step = key.split(['/', '@']).next().unwrap_or(key);
        reasons.entry(step).or_insert(left_out.why.as_str());
    }
    reasons
}

/// A selected site for which nothing is planned would look restored.
pub(super) fn site_untouched(plan: &Plan) -> Vec<Warning> {
    let mut touched = vec![false; plan.sites.len()];
    for task in &plan.tasks {
        if let (Some(site), Scope::Site) = (task.site, plan.steps[task.step as usize].scope) {
            touched[site as usize] = true;
        }
    }
    let idle = plan
        .sites
        .iter()
        .zip(touched)
        .filter(|(_, touched)| !touched);
    let warnings = idle.map(|(site, _)| {
        let message = format!("nothing is planned for site {}", site.id);
        Warning::new(Severity::Warning, "site-untouched", message)
            .hint("see `not_planned` in the plan for each step's reason")
    });
    warnings.collect()
}
