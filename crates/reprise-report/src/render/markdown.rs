//! The report as Markdown, for tickets and post-mortems: complete.

use std::fmt::{self, Write as _};

use super::{bytes, doubts, objective, rows, states, trust, worst_first};
use crate::format;
use crate::report::Report;

pub fn markdown(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, report);
    out
}

fn write(out: &mut String, report: &Report) -> fmt::Result {
    writeln!(out, "# Restore of {}\n", escape(&report.estate))?;
    facts(out, report)?;
    failures(out, report)?;
    sites(out, report)?;
    phases(out, report)
}

fn facts(out: &mut String, report: &Report) -> fmt::Result {
    let totals = &report.totals;
    let objectives = &report.objectives;
    let time =
        |at: Option<reprise_model::Timestamp>| at.map_or("-".to_owned(), |at| at.to_string());
    let facts = [
        (
            "run",
            format!("`{}`, {}", report.run, report.state.as_str()),
        ),
        ("sites", format!("{} of {}", states(report), totals.sites)),
        ("target time", report.target_time.to_string()),
        ("incident", time(report.incident_time)),
        ("started", time(report.started)),
        ("finished", time(report.finished)),
        (
            "RTA",
            format!(
                "{} ({})",
                format::maybe_seconds(totals.rta_seconds),
                objective(objectives.rto, totals.rta_seconds, objectives.rto_met)
            ),
        ),
        (
            "RPA",
            format!(
                "{} ({})",
                format::maybe_seconds(totals.rpa_seconds),
                objective(objectives.rpo, totals.rpa_seconds, objectives.rpo_met)
            ),
        ),
        (
            "restored",
            format!(
                "{} rows, {}",
                format::count(totals.rows),
                format::bytes(totals.bytes)
            ),
        ),
        ("plan", format!("`{}`", report.plan_hash)),
        ("journal", trust(report)),
    ];
    writeln!(out, "| | |\n|---|---|")?;
    for (name, fact) in facts {
        writeln!(out, "| {name} | {fact} |")?;
    }
    Ok(())
}

fn failures(out: &mut String, report: &Report) -> fmt::Result {
    if report.failures.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## Failed tasks\n")?;
    for failure in &report.failures {
        writeln!(out, "- `{}`: {}", failure.task, escape(&failure.message))?;
        if let Some(hint) = &failure.hint {
            writeln!(out, "  - {}", escape(hint))?;
        }
    }
    Ok(())
}

fn sites(out: &mut String, report: &Report) -> fmt::Result {
    writeln!(out, "\n## Sites\n")?;
    writeln!(
        out,
        "| site | state | RTA | RPA | rows | size | not passed |"
    )?;
    writeln!(out, "|---|---|---:|---:|---:|---:|---|")?;
    for site in worst_first(report) {
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} |",
            escape(site.id.as_str()),
            site.state.as_str(),
            format::maybe_seconds(site.rta_seconds),
            format::maybe_seconds(site.rpa_seconds),
            format::count(rows(site)),
            format::bytes(bytes(site)),
            escape(&doubts(site).join(", "))
        )?;
    }
    Ok(())
}

fn phases(out: &mut String, report: &Report) -> fmt::Result {
    writeln!(out, "\n## Phases\n")?;
    writeln!(out, "| phase | tasks | wall | busy | work |")?;
    writeln!(out, "|---|---:|---:|---:|---:|")?;
    for phase in &report.phases {
        writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            phase.name,
            phase.tasks,
            format::seconds(phase.seconds),
            format::seconds(phase.busy_seconds),
            format::seconds(phase.task_seconds)
        )?;
    }
    Ok(())
}

/// Text as text: nothing in it may end a cell or begin markup.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' => {
                out.push('\\');
                out.push(character);
            }
            '\n' | '\r' => out.push(' '),
            _ => out.push(character),
        }
    }
    out
}
