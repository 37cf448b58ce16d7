//! The binary `reprise`.
//!
//! One file per command under `commands/`; its doc comment is the manual.
//! What several commands share: `inputs` (files people write), `survey` and
//! `compile` (from options to a plan), `lessons` (what earlier runs took), `execute` (a run until it stops),
//! `state` (the journal), `summary` (how a run stands, kept beside it). `printer` alone writes to the terminal, and `hints`
//! alone turns the errors of the inner crates into messages.

mod ahead;
mod args;
mod commands;
mod compile;
mod confirm;
mod execute;
mod explain;
mod failure;
mod forecast;
mod hints;
mod inputs;
mod lessons;
mod printer;
mod replan;
mod screen;
mod signals;
mod state;
mod summary;
mod survey;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;
use reprise_model::Exit;

use args::Cli;
use failure::Failure;
use printer::Printer;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A closed pipe is no reason to fail: help went where it could.
            let _ = error.print();
            let asked = error.exit_code() == 0;
            return code(if asked { Exit::Success } else { Exit::Usage });
        }
    };
    let printer = Printer::new(&cli.global);
    telemetry::log::start(&cli.global, &printer);
    let outcome = match tokio::runtime::Runtime::new() {
        // In a task of its own, so that a defect ends in exit code 1.
        Ok(runtime) => {
            let talk = printer.clone();
            let command = runtime.spawn(async move { commands::dispatch(cli, &talk).await });
            runtime
                .block_on(command)
                .unwrap_or_else(|_| Err(Failure::internal("the command ended in a panic")))
        }
        Err(error) => Err(Failure::internal(format!("no runtime: {error}"))),
    };
    code(outcome.unwrap_or_else(|failure| {
        printer.failure(&failure);
        failure.exit
    }))
}

fn code(exit: Exit) -> ExitCode {
    ExitCode::from(exit.code())
}
