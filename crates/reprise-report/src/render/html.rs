//! The report as one HTML file: no script, nothing loaded from elsewhere,
//! light or dark as the reader's screen is. Every text is escaped.

use std::fmt::{self, Write as _};

use reprise_model::{Timestamp, Verdict};

use super::{bytes, objective, rows, states, trust, worst_first};
use crate::format;
use crate::report::{Phase, Report, SiteReport, Validation};

const STYLE: &str = include_str!("report.css");

pub fn html(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, report);
    out
}

fn write(out: &mut String, report: &Report) -> fmt::Result {
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{} restored: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>",
        Escaped(&report.estate),
        Escaped(&states(report)),
    )?;
    head(out, report)?;
    failures(out, report)?;
    timeline(out, report)?;
    sites(out, report)?;
    path(out, report)?;
    writeln!(
        out,
        "<h2>Evidence</h2>\n<p>Journal: {}. Plan {}.</p>\n</body>\n</html>",
        Escaped(&trust(report)),
        report.plan_hash
    )
}

fn head(out: &mut String, report: &Report) -> fmt::Result {
    let totals = &report.totals;
    let objectives = &report.objectives;
    let time = |at: Option<Timestamp>| at.map_or("-".to_owned(), |at| at.to_string());
    let rta = format::maybe_seconds(totals.rta_seconds);
    let rpa = format::maybe_seconds(totals.rpa_seconds);
    let facts = [
        ("Sites", format!("{} of {}", states(report), totals.sites)),
        (
            "Recovery time (RTA)",
            format!(
                "{rta}, {}",
                objective(objectives.rto, totals.rta_seconds, objectives.rto_met)
            ),
        ),
        (
            "Data lost (RPA)",
            format!(
                "{rpa}, {}",
                objective(objectives.rpo, totals.rpa_seconds, objectives.rpo_met)
            ),
        ),
        (
            "Skew between stores",
            format::maybe_seconds(totals.skew_seconds),
        ),
        (
            "Restored",
            format!(
                "{} rows, {}",
                format::count(totals.rows),
                format::bytes(totals.bytes)
            ),
        ),
        ("Target time", report.target_time.to_string()),
        ("Incident", time(report.incident_time)),
        ("Started", time(report.started)),
        ("Finished", time(report.finished)),
    ];
    writeln!(
        out,
        "<h1>Restore of {}</h1>\n<p class=\"run\">Run {}, {}, runbook {}</p>\n<dl class=\"facts\">",
        Escaped(&report.estate),
        Escaped(report.run.as_str()),
        report.state.as_str(),
        Escaped(&report.runbook)
    )?;
    for (name, fact) in facts {
        writeln!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", Escaped(&fact))?;
    }
    writeln!(out, "</dl>")
}

fn failures(out: &mut String, report: &Report) -> fmt::Result {
    if report.failures.is_empty() {
        return Ok(());
    }
    writeln!(out, "<h2>Failed tasks</h2>\n<ul class=\"failures\">")?;
    for failure in &report.failures {
        write!(
            out,
            "<li><code>{}</code> {}",
            Escaped(failure.task.as_str()),
            Escaped(&failure.message)
        )?;
        if let Some(hint) = &failure.hint {
            write!(out, "<br><span class=\"hint\">{}</span>", Escaped(hint))?;
        }
        writeln!(out, "</li>")?;
    }
    writeln!(out, "</ul>")
}

fn timeline(out: &mut String, report: &Report) -> fmt::Result {
    let begun = || report.phases.iter().filter(|phase| phase.start.is_some());
    let (Some(start), Some(end)) = (
        begun().filter_map(|phase| phase.start).min(),
        begun().filter_map(|phase| phase.end).max(),
    ) else {
        return Ok(());
    };
    writeln!(
        out,
        "<h2>Phases</h2>\n<div class=\"wide\"><table><tr><th>phase</th><th class=\"n\">tasks</th>\
         <th class=\"n\">wall</th><th class=\"n\">busy</th><th>{start} to {end}</th></tr>"
    )?;
    for phase in begun() {
        let (left, width) = place(phase, start, end);
        writeln!(
            out,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td><div class=\"track\"><span style=\"left:{left:.2}%;width:{width:.2}%\"></span></div></td></tr>",
            Escaped(&phase.name),
            phase.tasks,
            format::seconds(phase.seconds),
            format::seconds(phase.busy_seconds)
        )?;
    }
    writeln!(out, "</table></div>")
}

