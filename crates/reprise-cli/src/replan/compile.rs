//! The edited runbook with the estate, T and sites that the run has.

use std::collections::{BTreeMap, BTreeSet};

use reprise_model::{Plan, PlannedSite, counterparts};
use reprise_plan::{CompileInput, SelectedId, Selection, SiteRow};

use crate::failure::Failure;
use crate::inputs::{EstateFile, RunbookFile};
use crate::printer::Printer;
use crate::{compile, hints};

/// The list of sites is not asked for again: the catalogue that was recovered
/// for it may be gone.
pub fn with_what_the_run_has(
    estate: &EstateFile,
    runbook: &RunbookFile,
    plan: &Plan,
    printer: &Printer,
) -> Result<Plan, Failure> {
    let row = |site: &PlannedSite| {
        let mut row: SiteRow = site.attributes.clone();
        row.insert("id".to_owned(), site.id.to_string());
        row
    };
    let ids = plan.sites.iter().map(|site| SelectedId {
        id: site.id.clone(),
        place: None,
    });
    let compiled = reprise_plan::compile(CompileInput {
        estate: &estate.estate,
        estate_source: plan.estate.clone(),
        runbook: &runbook.runbook,
        runbook_source: runbook.source.clone(),
        sites: plan.sites.iter().map(row).collect(),
        selection: Selection::Ids(ids.collect()),
        target_time: plan.target_time,
        incident_time: plan.incident_time,
        drill: plan.drill,
        estimates: BTreeMap::new(),
        learned: None,
        identified: BTreeMap::new(),
    })
    .map_err(|errors| hints::plan(&errors))?;
    compile::warn(&compiled, printer)?;
    Ok(with_estimates_of(plan, compiled.plan, runbook))
}

/// What was learned and estimated for the run holds for what is the same.
fn with_estimates_of(old: &Plan, mut new: Plan, runbook: &RunbookFile) -> Plan {
    let said = runbook
        .runbook
        .steps
        .iter()
        .filter(|step| step.expect.is_some());
    let said: BTreeSet<_> = said.map(|step| &step.name).collect();
    for (at, before) in counterparts(old, &new).into_iter().enumerate() {
        let Some(before) = before else { continue };
        let step = new.tasks[at].step as usize;
        if !said.contains(&new.steps[step].name) {
            new.steps[step].expected = old.step_of(before).expected;
            new.tasks[at].expected = old.tasks[before.get()].expected;
        }
    }
    let (ours, theirs) = (&mut new.blast_radius, &old.blast_radius);
    ours.rows = theirs.rows;
    ours.bytes = theirs.bytes;
    ours.scratch_bytes = theirs.scratch_bytes;
    ours.neighbours = theirs.neighbours;
    new.sealed()
}

/// Whether nothing that a run acts by differs: names of files do not count.
pub fn says_the_same(plan: &Plan, edited: &Plan) -> bool {
    let bare = |plan: &Plan| {
        let mut plan = plan.clone();
        plan.hash = Default::default();
        plan.runbook = edited.runbook.clone();
        plan.blast_radius = edited.blast_radius.clone();
        plan
    };
    bare(plan) == bare(edited)
}
