use std::time::Duration;

use clap::Args;
use reprise_model::{Exit, Owner};
use reprise_ports::{Journal, OwnerState};
use reprise_report::RunState;
use serde::Serialize;

use crate::args::Global;
use crate::execute::state_flag;
use crate::failure::Failure;
use crate::inputs;
use crate::printer::Printer;
use crate::state::{self, History};

/// Show how a run stands: waves, what runs, what it waits for
///
/// Reads the journal only, so that it can be asked from any terminal at any
/// time. The run's progress within a task is seen in its own terminal alone.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  reprise status
  reprise status --watch
  reprise status 20260301T121500Z-3fa9c1 --json")]
pub struct Status {
    /// The run; the newest by default
    run: Option<String>,
    /// Show it again whenever it changes, until the run stops
    #[arg(long, conflicts_with = "json")]
    watch: bool,
}

/// How often a watched run is looked at.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// The status with who has the run in hand.
#[derive(Serialize)]
struct Owned {
    #[serde(flatten)]
    status: reprise_report::Status,
    /// The coordinator that is alive right now.
    owner: Option<Owner>,
}

impl Status {
    pub async fn perform(self, global: &Global, printer: &Printer) -> Result<Exit, Failure> {
        let journal = state::open_existing(&global.state).await?;
        let mut shown = String::new();
        loop {
            let owned = look(journal.as_ref(), self.run.as_deref()).await?;
            let text = text(&owned, &global.state);
            if text != shown {
                printer.data(&owned, || text.clone());
            }
            if !self.watch || owned.owner.is_none() {
                return Ok(Exit::Success);
            }
            shown = text;
            tokio::time::sleep(WATCH_EVERY).await;
        }
    }
}

async fn look(journal: &dyn Journal, run: Option<&str>) -> Result<Owned, Failure> {
    let row = state::row(journal, run).await?;
    let history = History::read(journal, row).await?;
    let status = history.fold.status(&history.row.id, inputs::now());
    Ok(Owned {
        status,
        owner: match history.row.owner {
            OwnerState::Alive(owner) => Some(owner),
            OwnerState::Free => None,
        },
    })
}

fn text(owned: &Owned, state: &str) -> String {
    let mut text = owned.status.text();
    let run = &owned.status.run;
    match (&owned.owner, owned.status.state) {
        (Some(owner), _) => {
            text.push_str(&format!(
                "owner\n  process {} on {}\n",
                owner.pid, owner.host
            ));
        }
        (None, RunState::Finished) => {}
        (None, _) => text.push_str(&format!(
            "owner\n  none; `reprise{} resume {run}` continues it\n",
            state_flag(state)
        )),
    }
    text
}
