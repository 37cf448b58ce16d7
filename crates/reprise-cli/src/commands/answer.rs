use clap::Args;
use reprise_model::{Command, Exit, TaskIx};
use reprise_report::{Fold, format};

use super::inbox::{Addressee, Speaker};
use crate::args::Global;
use crate::failure::Failure;
use crate::printer::Printer;

/// Answer a gate: let what waits behind it go on, or reject it
///
/// TASK is a gate such as `handover/4711`, or the name of a step, which means
/// all its open gates. `reprise status` lists them. A rejected gate leaves its
/// site unvalidated.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  reprise approve 20260301T121500Z-3fa9c1 handover/4711
  reprise approve 20260301T121500Z-3fa9c1 handover --as ana --note 'called the customer'
  reprise approve 20260301T121500Z-3fa9c1 handover/4712 --reject --note 'wiki is empty'")]
pub struct Approve {
    /// The run
    run: String,
    /// The gate, or the step of the gates
    task: String,
    /// Say no instead of yes
    #[arg(long)]
    reject: bool,
    /// Why, for the journal and the report
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    #[command(flatten)]
    speaker: Speaker,
}

impl Approve {
    pub async fn perform(self, global: &Global, printer: &Printer) -> Result<Exit, Failure> {
        let addressee = Addressee::find(global, Some(&self.run)).await?;
        let gates = gates(&addressee.history.fold, &self.task)?;
        let by = self.speaker.name();
        let commands: Vec<_> = gates
            .into_iter()
            .map(|task| Command::Answer {
                task,
                approved: !self.reject,
                by: by.clone(),
                note: self.note.clone(),
            })
            .collect();
        let answer = if self.reject { "rejected" } else { "approved" };
        let what = format!(
            "{} {answer} by {by}",
            format::plural(commands.len() as u64, "gate")
        );
        addressee.post(&commands, &what, global, printer).await
    }
}

/// Open gates that are listed when another was meant.
const LISTED: usize = 10;

/// The open gates that are meant.
fn gates(fold: &Fold, name: &str) -> Result<Vec<TaskIx>, Failure> {
    let plan = fold.plan();
    let meant = |task: &TaskIx| {
        plan.key(*task).as_str() == name || plan.step_of(*task).name.as_str() == name
    };
    let gates: Vec<_> = fold.open_gates().filter(meant).collect();
    if !gates.is_empty() {
        return Ok(gates);
    }
    let known = plan.ixs().find(meant);
    let mut failure = match known {
        Some(task) => Failure::refused(format!(
            "`{name}` is not an open gate: it is {}",
            fold.state(task).as_str()
        )),
        None => Failure::usage(format!("there is no task `{name}` in this run")),
    };
    for gate in fold.open_gates().take(LISTED) {
        failure = failure.fact("open gate", plan.key(gate));
    }
    Err(failure.hint("`reprise status` lists the gates that wait for an answer"))
}
