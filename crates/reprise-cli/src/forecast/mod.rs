//! A forecast as a document, and what it is made from.

mod beliefs;
mod text;

use std::path::Path;

use reprise_model::{Digest, Plan, Runbook};
use reprise_sim::{Beliefs, Change, Forecast, forecast, proportional, scaled};
use serde::Serialize;

use crate::failure::Failure;
use crate::printer::Printer;

pub use beliefs::{Durations, beliefs};

pub const FORECAST_VERSION: u32 = 1;

/// A change that saves less than this share is not worth a hint.
const WORTH: f64 = 0.05;

/// The whole answer, as `--json` prints it.
#[derive(Serialize)]
pub struct Document {
    version: u32,
    /// Of the plan as it was compiled, before any change that was asked for.
    plan_hash: Digest,
    target_time: reprise_model::Timestamp,
    sites_planned: usize,
    tasks: usize,
    seed: u64,
    /// What has passed since the incident: it counts against the objective.
    since_incident_seconds: Option<f64>,
    rto_seconds: Option<f64>,
    durations: Durations,
    #[serde(flatten)]
    forecast: Forecast,
}

/// A plan with what is thought of its tasks.
pub struct Scaled {
    pub plan: Plan,
    pub beliefs: Beliefs,
    pub durations: Durations,
}

impl Document {
    pub fn new(scaled: &Scaled, seed: u64, since: Option<f64>, plan_hash: Digest) -> Self {
        let plan = &scaled.plan;
        Self {
            version: FORECAST_VERSION,
            plan_hash,
            target_time: plan.target_time,
            sites_planned: plan.sites.len(),
            tasks: plan.tasks.len(),
            seed,
            since_incident_seconds: since,
            durations: scaled.durations,
            rto_seconds: plan.objectives.rto.map(|rto| rto.0.as_secs_f64()),
            forecast: forecast(plan, &scaled.beliefs, seed, since.unwrap_or(0.0)),
        }
    }

    pub fn hints(&self, printer: &Printer) {
        let best = self.forecast.changes.first();
        let best = best.filter(|gain| gain.share >= WORTH);
        match best.map(|gain| &gain.change) {
            Some(Change::Pool { pool, slots }) => printer.hint(&format!(
                "`--pool {pool}={slots}` forecasts with twice the slots that help most"
            )),
            Some(Change::Slots { slots }) => {
                printer.hint(&format!("`--slots {slots}` forecasts with twice the slots"));
            }
            Some(Change::Rate { .. } | Change::NoWaves) | None => {}
        }
    }
}

/// The plan with so many sites of its mix, in the waves that its runbook would
/// make of them.
pub fn scale(planned: Scaled, sites: u32, seed: u64, printer: &Printer) -> Result<Scaled, Failure> {
    let plan = &planned.plan;
    if plan.sites.is_empty() {
        return Err(Failure::usage("the plan has no sites to take more of"));
    }
    let waves = match waves_of(plan) {
        Some(runbook) => reprise_plan::wave_sizes(&runbook.waves, sites as usize),
        None => {
            let name = &plan.runbook.name;
            printer.warning(
                &format!("runbook {name} is not there as it was: waves keep their proportions"),
                None,
            );
            proportional(&plan.waves, sites)
        }
    };
    let (larger, origins) = scaled(plan, &waves, seed);
    let beliefs = origins.into_iter().map(|task| planned.beliefs.get(task));
    Ok(Scaled {
        plan: larger,
        beliefs: Beliefs(beliefs.collect()),
        durations: planned.durations,
    })
}

/// The runbook that the plan was compiled from, if it still says the same.
fn waves_of(plan: &Plan) -> Option<Runbook> {
    let path: &Path = &plan.runbook.path;
    let text = reprise_spec::load_text(path).ok()?;
    let runbook = reprise_spec::parse_runbook(&text, path).ok()?;
    (reprise_spec::digest_of_runbook(&runbook) == plan.runbook.digest).then_some(runbook)
}
