use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use reprise_model::{Exit, Plan, SourceFile};
use reprise_ports::NewRun;

use crate::args::{Global, PlanOptions, Watching};
use crate::compile::{self, Prepared};
use crate::execute::{self, Job};
use crate::failure::Failure;
use crate::printer::Printer;
use crate::telemetry::Telemetry;
use crate::{confirm, hints, inputs, state, survey};

/// Restore: execute a plan, from its file or from the same options as `plan`
///
/// Shows the blast radius first and wants it confirmed by the number of
/// sites; without a terminal, by `--confirm`. Every outcome is durable before
/// anything that depends on it starts: after any interruption, kill -9
/// included, `reprise resume` goes on. Ctrl-C once ends what runs in order,
/// twice stops at once.
#[derive(Args, Debug)]
#[command(
    override_usage = "reprise run [OPTIONS] PLAN.json\n       reprise run [OPTIONS] -e FILE -r FILE --at T --sites SEL",
    after_help = "Examples:
  reprise run plan.json
  reprise run plan.json --confirm 20 --wait
  reprise run -e estate.yaml -r runbook.yaml --at 2026-03-01T12:00:00Z --sites @deleted.txt \\
              --incident-time 2026-03-01T12:04:00Z"
)]
pub struct Run {
    /// The plan, as `reprise plan -o` wrote it
    #[arg(
        value_name = "PLAN.json",
        conflicts_with_all = ["estate", "runbook", "at", "sites", "incident_time", "keep_scratch", "recover"],
        required_unless_present = "estate"
    )]
    plan: Option<PathBuf>,
    #[command(flatten)]
    options: Option<PlanOptions>,
    /// Confirm the blast radius: the number of sites in the plan
    #[arg(long, value_name = "N")]
    confirm: Option<u32>,
    /// Stay while all that is left waits at gates
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    watching: Watching,
}

impl Run {
    pub async fn perform(self, global: &Global, printer: &Printer) -> Result<Exit, Failure> {
        let telemetry = Telemetry::prepare(&self.watching, printer)?;
        let prepared = match (&self.plan, &self.options) {
            (Some(path), _) => from_file(path, global, printer).await?,
            (None, Some(options)) => compile::from_options(options, global, printer).await?,
            (None, None) => return Err(Failure::usage("neither a plan nor the options of one")),
        };
        if let Err(failure) = confirm::blast_radius(&prepared.plan, self.confirm, printer) {
            prepared.world.close().await;
            return Err(failure);
        }
        let Prepared { plan, world } = prepared;
        let job = match create(plan, global).await {
            Ok((run, plan, journal)) => Job {
                run,
                plans: plan.clone().into(),
                plan,
                replan: None,
                world,
                journal,
                wait: self.wait,
                state: global.state.clone(),
                telemetry,
            },
            Err(failure) => {
                world.close().await;
                return Err(failure);
            }
        };
        printer.talk(&format!("run {}", job.run));
        execute::perform(job, printer).await
    }
}

type Created = (
    reprise_model::RunId,
    Arc<Plan>,
    Arc<dyn reprise_ports::Journal>,
);

async fn create(plan: Plan, global: &Global) -> Result<Created, Failure> {
    let journal = state::open(&global.state).await?;
    let now = inputs::now();
    let run = reprise_runner::new_run_id(now);
    let env_file = global.env_file.as_deref().map(|path| {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        path.display().to_string()
    });
    let new = NewRun {
        id: run.clone(),
        plan: &plan,
        created: now,
        env_file,
    };
    journal.create(&new).await.map_err(hints::journal)?;
    Ok((run, Arc::new(plan), journal))
}

/// Reads a plan and verifies that it is as it was made.
pub fn plan_file(path: &Path) -> Result<Plan, Failure> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("{shown} cannot be read: {error}")))?;
    let plan: Plan = serde_json::from_str(&text).map_err(|error| {
        Failure::refused(format!("{shown} is not a plan: {error}"))
            .hint("`reprise plan ... -o FILE` makes one")
    })?;
    reprise_plan::verify_plan(&plan).map_err(|fault| hints::plan_file(&shown, &fault))?;
    Ok(plan)
}

/// A plan from a file is believed only after its hash, the estate and the
/// runbook have been compared, and the shards looked at again.
async fn from_file(path: &Path, global: &Global, printer: &Printer) -> Result<Prepared, Failure> {
    let plan = plan_file(path)?;
    let estate = inputs::estate(&plan.estate.path)?;
    unchanged("estate", &plan.estate, &estate.source)?;
    let runbook = inputs::runbook(&plan.runbook.path, &estate.estate)?;
    unchanged("runbook", &plan.runbook, &runbook.source)?;
    let environment = inputs::environment(global.env_file.as_deref())?;
    let world = survey::open_world(&estate.estate, &environment, &global.state, plan.drill)?;
    let shards = survey::shards_of(&plan);
    let inspected = survey::inspect(&world, shards, Some(plan.target_time)).await;
    if let Err(failure) = survey::judge(&inspected, printer) {
        world.close().await;
        return Err(failure);
    }
    Ok(Prepared {
        plan,
        world: Arc::new(world),
    })
}

/// The file still says what the plan was compiled from.
pub fn unchanged(what: &str, planned: &SourceFile, found: &SourceFile) -> Result<(), Failure> {
    if planned.digest == found.digest {
        return Ok(());
    }
    Err(Failure::refused(format!(
        "the {what} has changed since the plan was made; nothing was changed"
    ))
    .fact("file", found.path.display())
    .fact("planned", planned.digest.short())
    .fact("found", found.digest.short())
    .hint(format!("make the plan anew, or bring the {what} back")))
}
