use clap::Args;
use reprise_model::{Command, Exit};

use super::inbox::{Addressee, Speaker};
use crate::args::Global;
use crate::failure::Failure;
use crate::printer::Printer;

/// End what runs in order, and stop with the work outstanding
///
/// A slice that is being restored appears whole or not at all. `reprise
/// continue` and `reprise resume` take the work up again.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  reprise cancel 20260301T121500Z-3fa9c1")]
pub struct Cancel {
    /// The run; the newest by default
    run: Option<String>,
    #[command(flatten)]
    speaker: Speaker,
}

impl Cancel {
    pub async fn perform(self, global: &Global, printer: &Printer) -> Result<Exit, Failure> {
        let addressee = Addressee::find(global, self.run.as_deref()).await?;
        let command = Command::Cancel {
            by: self.speaker.name(),
        };
        addressee
            .post(&[command], "what runs is ended in order", global, printer)
            .await
    }
}
