use std::path::Path;
use std::sync::Arc;

use clap::Args;
use reprise_model::{Exit, Plan, Plans};
use reprise_ports::{Journal, JournalError, OwnerState, RunRow};

use super::run::unchanged;
use crate::args::{Global, Watching};
use crate::execute::{self, Job};
use crate::explain::{self, Explanation};
use crate::failure::Failure;
use crate::inputs::EstateFile;
use crate::printer::Printer;
use crate::replan::{self, Edited};
use crate::telemetry::Telemetry;
use crate::{hints, inputs, state, survey};

/// Take a run up again where it stopped, after an interruption of any kind
///
/// No finished task is repeated. A task that was under way is asked whether
/// its work was done before it is started again. A run that is alive in
/// another process is not taken over. With `--runbook` the run goes on with an
/// edited runbook: what is not touched by it is kept.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  reprise resume
  reprise resume 20260301T121500Z-3fa9c1 --wait
  reprise resume --explain
  reprise resume --runbook runbook.yaml --explain
  reprise resume --runbook runbook.yaml --confirm 37")]
pub struct Resume {
    /// The run; the newest by default
    run: Option<String>,
    /// Stay while all that is left waits at gates
    #[arg(long)]
    wait: bool,
    /// Only say what would become of each task, and why; asks no store, takes
    /// nothing over
    #[arg(long, conflicts_with_all = ["wait", "confirm"])]
    explain: bool,
    #[command(flatten)]
    watching: Watching,
    #[command(flatten)]
    edited: Edited,
}

impl Resume {
    pub async fn perform(self, global: &Global, printer: &Printer) -> Result<Exit, Failure> {
        let journal = state::open_existing(&global.state).await?;
        let row = state::row(journal.as_ref(), self.run.as_deref()).await?;
        let plans = journal.plans(&row.id).await.map_err(hints::journal)?;
        let plan = in_force(&plans, &row)?;
        self.edited.check(&plan)?;
        if self.explain && self.edited.runbook.is_none() {
            return explain(journal.as_ref(), row, plans, printer).await;
        }
        let estate = inputs::estate(&plan.estate.path)?;
        unchanged("estate", &plan.estate, &estate.source)?;
        if self.explain {
            return self
                .explain_edited(journal.as_ref(), row, &plans, &estate, printer)
                .await;
        }
        self.go_on(journal, row, plans, &estate, global, printer)
            .await
    }

    async fn go_on(
        &self,
        journal: Arc<dyn Journal>,
        row: RunRow,
        plans: Plans,
        estate: &EstateFile,
        global: &Global,
        printer: &Printer,
    ) -> Result<Exit, Failure> {
        let telemetry = Telemetry::prepare(&self.watching, printer)?;
        let plan = in_force(&plans, &row)?;
        let edited = self.edited.compile(estate, &plan, printer)?;
        let env_file = global.env_file.as_deref();
        let env_file = env_file.or(row.env_file.as_deref().map(Path::new));
        let environment = inputs::environment(env_file)?;
        let world = survey::open_world(&estate.estate, &environment, &global.state, plan.drill)?;
        printer.talk(&format!("run {}", row.id));
        let replan = match &edited {
            None => {
                if self.edited.runbook.is_some() {
                    printer.talk("the runbook says what the plan in force says");
                }
                None
            }
            Some(edited) => {
                let confirmed = async {
                    free(&row)?;
                    let (engine, replanning) =
                        replan::compare(journal.as_ref(), &row.id, &plans, edited).await?;
                    self.edited
                        .confirm(&replanning, &engine, &world, printer)
                        .await?;
                    Ok(replanning)
                };
                match confirmed.await {
                    Ok(replanning) => Some(replanning),
                    Err(failure) => {
                        world.close().await;
                        return Err(failure);
                    }
                }
            }
        };
        let job = Job {
            run: row.id,
            plans,
            plan,
            replan,
            world: Arc::new(world),
            journal,
            wait: self.wait,
            state: global.state.clone(),
            telemetry,
        };
        execute::perform(job, printer).await
    }

    async fn explain_edited(
        &self,
        journal: &dyn Journal,
        row: RunRow,
        plans: &Plans,
        estate: &EstateFile,
        printer: &Printer,
    ) -> Result<Exit, Failure> {
        let plan = in_force(plans, &row)?;
        let Some(edited) = self.edited.compile(estate, &plan, printer)? else {
            printer.talk("the runbook says what the plan in force says");
            return explain(journal, row, plans.clone(), printer).await;
        };
        let (engine, replanning) = replan::compare(journal, &row.id, plans, &edited).await?;
        let verdicts = replan::verdicts(engine.fold(), &replanning);
        let explanation = Explanation::of(row.id, edited.hash, &verdicts);
        printer.data(&explanation, || explanation.text());
        let work = replanning.work();
        printer.hint(&format!(
            "`--confirm {work}` confirms that as many tasks will be run"
        ));
        Ok(Exit::Success)
    }
}

/// The plan that the run goes by.
fn in_force(plans: &Plans, row: &RunRow) -> Result<Arc<Plan>, Failure> {
    let plan = plans.find(row.plan_hash).cloned();
    plan.ok_or_else(|| {
        Failure::new(
            Exit::JournalUnreadable,
            format!(
                "run {}: its plan {} is missing",
                row.id,
                row.plan_hash.short()
            ),
        )
        .hint("the journal was changed or damaged; restore it from a copy")
    })
}

/// Nobody is asked to confirm a plan for a run that is in other hands.
fn free(row: &RunRow) -> Result<(), Failure> {
    match &row.owner {
        OwnerState::Free => Ok(()),
        OwnerState::Alive(owner) => Err(hints::journal(JournalError::Alive {
            run: row.id.clone(),
            owner: owner.clone(),
        })),
    }
}

async fn explain(
    journal: &dyn Journal,
    row: RunRow,
    plans: Plans,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let engine = state::engine(journal, &row.id, plans).await?;
    let fold = engine.fold();
    let verdicts = explain::of_fold(fold);
    let explanation = Explanation::of(row.id, fold.plan().hash, &verdicts);
    printer.data(&explanation, || explanation.text());
    Ok(Exit::Success)
}
