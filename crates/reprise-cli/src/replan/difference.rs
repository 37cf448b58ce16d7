//! The difference between the plan in force and the new one, for people.

use std::collections::BTreeMap;

use reprise_engine::Fold;
use reprise_engine::replan::{Compared, Replanning};
use reprise_engine::resume::{Change, Decision, Row, Status};
use reprise_model::{Plan, TaskKey};
use reprise_report::format;

use crate::explain::Verdict;
use crate::failure::Failure;

/// Tasks that are named for a step before the rest is counted.
const NAMED: usize = 3;

/// What becomes of a task, in the order in which it is shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Refused,
    Again,
    Asked,
    New,
    Gone,
    Answered,
    Open,
    Kept,
}

impl Group {
    fn of(compared: &Compared) -> Self {
        match (compared.change, compared.row.decision) {
            (_, Decision::Refuse) => Self::Refused,
            (Change::New, _) => Self::New,
            (Change::Dropped, _) => Self::Gone,
            (_, Decision::Revalidate) => Self::Asked,
            (_, Decision::Ask) => Self::Answered,
            (_, Decision::Keep) => Self::Kept,
            (_, Decision::Run) => match compared.status {
                Status::NotTried | Status::Again | Status::Cancelled => Self::Open,
                Status::Started
                | Status::Probing
                | Status::Uncertain
                | Status::CancelledUncertain
                | Status::Failed
                | Status::FailedUncertain
                | Status::Done
                | Status::Satisfied
                | Status::Skipped
                | Status::Freed
                | Status::GateOpen => Self::Again,
            },
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Again => "run again",
            Self::Asked => "the store is asked first, then run if it was not done",
            Self::New => "new",
            Self::Gone => "dropped; what they did stays done",
            Self::Answered => "done as the runbook was before, and kept so",
            Self::Open => "still to be run",
            Self::Kept => "kept",
        }
    }

    /// Whether anybody wants to know which.
    fn is_detailed(self) -> bool {
        match self {
            Self::Refused | Self::Again | Self::Asked | Self::New | Self::Gone | Self::Answered => {
                true
            }
            Self::Open | Self::Kept => false,
        }
    }
}

/// Every task with its row, those that are dropped last.
pub fn verdicts(fold: &Fold, replanning: &Replanning) -> Vec<Verdict> {
    keyed(fold, replanning)
        .map(|(task, compared)| Verdict {
            task,
            status: compared.status,
            change: compared.change,
            row: compared.row,
        })
        .collect()
}

fn keyed<'a>(
    fold: &'a Fold,
    replanning: &'a Replanning,
) -> impl Iterator<Item = (TaskKey, &'a Compared)> {
    let of = |plan: &'a Plan, tasks: &'a [Compared]| {
        tasks
            .iter()
            .map(|compared| (plan.key(compared.task), compared))
    };
    of(&replanning.plan, &replanning.tasks).chain(of(fold.plan(), &replanning.dropped))
}

/// Tasks of one step that one row holds for.
struct Several {
    count: usize,
    named: Vec<TaskKey>,
    row: Row,
}

impl Several {
    fn of(row: Row) -> Self {
        Self {
            count: 0,
            named: Vec::new(),
            row,
        }
    }

    fn add(&mut self, task: TaskKey) {
        self.count += 1;
        if self.named.len() < NAMED {
            self.named.push(task);
        }
    }

    fn line(&self) -> String {
        let named: Vec<_> = self.named.iter().map(TaskKey::as_str).collect();
        let more = match self.count.saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {} more", format::count(more as u64)),
        };
        let (number, because) = (self.row.number, self.row.because);
        format!("\n  {}{more}  (row {number}: {because})", named.join(", "))
    }
}

pub fn text(fold: &Fold, replanning: &Replanning) -> String {
    let (old, new) = (fold.plan(), &replanning.plan);
    let mut text = format!(
        "plan {} would take over from {}",
        new.hash.short(),
        old.hash.short()
    );
    around(old, new, &mut text);
    // By group, then in the order of the steps, the dropped ones by theirs.
    let mut groups: BTreeMap<Group, BTreeMap<(u32, u8), Several>> = BTreeMap::new();
    for (task, compared) in keyed(fold, replanning) {
        let plan = match compared.change {
            Change::Dropped => old,
            Change::Same
            | Change::Handling
            | Change::Order
            | Change::Wanted
            | Change::Upstream
            | Change::Work
            | Change::Replaced
            | Change::New
            | Change::Twin => new,
        };
        let step = plan.tasks[compared.task.get()].step;
        let steps = groups.entry(Group::of(compared)).or_default();
        let row = compared.row;
        let several = steps.entry((step, row.number));
        several.or_insert_with(|| Several::of(row)).add(task);
    }
    for (group, steps) in groups {
        let tasks: usize = steps.values().map(|several| several.count).sum();
        let tasks = format::plural(tasks as u64, "task");
        text.push_str(&format!("\n{tasks} {}", group.title()));
        if group.is_detailed() {
            steps
                .values()
                .for_each(|several| text.push_str(&several.line()));
        }
    }
    text
}

/// What does not belong to any task.
fn around(old: &Plan, new: &Plan, text: &mut String) {
    let pools = |plan: &Plan| {
        let pools = plan.pools.iter().map(|pool| {
            let rate = pool.rate_per_second.map(|rate| format!(" at {rate}/s"));
            format!("{} {}{}", pool.name, pool.slots, rate.unwrap_or_default())
        });
        pools.collect::<Vec<_>>().join(", ")
    };
    let limit = |value: Option<u32>| value.map_or("none".to_owned(), |value| value.to_string());
    let facts = [
        ("pools", pools(old), pools(new)),
        ("slots", limit(old.slots), limit(new.slots)),
        (
            "waves",
            format!("{:?}", old.waves),
            format!("{:?}", new.waves),
        ),
        ("halt above", limit(old.halt_above), limit(new.halt_above)),
        (
            "halt on checks",
            old.halt_on_checks.to_string(),
            new.halt_on_checks.to_string(),
        ),
    ];
    for (name, before, after) in facts {
        if before != after {
            text.push_str(&format!("\n  {name}: {before} -> {after}"));
        }
    }
}

/// Refuses what the table refuses, with the tasks and the reasons.
pub fn refused(fold: &Fold, replanning: &Replanning) -> Result<(), Failure> {
    if !replanning.is_refused() {
        return Ok(());
    }
    let mut failure =
        Failure::refused("the run cannot go on with this runbook; nothing was changed");
    let refused =
        keyed(fold, replanning).filter(|(_, compared)| compared.row.decision == Decision::Refuse);
    for (task, compared) in refused.take(NAMED) {
        failure = failure.fact(task.to_string(), compared.row.because);
    }
    Err(failure
        .hint("keep the names of steps that have restored something")
        .hint("`reprise resume` with the runbook as it was finds out what is not known"))
}
