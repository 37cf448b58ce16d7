//! A runbook that was edited while its run is under way: compiled with what
//! the run has, held against the plan in force, and confirmed.

mod compile;
mod difference;
mod given;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use reprise_engine::Engine;
use reprise_engine::replan::Replanning;
use reprise_model::{Plan, Plans, RunId};
use reprise_ports::Journal;
use reprise_runner::World;

use crate::failure::Failure;
use crate::inputs::{self, EstateFile};
use crate::printer::Printer;
use crate::{confirm, hints, state};

pub use difference::{refused, text, verdicts};

/// What `resume` takes beside the run.
#[derive(Args, Clone, Debug)]
pub struct Edited {
    /// Go on with this runbook, edited meanwhile: shows the difference first,
    /// and wants it confirmed
    #[arg(long, value_name = "FILE")]
    pub runbook: Option<PathBuf>,
    /// Confirm the difference: the number of tasks that will be run
    #[arg(long, value_name = "N", requires = "runbook")]
    pub confirm: Option<u32>,
    /// Leave the recovered shards on disk, as with `run`
    #[arg(long, requires = "runbook")]
    pub keep_scratch: bool,
    /// The run's T, to be sure; another one is another run
    #[arg(long, value_name = "T")]
    pub at: Option<String>,
    /// The run's sites, to be sure: @FILE or ID,ID,...; others are another run
    #[arg(long, value_name = "SEL")]
    pub sites: Option<String>,
}

impl Edited {
    /// A changed T or list of sites is another run.
    pub fn check(&self, plan: &Plan) -> Result<(), Failure> {
        if let Some(at) = &self.at {
            given::same_time(at, plan)?;
        }
        match &self.sites {
            Some(sites) => given::same_sites(sites, plan),
            None => Ok(()),
        }
    }

    /// The plan of the edited runbook; none where it says what is in force.
    pub fn compile(
        &self,
        estate: &EstateFile,
        plan: &Plan,
        printer: &Printer,
    ) -> Result<Option<Arc<Plan>>, Failure> {
        let Some(path) = &self.runbook else {
            return Ok(None);
        };
        let mut runbook = inputs::runbook(path, &estate.estate)?;
        if self.keep_scratch {
            crate::compile::drop_releases(&mut runbook.runbook);
        }
        let edited = compile::with_what_the_run_has(estate, &runbook, plan, printer)?;
        Ok((!compile::says_the_same(plan, &edited)).then(|| Arc::new(edited)))
    }

    /// Shows the difference, looks at the shards, and wants it confirmed.
    pub async fn confirm(
        &self,
        replanning: &Replanning,
        engine: &Engine,
        world: &World,
        printer: &Printer,
    ) -> Result<(), Failure> {
        let fold = engine.fold();
        printer.talk(&text(fold, replanning));
        refused(fold, replanning)?;
        let shards = crate::survey::shards_of(&replanning.plan);
        let at = Some(replanning.plan.target_time);
        let inspected = crate::survey::inspect(world, shards, at).await;
        crate::survey::judge(&inspected, printer)?;
        confirm::work(replanning.work(), self.confirm, printer)
    }
}

/// What the new plan would mean, with the inbox taken up.
pub async fn compare(
    journal: &dyn Journal,
    run: &RunId,
    plans: &Plans,
    edited: &Arc<Plan>,
) -> Result<(Engine, Replanning), Failure> {
    let engine = state::engine(journal, run, plans.clone()).await?;
    let last = engine.fold().last_command();
    let inbox = journal.inbox(run, last).await.map_err(hints::journal)?;
    let replanning = engine.compare(&inbox, edited, inputs::now());
    Ok((engine, replanning))
}
