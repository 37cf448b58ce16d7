//! The summary at the end of a run: aligned, and bounded for many sites.

use std::fmt::{self, Write as _};

use super::{bytes, doubts, objective, rows, states, trust, worst_first};
use crate::format;
use crate::report::{Report, SiteReport};

/// Sites, failures and links that are listed before the rest is counted.
const LISTED: usize = 40;

pub fn text(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, report);
    out
}

fn write(out: &mut String, report: &Report) -> fmt::Result {
    head(out, report)?;
    failures(out, report)?;
    sites(out, report)?;
    phases(out, report)?;
    path(out, report)?;
    writeln!(out, "\njournal  {}", trust(report))
}

fn head(out: &mut String, report: &Report) -> fmt::Result {
    let totals = &report.totals;
    writeln!(out, "run {}  {}", report.run, report.state.as_str())?;
    writeln!(out, "  sites        {} of {}", states(report), totals.sites)?;
    writeln!(out, "  target time  {}", report.target_time)?;
    if let Some(incident) = report.incident_time {
        writeln!(out, "  incident     {incident}")?;
    }
    if let Some(started) = report.started {
        writeln!(out, "  started      {started}")?;
    }
    if let Some(finished) = report.finished {
        writeln!(out, "  finished     {finished}")?;
    }
    let objectives = &report.objectives;
    writeln!(
        out,
        "  RTA          {}  ({})",
        format::maybe_seconds(totals.rta_seconds),
        objective(objectives.rto, totals.rta_seconds, objectives.rto_met)
    )?;
    writeln!(
        out,
        "  RPA          {}  ({})",
        format::maybe_seconds(totals.rpa_seconds),
        objective(objectives.rpo, totals.rpa_seconds, objectives.rpo_met)
    )?;
    writeln!(
        out,
        "  restored     {} rows, {}",
        format::count(totals.rows),
        format::bytes(totals.bytes)
    )?;
    if let Some(halt) = &report.halted {
        writeln!(
            out,
            "  halted       {} failed, {} allowed",
            halt.failed_sites, halt.allowed
        )?;
    }
    Ok(())
}

fn failures(out: &mut String, report: &Report) -> fmt::Result {
    if report.failures.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nfailed tasks")?;
    for failure in report.failures.iter().take(LISTED) {
        writeln!(out, "  {}: {}", failure.task, failure.message)?;
        if let Some(hint) = &failure.hint {
            writeln!(out, "    hint: {hint}")?;
        }
    }
    rest(out, report.failures.len())
}

fn sites(out: &mut String, report: &Report) -> fmt::Result {
    let sites = worst_first(report);
    let listed = &sites[..sites.len().min(LISTED)];
    let width = listed.iter().map(|site| site.id.as_str().chars().count());
    let width = width.max().unwrap_or(0).max(4);
    writeln!(
        out,
        "\n{:<width$}  {:<11}  {:>8}  {:>8}  {:>12}  {:>9}",
        "site", "state", "RTA", "RPA", "rows", "size"
    )?;
    for site in listed {
        line(out, site, width)?;
    }
    rest(out, sites.len())
}

fn line(out: &mut String, site: &SiteReport, width: usize) -> fmt::Result {
    let mut line = format!(
        "{:<width$}  {:<11}  {:>8}  {:>8}  {:>12}  {:>9}",
        site.id,
        site.state.as_str(),
        format::maybe_seconds(site.rta_seconds),
        format::maybe_seconds(site.rpa_seconds),
        format::count(rows(site)),
        format::bytes(bytes(site)),
    );
    let doubts = if site.state.is_back() {
        doubts(site)
    } else {
        Vec::new()
    };
    if !doubts.is_empty() {
        let _ = write!(line, "  {}", doubts.join(", "));
    }
    writeln!(out, "{line}")
}

fn phases(out: &mut String, report: &Report) -> fmt::Result {
    let begun: Vec<_> = report
        .phases
        .iter()
        .filter(|phase| phase.start.is_some())
        .collect();
    if begun.is_empty() {
        return Ok(());
    }
    let width = begun.iter().map(|phase| phase.name.len()).max();
    let width = width.unwrap_or(0).max(5);
    writeln!(
        out,
        "\n{:<width$}  {:>7}  {:>8}  {:>8}  {:>8}",
        "phase", "tasks", "wall", "busy", "work"
    )?;
    for phase in begun {
        writeln!(
            out,
            "{:<width$}  {:>7}  {:>8}  {:>8}  {:>8}",
            phase.name,
            format::count(phase.tasks.into()),
            format::seconds(phase.seconds),
            format::seconds(phase.busy_seconds),
            format::seconds(phase.task_seconds),
        )?;
    }
    Ok(())
}

fn path(out: &mut String, report: &Report) -> fmt::Result {
    if report.critical_path.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nwhat determined the end")?;
    for link in report.critical_path.iter().take(LISTED) {
        let waited = if link.waited_seconds >= 0.1 {
            format!(
                "  after {} of waiting",
                format::seconds(link.waited_seconds)
            )
        } else {
            String::new()
        };
        writeln!(
            out,
            "  {:>8}  {}{waited}",
            format::seconds(link.seconds),
            link.task
        )?;
    }
    rest(out, report.critical_path.len())
}

fn rest(out: &mut String, total: usize) -> fmt::Result {
    if total > LISTED {
        writeln!(out, "  ... and {} more", total - LISTED)?;
    }
    Ok(())
}
