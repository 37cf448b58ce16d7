use std::time::Duration;

use clap::Args;
use reprise_model::{Exit, Owner, Timestamp};
use reprise_ports::{Journal, OwnerState};
use reprise_report::RunState;
use serde::Serialize;

use crate::args::Global;
use crate::execute::state_flag;
use crate::failure::Failure;
use crate::printer::Printer;
use crate::state::{self, History};
use crate::summary::{self, Noted};
use crate::{ahead, hints, inputs};

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
    /// When the coordinator said so; absent when it is what the journal says
    /// to its last entry.
    as_of: Option<Timestamp>,
}

impl Status {
    pub async fn perform(self, global: &Global, printer: &Printer) -> Result<Exit, Failure> {
        let journal = state::open_existing(&global.state).await?;
        let mut shown = String::new();
        loop {
            let owned = look(journal.as_ref(), self.run.as_deref(), global, printer).await?;
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

/// From the summary where that says enough; else the journal is folded.
async fn look(
    journal: &dyn Journal,
    run: Option<&str>,
    global: &Global,
    printer: &Printer,
) -> Result<Owned, Failure> {
    let row = state::row(journal, run).await?;
    let now = inputs::now();
    let noted = summary::read(journal, &row, now).await;
    // Lists may be cut short in it, and JSON is promised whole.
    let whole = |noted: &Noted| !global.json || noted.status.unlisted.is_none();
    let noted = noted.map_err(hints::journal)?.filter(whole);
    let owner = match &row.owner {
        OwnerState::Alive(owner) => Some(owner.clone()),
        OwnerState::Free => None,
    };
    let (status, as_of) = match noted {
        Some(noted) => (noted.status, noted.as_of),
        None => {
            let mut history = History::read(journal, row).await?;
            if history.torn > 0 {
                printer.torn(history.torn);
            }
            if history.is_alive() {
                let plan = history.fold.plan().clone();
                let made = ahead::of_journal(journal, &history.row.id, &plan).await;
                history.fold.set_estimate(made);
            }
            (history.fold.status(&history.row.id, now), None)
        }
    };
    Ok(Owned {
        status,
        owner,
        as_of,
    })
}

fn text(owned: &Owned, state: &str) -> String {
    let mut text = owned.status.text();
    let run = &owned.status.run;
    if let Some(at) = owned.as_of {
        let age = inputs::now().seconds_since(at).max(0.0);
        text.push_str(&format!("as of\n  {age:.1} s ago\n"));
    }
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
