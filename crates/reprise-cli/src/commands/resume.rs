use std::path::Path;
use std::sync::Arc;

use clap::Args;
use reprise_model::Exit;
use reprise_ports::{Journal, RunRow};

use super::run::unchanged;
use crate::args::{Global, Watching};
use crate::execute::{self, Job};
use crate::explain::{self, Explanation};
use crate::failure::Failure;
use crate::printer::Printer;
use crate::telemetry::Telemetry;
use crate::{hints, inputs, state, survey};

/// Take a run up again where it stopped, after an interruption of any kind
///
/// No finished task is repeated. A task that was under way is asked whether
/// its work was done before it is started again. A run that is alive in
/// another process is not taken over.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  reprise resume
  reprise resume 20260301T121500Z-3fa9c1 --wait
  reprise resume --explain")]
pub struct Resume {
    /// The run; the newest by default
    run: Option<String>,
    /// Stay while all that is left waits at gates
    #[arg(long)]
    wait: bool,
    /// Only say what would become of each task, and why; asks no store, takes
    /// nothing over
    #[arg(long, conflicts_with = "wait")]
    explain: bool,
    #[command(flatten)]
    watching: Watching,
}

impl Resume {
    pub async fn perform(self, global: &Global, printer: &Printer) -> Result<Exit, Failure> {
        let journal = state::open_existing(&global.state).await?;
        let row = state::row(journal.as_ref(), self.run.as_deref()).await?;
        if self.explain {
            return explain(journal.as_ref(), row, printer).await;
        }
        let telemetry = Telemetry::prepare(&self.watching, printer)?;
        let plan = journal.plan(&row.id).await.map_err(hints::journal)?;
        let estate = inputs::estate(&plan.estate.path)?;
        unchanged("estate", &plan.estate, &estate.source)?;
        let remembered = row.env_file.as_deref().map(Path::new);
        let env_file = global.env_file.as_deref().or(remembered);
        let environment = inputs::environment(env_file)?;
        let world = survey::open_world(&estate.estate, &environment, &global.state, plan.drill)?;
        printer.talk(&format!("run {}", row.id));
        let job = Job {
            run: row.id,
            plan: Arc::new(plan),
            world: Arc::new(world),
            journal,
            wait: self.wait,
            state: global.state.clone(),
            telemetry,
        };
        execute::perform(job, printer).await
    }
}

async fn explain(journal: &dyn Journal, row: RunRow, printer: &Printer) -> Result<Exit, Failure> {
    let engine = state::engine(journal, &row.id).await?;
    let fold = engine.fold();
    let verdicts = explain::of_fold(fold);
    let explanation = Explanation::of(row.id, fold.plan().hash, &verdicts);
    printer.data(&explanation, || explanation.text());
    Ok(Exit::Success)
}
