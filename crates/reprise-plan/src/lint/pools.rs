//! Rules about pools.

use reprise_model::Action;

use super::{Looking, Severity, Warning};

pub(super) fn pool_unused(looking: &Looking<'_>) -> Vec<Warning> {
    let steps = &looking.runbook.steps;
    let pools = looking.runbook.pools.iter();
    let unused = pools.filter(|p| !steps.iter().any(|s| s.pool.as_ref() == Some(&p.name)));
    let warnings = unused.map(|pool| {
        let message = format!("no step uses pool {}", pool.name);
        Warning::new(Severity::Warning, "pool-unused", message)
            .hint(format!("remove it, or add `pool: {}` to a step", pool.name))
    });
    warnings.collect()
}

/// Slots that can never all be in use: the sum is meant to bind before the parts.
pub(super) fn pool_above_slots(looking: &Looking<'_>) -> Vec<Warning> {
    let Some(slots) = looking.runbook.slots else {
        return Vec::new();
    };
    let above = looking.runbook.pools.iter().filter(|p| p.slots > slots);
    let warnings = above.map(|pool| {
        let message = format!(
            "pool {} has {} slots, and the runbook {slots} over all pools",
            pool.name, pool.slots
        );
        Warning::new(Severity::Warning, "pool-above-slots", message)
            .hint(format!("raise `slots`, or give the pool {slots} at most"))
    });
    warnings.collect()
}

/// Recoveries are heavy on disk and memory, and unbounded they all start at once.
pub(super) fn recover_without_pool(looking: &Looking<'_>) -> Vec<Warning> {
    let recovers = looking.steps_that(Action::Recover, None);
    let warnings = recovers.filter(|(_, s)| s.pool.is_none()).map(|(_, step)| {
        let message = format!("step {} recovers all its shards at once", step.name);
        Warning::new(Severity::Hint, "recover-without-pool", message)
            .step(step)
            .hint("give it a `pool` with as many slots as the machine can bear")
    });
    warnings.collect()
}
