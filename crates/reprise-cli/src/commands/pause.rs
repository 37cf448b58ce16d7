use clap::Args;
use reprise_model::{Command, Exit};

use super::inbox::{Addressee, Speaker};
use crate::args::Global;
use crate::failure::Failure;
use crate::printer::Printer;

/// Start no further task of a run; what runs goes on to its end
///
/// The run stops with work outstanding once nothing is under way, unless it
/// was started with `--wait`. `reprise continue` lifts the pause.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  reprise pause 20260301T121500Z-3fa9c1")]
pub struct Pause {
    /// The run; the newest by default
    run: Option<String>,
    #[command(flatten)]
    speaker: Speaker,
}

impl Pause {
    pub async fn perform(self, global: &Global, printer: &Printer) -> Result<Exit, Failure> {
        let addressee = Addressee::find(global, self.run.as_deref()).await?;
        let command = Command::Pause {
            by: self.speaker.name(),
        };
        addressee
            .post(&[command], "no further task is started", global, printer)
            .await
    }
}
