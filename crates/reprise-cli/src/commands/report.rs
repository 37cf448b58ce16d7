use std::path::PathBuf;

use clap::Args;
use reprise_model::Exit;
use reprise_report::render;

use crate::args::Global;
use crate::failure::Failure;
use crate::printer::Printer;
use crate::state::{self, History};

/// Report what a run did, measured: recovery time, loss, verdicts, evidence
///
/// Read from the journal, whose hash chain is verified on the way; of a run
/// that goes on, as of now. docs/reference/report-json.md defines every key of
/// `--json`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  reprise report
  reprise report --html report.html
  reprise report 20260301T121500Z-3fa9c1 --json")]
pub struct ReportCommand {
    /// The run; the newest by default
    run: Option<String>,
    /// Write one HTML file that needs nothing else
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "markdown"])]
    html: Option<PathBuf>,
    /// Markdown, for tickets and post-mortems
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

impl ReportCommand {
    pub async fn perform(self, global: &Global, printer: &Printer) -> Result<Exit, Failure> {
        let journal = state::open_existing(&global.state).await?;
        let row = state::row(journal.as_ref(), self.run.as_deref()).await?;
        let history = History::read(journal.as_ref(), row).await?;
        if history.torn > 0 {
            printer.torn(history.torn);
        }
        let report = history.fold.report(&history.row.id, Some(history.head));
        match &self.html {
            Some(path) => {
                std::fs::write(path, render::html(&report)).map_err(|error| {
                    Failure::refused(format!("{} cannot be written: {error}", path.display()))
                })?;
                printer.talk(&format!("report written to {}", path.display()));
            }
            None if self.markdown => printer.raw(&render::markdown(&report)),
            None => printer.data(&report, || render::text(&report)),
        }
        Ok(Exit::Success)
    }
}
