//! The commands, one file each.

mod answer;
mod audit;
mod cancel;
mod check;
mod forecast;
mod go_on;
mod inbox;
mod pause;
mod plan;
mod report;
mod resume;
mod retry;
mod run;
mod runs;
mod schema;
mod status;

use clap::Subcommand;
use reprise_model::Exit;

use crate::args::Cli;
use crate::failure::Failure;
use crate::printer::Printer;

#[derive(Subcommand, Debug)]
pub enum Command {
    Check(check::Check),
    Audit(audit::Audit),
    Plan(plan::PlanCommand),
    Forecast(forecast::ForecastCommand),
    Run(run::Run),
    Resume(resume::Resume),
    Status(status::Status),
    Runs(runs::Runs),
    Approve(answer::Approve),
    Pause(pause::Pause),
    #[command(name = "continue")]
    Continue(go_on::Continue),
    Cancel(cancel::Cancel),
    Retry(retry::Retry),
    Report(report::ReportCommand),
    Schema(schema::Schema),
}

pub async fn dispatch(cli: Cli, printer: &Printer) -> Result<Exit, Failure> {
    let global = &cli.global;
    match cli.command {
        Command::Check(command) => command.perform(global, printer).await,
        Command::Audit(command) => command.perform(global, printer).await,
        Command::Plan(command) => command.perform(global, printer).await,
        Command::Forecast(command) => command.perform(global, printer).await,
        Command::Run(command) => command.perform(global, printer).await,
        Command::Resume(command) => command.perform(global, printer).await,
        Command::Status(command) => command.perform(global, printer).await,
        Command::Runs(command) => command.perform(global, printer).await,
        Command::Approve(command) => command.perform(global, printer).await,
        Command::Pause(command) => command.perform(global, printer).await,
        Command::Continue(command) => command.perform(global, printer).await,
        Command::Cancel(command) => command.perform(global, printer).await,
        Command::Retry(command) => command.perform(global, printer).await,
        Command::Report(command) => command.perform(global, printer).await,
        Command::Schema(command) => command.perform(printer),
    }
}