/// Where the phase's bar begins and how long it is, in percent of the whole.
fn place(phase: &Phase, start: Timestamp, end: Timestamp) -> (f64, f64) {
    let whole = end.seconds_since(start).max(f64::EPSILON);
    let from = phase.start.unwrap_or(start).seconds_since(start);
    let to = phase.end.unwrap_or(end).seconds_since(start);
    (100.0 * from / whole, 100.0 * (to - from).max(0.0) / whole)
}

fn sites(out: &mut String, report: &Report) -> fmt::Result {
    writeln!(
        out,
        "<h2>Sites</h2>\n<div class=\"wide\"><table><tr><th>site</th><th>state</th>\
         <th class=\"n\">RTA</th><th class=\"n\">RPA</th><th class=\"n\">rows</th>\
         <th class=\"n\">size</th><th>stores and checks</th></tr>"
    )?;
    for site in worst_first(report) {
        let state = site.state.as_str();
        write!(
            out,
            "<tr><td>{}</td><td class=\"{state}\">{state}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>",
            Escaped(site.id.as_str()),
            format::maybe_seconds(site.rta_seconds),
            format::maybe_seconds(site.rpa_seconds),
            format::count(rows(site)),
            format::bytes(bytes(site))
        )?;
        evidence(out, site)?;
        writeln!(out, "</td></tr>")?;
    }
    writeln!(out, "</table></div>")
}

/// Folded away, unless something in it is not a pass.
fn evidence(out: &mut String, site: &SiteReport) -> fmt::Result {
    let open = if site.verdict == Verdict::Pass {
        ""
    } else {
        " open"
    };
    let passed = |validation: &&Validation| validation.verdict == Verdict::Pass;
    let pass = site.validations.iter().filter(passed).count();
    write!(
        out,
        "<details{open}><summary>{pass} of {} passed</summary>",
        format::plural(site.validations.len() as u64, "check")
    )?;
    for store in &site.stores {
        let point = store
            .recovery_point
            .map_or("not measured".to_owned(), |at| at.to_string());
        let verdict = store.verdict.as_str();
        write!(
            out,
            "<div><span class=\"{verdict}\">{verdict}</span> {}@{}: {point}, lost {}, {} rows</div>",
            Escaped(store.store.as_str()),
            Escaped(store.shard.as_str()),
            format::maybe_seconds(store.rpa_seconds),
            format::count(store.rows)
        )?;
    }
    for validation in site
        .validations
        .iter()
        .filter(|validation| !passed(validation))
    {
        let verdict = validation.verdict.as_str();
        write!(
            out,
            "<div><span class=\"{verdict}\">{verdict}</span> {}<pre>{}</pre></div>",
            Escaped(&validation.name),
            Escaped(&validation.evidence.to_string())
        )?;
    }
    write!(out, "</details>")
}

fn path(out: &mut String, report: &Report) -> fmt::Result {
    if report.critical_path.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<h2>What determined the end</h2>\n<div class=\"wide\"><table><tr><th>task</th>\
         <th class=\"n\">took</th><th class=\"n\">waited before</th></tr>"
    )?;
    for link in &report.critical_path {
        writeln!(
            out,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            Escaped(link.task.as_str()),
            format::seconds(link.seconds),
            format::seconds(link.waited_seconds)
        )?;
    }
    writeln!(out, "</table></div>")
}

/// A text in which nothing is markup, in element and attribute alike.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                _ => f.write_char(character)?,
            }
        }
        Ok(())
    }
}
