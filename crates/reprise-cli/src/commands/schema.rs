use clap::{Args, ValueEnum};
use reprise_model::Exit;

use crate::failure::Failure;
use crate::printer::Printer;

/// Print the JSON schema of a file that people write, for editors
#[derive(Args, Debug)]
#[command(after_help = "Example:
  reprise schema estate > estate.schema.json")]
pub struct Schema {
    /// Which file
    kind: Kind,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum Kind {
    Estate,
    Runbook,
}

impl Schema {
    pub fn perform(self, printer: &Printer) -> Result<Exit, Failure> {
        let schema = match self.kind {
            Kind::Estate => reprise_spec::estate_schema(),
            Kind::Runbook => reprise_spec::runbook_schema(),
        };
        let text = serde_json::to_string_pretty(&schema).expect("a schema is plain data");
        printer.raw(&format!("{text}\n"));
        Ok(Exit::Success)
    }
}
