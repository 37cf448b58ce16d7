//! Before anything is written: how much the run will touch, confirmed by the
//! number of sites.

use std::io::{BufRead, IsTerminal};

use reprise_model::Plan;
use reprise_report::format;

use crate::failure::Failure;
use crate::printer::Printer;

/// Shows the blast radius and wants it confirmed, by `--confirm` or by typing.
pub fn blast_radius(plan: &Plan, answer: Option<u32>, printer: &Printer) -> Result<(), Failure> {
    printer.talk(&describe(plan));
    let sites = plan.blast_radius.sites;
    let given = match answer {
        Some(given) => Some(given),
        None if std::io::stdin().is_terminal() && printer.is_terminal() => {
            printer.ask(&format!("Type the number of sites to go on ({sites}): "));
            read_number()
        }
        None => {
            return Err(
                Failure::refused("the run was not confirmed; nothing was changed")
                    .hint(format!("`--confirm {sites}` confirms these {sites} sites")),
            );
        }
    };
    match given {
        Some(given) if given == sites => Ok(()),
        Some(given) => Err(Failure::refused(format!(
            "{given} was confirmed, the plan has {}; nothing was changed",
            format::plural(sites.into(), "site")
        ))
        .hint("look at the plan again: it holds other sites than you expect")),
        None => Err(Failure::refused(
            "the run was not confirmed; nothing was changed",
        )),
    }
}

/// Wants the number of tasks that an edited runbook puts to work confirmed.
pub fn work(tasks: usize, answer: Option<u32>, printer: &Printer) -> Result<(), Failure> {
    let wanted = u32::try_from(tasks).unwrap_or(u32::MAX);
    let given = match answer {
        Some(given) => Some(given),
        None if std::io::stdin().is_terminal() && printer.is_terminal() => {
            printer.ask(&format!(
                "Type the number of tasks that will be run to go on ({wanted}): "
            ));
            read_number()
        }
        None => None,
    };
    let shown = format::plural(wanted.into(), "task");
    match given {
        Some(given) if given == wanted => Ok(()),
        Some(given) => Err(Failure::refused(format!(
            "{given} was confirmed, {shown} will be run; nothing was changed"
        ))
        .hint("look at the difference again: the run has moved on, or the runbook has")),
        None => Err(
            Failure::refused("the runbook was not confirmed; nothing was changed").hint(format!(
                "`--confirm {wanted}` confirms that {shown} will be run"
            )),
        ),
    }
}

fn read_number() -> Option<u32> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).ok()?;
    line.trim().parse().ok()
}

/// What the run will touch. What nobody counted is said to be unknown, and
/// what comes from statistics is said to be an estimate.
pub fn describe(plan: &Plan) -> String {
    let radius = &plan.blast_radius;
    let number = |value: Option<u64>| value.map_or("not known".to_owned(), format::count);
    let estimate = |value: Option<String>| {
        value.map_or("not known".to_owned(), |value| {
            format!("about {value} (estimated)")
        })
    };
    let facts = [
        ("target time", plan.target_time.to_string()),
        ("sites", format::count(radius.sites.into())),
        ("customers", number(radius.customers.map(Into::into))),
        ("users", number(radius.users)),
        ("shards", format::count(radius.shards.into())),
        ("rows", estimate(radius.rows.map(format::count))),
        ("bytes", estimate(radius.bytes.map(format::bytes))),
        ("scratch", estimate(radius.scratch_bytes.map(format::bytes))),
        (
            "neighbours",
            format!(
                "{} on the same shards, left alone",
                radius
                    .neighbours
                    .map_or("a number not known".to_owned(), |count| {
                        format::plural(count.into(), "site")
                    })
            ),
        ),
        (
            "tasks",
            format!(
                "{} in {}",
                format::count(plan.tasks.len() as u64),
                format::plural(plan.waves.len() as u64, "wave")
            ),
        ),
        ("plan", plan.hash.short()),
    ];
    let mut text = format!(
        "{} will be restored into the live stores of {}",
        format::plural(radius.sites.into(), "site"),
        plan.estate.name
    );
    for (name, fact) in facts {
        text.push_str(&format!("\n  {name:<12}  {fact}"));
    }
    text
}
