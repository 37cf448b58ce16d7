//! A run until it stops, new or taken up again, and what is said at its end.

use std::ops::ControlFlow;
use std::sync::Arc;

use reprise_engine::replan::Replanning;
use reprise_model::{Exit, Plan, Plans, RunEnd, RunId, Seq};
use reprise_ports::Journal;
use reprise_report::{Display, Report, render};
use reprise_runner::{ExecuteOptions, Execution, RunError, Signals, Succession, World, succeed};

use crate::ahead::Follower;
use crate::failure::Failure;
use crate::hints;
use crate::printer::Printer;
use crate::screen::Screen;
use crate::signals::Listener;
use crate::state::{self, History};
use crate::telemetry::Telemetry;
use crate::{inputs, summary};

pub struct Job {
    pub run: RunId,
    pub plans: Plans,
    /// The one in force.
    pub plan: Arc<Plan>,
    /// The plan to be put in force first, as it was confirmed.
    pub replan: Option<Replanning>,
    pub world: Arc<World>,
    pub journal: Arc<dyn Journal>,
    /// Stay while gates are open.
    pub wait: bool,
    /// How the user names this journal, for the commands that are printed.
    pub state: String,
    /// Who else watches.
    pub telemetry: Telemetry,
}

/// Executes the run, prints its report and the command that continues it.
pub async fn perform(mut job: Job, printer: &Printer) -> Result<Exit, Failure> {
    let signals = Signals::default();
    let listener = Listener::start(signals.clone(), printer)
        .map_err(|error| Failure::internal(format!("signals cannot be listened to: {error}")))?;
    let telemetry = std::mem::take(&mut job.telemetry);
    let replan = job.replan.take();
    let (ended, screen) = drive(&job, replan, telemetry, signals, printer).await;
    job.world.close().await;
    let again = resume_command(&job);
    match ended {
        Ok(end) => {
            let report = report(&job, &screen).await?;
            printer.data(&report, || render::text(&report));
            outstanding(&report, &job, printer);
            let exit = reprise_report::exit(&report);
            let unfinished = end != RunEnd::Finished;
            Ok(if listener.has_seen() && unfinished {
                Exit::Signal
            } else {
                exit
            })
        }
        Err(error) => {
            let failure = hints::run(error);
            // A run that is in other hands needs no second coordinator.
            Err(match failure.exit {
                Exit::Refused => failure,
                _ => failure.hint(format!("`{again}` continues it")),
            })
        }
    }
}

async fn drive(
    job: &Job,
    replan: Option<Replanning>,
    telemetry: Telemetry,
    signals: Signals,
    printer: &Printer,
) -> (Result<RunEnd, RunError>, Arc<Screen>) {
    let mut plans = job.plans.clone();
    if let Some(replan) = &replan {
        plans.add(replan.plan.clone());
    }
    let in_force = replan.as_ref().map_or(&job.plan, |replan| &replan.plan);
    let mut watch = telemetry.watch(&job.run, in_force, printer);
    let journal = watch.meter(job.journal.clone());
    let mut watchers = std::mem::take(&mut watch.displays);
    let follower = Follower::of(plans.first());
    watchers.extend(
        follower
            .clone()
            .map(|one| Box::new(one) as Box<dyn Display>),
    );
    let screen = Screen::new(plans.clone(), watchers, watch.tree.take(), printer);
    let served = watch.serve(&screen, printer);
    if let Some(follower) = follower {
        follower.keep(&screen);
    }
    let ticker = screen.keep_fresh();
    let keeper = summary::keep(job.run.clone(), job.journal.clone(), screen.clone());
    let execution = Execution {
        run: job.run.clone(),
        plan: job.plans.first().clone(),
        world: job.world.clone(),
        journal,
        observer: screen.clone(),
        options: ExecuteOptions {
            wait_for_people: job.wait,
            signals,
        },
    };
    let ended = succeed(execution, Succession { plans, replan }).await;
    ticker.abort();
    keeper.abort();
    // A write that was under way is over before the last one.
    let _ = keeper.await;
    screen.finish();
    summary::write(&job.run, job.journal.as_ref(), &screen, inputs::now()).await;
    let at_once = matches!(ended, Err(RunError::Aborted));
    served.finish(at_once, printer).await;
    (ended, screen)
}

/// From what the screen has seen, once the journal is found to hold just that
/// and to be whole.
async fn report(job: &Job, screen: &Screen) -> Result<Report, Failure> {
    let mut unread = |_| ControlFlow::Continue(());
    let past_all = Seq(u64::MAX);
    let verified = job.journal.read(&job.run, past_all, &mut unread).await;
    let verified = verified.map_err(hints::journal)?;
    if let Some(report) = screen.report(&job.run, verified) {
        return Ok(report);
    }
    let row = state::row(job.journal.as_ref(), Some(job.run.as_str())).await?;
    let history = History::read(job.journal.as_ref(), row).await?;
    Ok(history.fold.report(&job.run, Some(history.head)))
}

/// Every end that leaves work outstanding names the command that continues it.
fn outstanding(report: &Report, job: &Job, printer: &Printer) {
    let flags = state_flag(&job.state);
    let run = &job.run;
    for gate in report.gates.iter().take(3) {
        printer.hint(&format!(
            "`reprise{flags} approve {run} {}` answers a gate",
            gate.task
        ));
    }
    if report.totals.failed > 0 || !report.failures.is_empty() {
        printer.hint(&format!(
            "`reprise{flags} retry {run}` tries failed tasks again"
        ));
    }
    if report.halted.is_some() {
        printer.hint(&format!("`reprise{flags} continue {run}` lifts the halt"));
    }
    let ended = report.totals.tasks.ended() == report.totals.tasks.total;
    if !ended {
        printer.hint(&format!("`{}` continues it", resume_command(job)));
    }
}

fn resume_command(job: &Job) -> String {
    format!("reprise{} resume {}", state_flag(&job.state), job.run)
}

/// Part of the commands that are printed, where the journal is not the usual
/// one. A URL may hold a password and is left to the reader.
pub fn state_flag(state: &str) -> String {
    match state {
        ".reprise/state.db" => String::new(),
        url if url.contains("://") => " --state URL".to_owned(),
        file => format!(" --state {file}"),
    }
}
