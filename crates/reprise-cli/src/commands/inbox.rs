//! What the commands to a run share: who speaks, the post, what is said after.

use std::sync::Arc;

use clap::Args;
use reprise_model::{Command, Exit};
use reprise_ports::Journal;
use serde::Serialize;

use crate::args::Global;
use crate::execute::state_flag;
use crate::failure::Failure;
use crate::printer::Printer;
use crate::state::{self, History};
use crate::{hints, inputs};

/// Who asks.
#[derive(Args, Clone, Debug)]
pub struct Speaker {
    /// Your name, for the journal; the user's by default
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
}

impl Speaker {
    pub fn name(&self) -> String {
        let of = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        self.name
            .clone()
            .or_else(|| of("USER"))
            .or_else(|| of("LOGNAME"))
            .unwrap_or_else(|| "operator".to_owned())
    }
}

/// A run that commands are posted to.
pub struct Addressee {
    journal: Arc<dyn Journal>,
    pub history: History,
}

#[derive(Serialize)]
struct Posted {
    version: u32,
    run: reprise_model::RunId,
    commands: usize,
    /// Whether a coordinator is there to take them now.
    alive: bool,
}

impl Addressee {
    pub async fn find(global: &Global, run: Option<&str>) -> Result<Self, Failure> {
        let journal = state::open_existing(&global.state).await?;
        let row = state::row(journal.as_ref(), run).await?;
        let history = History::read(journal.as_ref(), row).await?;
        Ok(Self { journal, history })
    }

    /// Posts the commands; a run that nobody has in hand takes them when it is
    /// taken up again.
    pub async fn post(
        &self,
        commands: &[Command],
        what: &str,
        global: &Global,
        printer: &Printer,
    ) -> Result<Exit, Failure> {
        let run = &self.history.row.id;
        for command in commands {
            let posted = self.journal.post(run, command, inputs::now()).await;
            posted.map_err(hints::journal)?;
        }
        let alive = self.history.is_alive();
        let posted = Posted {
            version: 1,
            run: run.clone(),
            commands: commands.len(),
            alive,
        };
        printer.data(&posted, || {
            let when = if alive {
                ""
            } else {
                "; takes effect when the run is taken up again"
            };
            format!("run {run}: {what}{when}")
        });
        if !alive {
            printer.hint(&format!(
                "`reprise{} resume {run}` takes it up again",
                state_flag(&global.state)
            ));
        }
        Ok(Exit::Success)
    }
}
