//! The compiler's main path: select, order, place, wire, count, seal.

use reprise_model::{Elapsed, HaltLimit, PLAN_VERSION, Plan, PlannedSite, PlannedStep, Step};

use crate::blast::Counting;
use crate::error::PlanErrors;
use crate::handover;
use crate::input::CompileInput;
use crate::learn::{self, Sources};
use crate::lint::{Warning, lint, lint_plan};
use crate::own;
use crate::placement::Placement;
use crate::select::{Chosen, Roster};
use crate::steps::{self, StepGraph};
use crate::wave;
use crate::wire::Wiring;

#[derive(Clone, PartialEq, Debug)]
pub struct Compiled {
    pub plan: Plan,
    /// What is allowed and still probably wrong, about runbook and plan.
    pub warnings: Vec<Warning>,
    /// Where the expected durations come from.
    pub sources: Sources,
}

/// Compiles one plan, or says everything that is in its way.
pub fn compile(input: CompileInput<'_>) -> Result<Compiled, PlanErrors> {
    let written = input.runbook;
    let graph = StepGraph::of(written);
    PlanErrors::none_in(steps::mistakes(written, input.estate, &graph))?;
    let runbook = &handover::with_consistency(written, &graph);
    let graph = StepGraph::of(runbook);
    let input = &CompileInput { runbook, ..input };
    let roster = Roster::of(&input.sites)?;
    let chosen = roster.select(&input.selection, &input.identified)?;
    let waves = wave::sizes(&runbook.waves, chosen.len());
    let sites = wave::canary_first(chosen, &waves);
    let placement = Placement::of(input.estate, runbook, &sites)?;
    own::each_its_own(placement.stores(), &roster, &sites)?;
    let wiring = Wiring {
        runbook,
        graph: &graph,
        placement: &placement,
        sites: &sites,
    };
    let wired = wiring.wire()?;
    let counting = Counting {
        input,
        roster: &roster,
        placement: &placement,
        sites: &sites,
        tasks: &wired.tasks,
    };
    let blast_radius = counting.count();
    let mut sources = Sources {
        runs: input.learned.map_or(0, |lessons| lessons.runs()),
        ..Sources::default()
    };
    let mut plan = Plan {
        version: PLAN_VERSION,
        hash: Default::default(),
        target_time: input.target_time,
        incident_time: input.incident_time,
        drill: input.drill,
        estate: input.estate_source.clone(),
        runbook: input.runbook_source.clone(),
        objectives: input.estate.objectives,
        halt_above: halt_above(input, sites.len()),
        halt_on_checks: input.runbook.halt.checks,
        slots: runbook.slots,
        pools: runbook.pools.clone(),
        sites: planned_sites(&sites, &waves, &placement),
        shards: placement.shards,
        waves,
        steps: runbook
            .steps
            .iter()
            .map(|step| planned_step(step, sources.expect_step(step, input.learned)))
            .collect(),
        tasks: wired.tasks,
        not_planned: wired.not_planned,
        blast_radius,
    };
    if let Some(lessons) = input.learned {
        learn::expect(&mut plan, lessons);
    }
    let mut warnings = lint(written, input.estate);
    warnings.extend(lint_plan(&plan));
    Ok(Compiled {
        plan: plan.sealed(),
        warnings,
        sources,
    })
}

/// Shares round down: a limit is never looser than what was written.
fn halt_above(input: &CompileInput<'_>, sites: usize) -> Option<u32> {
    input.runbook.halt.failed_sites.map(|limit| match limit {
        HaltLimit::Sites(count) => count,
        HaltLimit::Percent(share) => (sites as f64 * share / 100.0).floor() as u32,
    })
}

fn planned_sites(
    sites: &[Chosen<'_>],
    waves: &[u32],
    placement: &Placement<'_>,
) -> Vec<PlannedSite> {
    let numbered = sites.iter().zip(wave::numbers(waves)).enumerate();
    let planned = numbered.map(|(at, (site, wave))| PlannedSite {
        id: site.id.clone(),
        wave,
        attributes: site.attributes(),
        shards: placement.all_of(at),
    });
    planned.collect()
}

fn planned_step(step: &Step, expected: Elapsed) -> PlannedStep {
    PlannedStep {
        name: step.name.clone(),
        scope: step.scope,
        action: step.action,
        store: step.store.clone(),
        needs: step.needs.clone(),
        pool: step.pool.clone(),
        timeout: step.timeout,
        retry: step.retry,
        expected,
        with: step.with.clone(),
    }
}
