//! From options to a plan: the one path that `plan` and `run` share.

use std::sync::Arc;

use reprise_model::{Action, Plan, Runbook, StepName, Timestamp};
use reprise_plan::learn::Lessons;
use reprise_plan::{CompileInput, Compiled, PlanError, PlanErrors, Severity, Warning};
use reprise_ports::Level;
use reprise_runner::World;

use crate::args::{Global, PlanOptions};
use crate::failure::Failure;
use crate::inputs::{self, EstateFile, RunbookFile};
use crate::lessons::{self, Wanted};
use crate::printer::Printer;
use crate::{hints, survey};

/// A plan with the world that it was compiled against.
pub struct Prepared {
    pub plan: Plan,
    pub world: Arc<World>,
}

/// Compiles the plan. Nothing is changed but scratch, where the catalogue may
/// have to be recovered to read the list of sites.
pub async fn from_options(
    options: &PlanOptions,
    global: &Global,
    printer: &Printer,
) -> Result<Prepared, Failure> {
    let now = inputs::now();
    let target_time = inputs::target_time("--at", &options.at, now)?;
    let incident_time = options
        .incident_time
        .as_deref()
        .map(|text| inputs::target_time("--incident-time", text, now))
        .transpose()?;
    let selection = inputs::selection(&options.sites)?;
    let estate = inputs::estate(&options.estate)?;
    let mut runbook = inputs::runbook(&options.runbook, &estate.estate)?;
    if options.keep_scratch {
        drop_releases(&mut runbook.runbook);
    }
    let environment = inputs::environment(global.env_file.as_deref())?;
    let world = survey::open_world(&estate.estate, &environment, &global.state, false)?;
    let wanted = Wanted {
        estate: &estate.source.name,
        runbook: &runbook.source.name,
        drill: false,
    };
    let lessons = lessons::learn(&global.state, &wanted, printer).await;
    let asked = Asked {
        estate,
        runbook,
        selection,
        target_time,
        incident_time,
        recover: options.recover,
        lessons,
    };
    match asked.compile(&world, printer).await {
        Ok(plan) => Ok(Prepared {
            plan,
            world: Arc::new(world),
        }),
        Err(failure) => {
            world.close().await;
            Err(failure)
        }
    }
}

struct Asked {
    estate: EstateFile,
    runbook: RunbookFile,
    selection: reprise_plan::Selection,
    target_time: Timestamp,
    incident_time: Option<Timestamp>,
    recover: bool,
    lessons: Lessons,
}

impl Asked {
    async fn compile(&self, world: &World, printer: &Printer) -> Result<Plan, Failure> {
        let estate = &self.estate.estate;
        let mut input = self.input();
        input.sites = survey::sites(world, estate, self.target_time, printer).await?;
        let first = match reprise_plan::compile(input.clone()) {
            Ok(compiled) => compiled,
            Err(errors) => {
                let ids = not_sites(&errors);
                input.identified =
                    survey::identify(world, estate, self.target_time, &ids, printer).await;
                return Err(refusal(input, errors));
            }
        };
        warn(&first, printer)?;
        let shards = survey::shards_of(&first.plan);
        // Of a million tasks one plan at a time is enough.
        drop(first);
        if self.recover {
            survey::recover(world, estate, self.target_time, &shards, printer).await?;
        }
        let inspected = survey::inspect(world, shards, Some(self.target_time)).await;
        survey::judge(&inspected, printer)?;
        if inspected.count(Level::Later) > 0 {
            printer.hint("`--recover` compares the schema of T with live before the start");
        }
        input.estimates = inspected.estimates;
        let compiled = reprise_plan::compile(input).map_err(|errors| hints::plan(&errors))?;
        if let Some(line) = lessons::told(&compiled.sources) {
            printer.talk(&line);
        }
        Ok(compiled.plan)
    }

    fn input(&self) -> CompileInput<'_> {
        CompileInput {
            estate: &self.estate.estate,
            estate_source: self.estate.source.clone(),
            runbook: &self.runbook.runbook,
            runbook_source: self.runbook.source.clone(),
            sites: Vec::new(),
            selection: self.selection.clone(),
            target_time: self.target_time,
            incident_time: self.incident_time,
            drill: false,
            estimates: Default::default(),
            learned: Some(&self.lessons),
            identified: Default::default(),
        }
    }
}

fn not_sites(errors: &PlanErrors) -> Vec<String> {
    let ids = errors.0.iter().filter_map(|error| match error {
        PlanError::NotASite { id, .. } => Some(id.to_string()),
        _ => None,
    });
    ids.collect()
}

/// The same errors, now with what the ids are.
fn refusal(input: CompileInput<'_>, errors: PlanErrors) -> Failure {
    match reprise_plan::compile(input) {
        Ok(_) => hints::plan(&errors),
        Err(errors) => hints::plan(&errors),
    }
}

/// Shows what the lint found; what would make the run fail stops it.
pub fn warn(compiled: &Compiled, printer: &Printer) -> Result<(), Failure> {
    for warning in &compiled.warnings {
        show(warning, printer);
    }
    stop_at_errors(&compiled.warnings)
}

pub fn show(warning: &Warning, printer: &Printer) {
    match warning.severity {
        Severity::Hint => printer.hint(&warning.message),
        Severity::Warning => printer.warning(&warning.message, warning.hint.as_deref()),
        // Told as the failure that it becomes.
        Severity::Error => {}
    }
}

pub fn stop_at_errors(warnings: &[Warning]) -> Result<(), Failure> {
    let errors = || {
        warnings
            .iter()
            .filter(|warning| warning.severity == Severity::Error)
    };
    if errors().next().is_none() {
        return Ok(());
    }
    let mut failure = Failure::new(
        reprise_model::Exit::InvalidInput,
        "the run would fail as the runbook stands",
    );
    for error in errors() {
        failure
            .facts
            .push((error.code.to_owned(), error.message.clone()));
        failure.hints.extend(error.hint.clone());
    }
    Err(failure)
}

/// Takes the steps that release scratch out, with whatever needs them.
pub fn drop_releases(runbook: &mut Runbook) {
    let released: Vec<StepName> = runbook
        .steps
        .iter()
        .filter(|step| step.action == Action::Release)
        .map(|step| step.name.clone())
        .collect();
    runbook.steps.retain(|step| step.action != Action::Release);
    for step in &mut runbook.steps {
        step.needs.retain(|need| !released.contains(need));
    }
}
