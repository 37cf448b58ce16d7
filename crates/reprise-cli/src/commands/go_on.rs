use clap::Args;
use reprise_model::{Command, Exit};

use super::inbox::{Addressee, Speaker};
use crate::args::Global;
use crate::failure::Failure;
use crate::printer::Printer;

/// Lift a pause, a cancellation or a halt of waves
///
/// A run that nobody has in hand goes on with `reprise resume`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  reprise continue 20260301T121500Z-3fa9c1")]
pub struct Continue {
    /// The run; the newest by default
    run: Option<String>,
    #[command(flatten)]
    speaker: Speaker,
}

impl Continue {
    pub async fn perform(self, global: &Global, printer: &Printer) -> Result<Exit, Failure> {
        let addressee = Addressee::find(global, self.run.as_deref()).await?;
        let command = Command::Continue {
            by: self.speaker.name(),
        };
        addressee.post(&[command], "goes on", global, printer).await
    }
}
