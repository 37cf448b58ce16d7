//! A run that has, or is to have, more than one plan.

use std::sync::Arc;

use reprise_engine::Engine;
use reprise_engine::replan::Replanning;
use reprise_model::{Entry, Event, Plan, Plans, RunId, Timestamp, counterparts};
use reprise_ports::{Claim, Journal};

use crate::call::Outputs;
use crate::coordinator::RunError;

/// What a run was and is to be, where that is more than one plan.
pub struct Succession {
    /// The plans of the run, and the one to be put in force.
    pub plans: Plans,
    /// Put in force first; it must turn out as it was confirmed.
    pub replan: Option<Replanning>,
}

/// Puts the plan in force, as it was confirmed or not at all. The plan and
/// the event are durable when it returns.
pub(crate) async fn put_in_force(
    confirmed: Replanning,
    run: &RunId,
    journal: &Arc<dyn Journal>,
    claim: &mut Claim,
    engine: &mut Engine,
    outputs: &mut Outputs,
    now: Timestamp,
) -> Result<Vec<Entry>, RunError> {
    let before = engine.fold().plan().clone();
    let inbox = journal.inbox(run, engine.fold().last_command()).await?;
    let (replanning, entries) = engine.replan(&inbox, &confirmed.plan, now);
    if replanning.is_refused() || replanning.event() != confirmed.event() {
        return Err(RunError::MovedOn { run: run.clone() });
    }
    journal
        .replan(run, claim, &confirmed.plan, &entries)
        .await?;
    for entry in &entries {
        note(outputs, &before, engine.fold().plan(), entry);
    }
    Ok(entries)
}

/// Takes in what an entry says about outputs; `before` and `after` are the
/// plans in force around it.
pub(crate) fn note(outputs: &mut Outputs, before: &Arc<Plan>, after: &Arc<Plan>, entry: &Entry) {
    if let Event::Replanned { back, .. } = &entry.event {
        outputs.carry(&counterparts(before, after), back);
    }
    outputs.note(entry);
}
