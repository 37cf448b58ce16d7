//! What a resume would do with each task, by the rows of the table in
//! `docs/design/resume.md`. Nothing is asked of any store for it.

use std::collections::BTreeMap;

use reprise_engine::Fold;
use reprise_engine::resume::{Change, Kind, Probed, Row, Status, decide};
use reprise_model::{Digest, RunId, TaskKey};
use reprise_report::format;
use serde::Serialize;

/// Tasks that are named below a row; the rest is counted.
const NAMED: usize = 5;

/// One task with its row.
pub struct Verdict {
    pub task: TaskKey,
    pub status: Status,
    pub change: Change,
    pub row: Row,
}

#[derive(Serialize)]
pub struct Explanation {
    version: u32,
    run: RunId,
    plan: Digest,
    /// Rows that hold for some task, by their numbers.
    rows: Vec<RowCount>,
    tasks: Vec<Explained>,
}

#[derive(Serialize)]
struct RowCount {
    row: u8,
    decision: &'static str,
    because: &'static str,
    tasks: usize,
}

#[derive(Serialize)]
struct Explained {
    task: TaskKey,
    status: &'static str,
    change: &'static str,
    row: u8,
    decision: &'static str,
    because: &'static str,
}

/// A resume with the plan that is in force.
pub fn of_fold(fold: &Fold) -> Vec<Verdict> {
    let verdict = |task| {
        let (status, change) = (fold.status(task), Change::Same);
        Verdict {
            task: fold.plan().key(task),
            status,
            change,
            row: decide(status, fold.kind(task), change, Probed::NotAsked),
        }
    };
    fold.plan().ixs().map(verdict).collect()
}

impl Explanation {
    pub fn of(run: RunId, plan: Digest, verdicts: &[Verdict]) -> Self {
        let mut counts: BTreeMap<u8, (Row, usize)> = BTreeMap::new();
        for verdict in verdicts {
            let of_row = counts.entry(verdict.row.number);
            of_row.or_insert((verdict.row, 0)).1 += 1;
        }
        let rows = counts.into_values().map(|(row, tasks)| RowCount {
            row: row.number,
            decision: row.decision.as_str(),
            because: row.because,
            tasks,
        });
        let tasks = verdicts.iter().map(|verdict| Explained {
            task: verdict.task.clone(),
            status: verdict.status.as_str(),
            change: verdict.change.as_str(),
            row: verdict.row.number,
            decision: verdict.row.decision.as_str(),
            because: verdict.row.because,
        });
        Self {
            version: 1,
            run,
            plan,
            rows: rows.collect(),
            tasks: tasks.collect(),
        }
    }

    /// Each row once with its reason; tasks by name where somebody may want
    /// to know which: not those that are done, or not begun.
    pub fn text(&self) -> String {
        let mut text = format!("run {}  plan {}\n", self.run, self.plan.short());
        text.push_str(" row  decision        tasks  because");
        for row in &self.rows {
            text.push_str(&format!(
                "\n{:>4}  {:<11}  {:>8}  {}",
                row.row,
                row.decision,
                format::count(row.tasks as u64),
                row.because
            ));
            if !is_usual(row.row) {
                self.name_tasks(row, &mut text);
            }
        }
        text
    }

    fn name_tasks(&self, row: &RowCount, text: &mut String) {
        let of_row = self.tasks.iter().filter(|task| task.row == row.row);
        for task in of_row.take(NAMED) {
            let why = match task.change {
                "same" => task.status.to_owned(),
                change => format!("{}, {change}", task.status),
            };
            text.push_str(&format!("\n{:31}{}  ({why})", "", task.task));
        }
        if row.tasks > NAMED {
            let more = format::count((row.tasks - NAMED) as u64);
            text.push_str(&format!("\n{:31}... and {more} more", ""));
        }
    }
}

/// Not begun, or done and left alone: what most tasks are.
fn is_usual(row: u8) -> bool {
    let usual = [Status::NotTried, Status::Done];
    usual
        .into_iter()
        .any(|status| decide(status, Kind::Program, Change::Same, Probed::NotAsked).number == row)
}
