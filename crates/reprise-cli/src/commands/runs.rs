use clap::Args;
use reprise_model::{Digest, Exit, Owner, RunId, Timestamp};
use reprise_ports::{OwnerState, RunRow};
use serde::Serialize;

use crate::args::Global;
use crate::failure::Failure;
use crate::printer::Printer;
use crate::{hints, state};

/// List the runs of this journal, the newest first
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  reprise runs
  reprise runs --json")]
pub struct Runs {}

#[derive(Serialize)]
struct Listed {
    version: u32,
    runs: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    run: RunId,
    plan_hash: Digest,
    target_time: Timestamp,
    created: Timestamp,
    sites: u32,
    tasks: u32,
    /// The coordinator that is alive right now.
    owner: Option<Owner>,
}

impl Runs {
    pub async fn perform(self, global: &Global, printer: &Printer) -> Result<Exit, Failure> {
        let journal = state::open_existing(&global.state).await?;
        let rows = journal.runs().await.map_err(hints::journal)?;
        let listed = Listed {
            version: 1,
            runs: rows.into_iter().map(row).collect(),
        };
        printer.data(&listed, || text(&listed));
        Ok(Exit::Success)
    }
}

fn row(row: RunRow) -> Row {
    Row {
        run: row.id,
        plan_hash: row.plan_hash,
        target_time: row.target_time,
        created: row.created,
        sites: row.sites,
        tasks: row.tasks,
        owner: match row.owner {
            OwnerState::Alive(owner) => Some(owner),
            OwnerState::Free => None,
        },
    }
}

fn text(listed: &Listed) -> String {
    let width = listed.runs.iter().map(|row| row.run.as_str().len()).max();
    let width = width.unwrap_or(0).max(3);
    let mut text = format!(
        "{:<width$}  {:<27}  {:<27}  {:>6}  {:>8}  alive in\n",
        "run", "created", "target time", "sites", "tasks"
    );
    for row in &listed.runs {
        let owner = row.owner.as_ref().map_or("-".to_owned(), |owner| {
            format!("process {} on {}", owner.pid, owner.host)
        });
        text.push_str(&format!(
            "{:<width$}  {:<27}  {:<27}  {:>6}  {:>8}  {owner}\n",
            row.run,
            row.created.to_string(),
            row.target_time.to_string(),
            row.sites,
            row.tasks
        ));
    }
    text
}
