//! The report in the forms that people read. Every rendering shows what went
//! wrong first, and none leaves it out.

mod html;
mod markdown;
mod text;

pub use html::html;
pub use markdown::markdown;
pub use text::text;

use crate::format;
use crate::report::{Report, SiteReport};

/// JSON, indented, with a final line end.
pub fn json(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(report).expect("a report is plain data");
    text.push('\n');
    text
}

/// Worst first, then as the plan has them.
fn worst_first(report: &Report) -> Vec<&SiteReport> {
    let mut sites: Vec<_> = report.sites.iter().collect();
    sites.sort_by_key(|site| site.state);
    sites
}

/// `18 restored, 1 failed`: states that some site is in.
fn states(report: &Report) -> String {
    let totals = &report.totals;
    let named = [
        (totals.restored, "restored"),
        (totals.unvalidated, "unvalidated"),
        (totals.failed, "failed"),
        (totals.cancelled, "cancelled"),
        (totals.waiting, "waiting"),
        (totals.outstanding, "outstanding"),
    ];
    let parts: Vec<_> = named
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    if parts.is_empty() {
        "no sites".to_owned()
    } else {
        parts.join(", ")
    }
}

/// `objective 30m 00s: met`. A recovery time within its limit is a miss all
/// the same when a site was given up.
fn objective(
    limit: Option<reprise_model::Elapsed>,
    worst: Option<f64>,
    met: Option<bool>,
) -> String {
    let Some(limit) = limit.map(|limit| limit.0.as_secs_f64()) else {
        return "no objective".to_owned();
    };
    let verdict = match (met, worst) {
        (Some(true), _) => "met",
        (Some(false), Some(worst)) if worst > limit => "missed",
        (Some(false), _) => "missed, sites failed",
        (None, _) => "not known yet",
    };
    format!("objective {}: {verdict}", format::seconds(limit))
}

/// The checks of a site that are not a pass.
fn doubts(site: &SiteReport) -> Vec<String> {
    let checks = site
        .validations
        .iter()
        .filter(|validation| validation.verdict != reprise_model::Verdict::Pass);
    checks
        .map(|check| format!("{} {}", check.name, check.verdict.as_str()))
        .collect()
}

fn rows(site: &SiteReport) -> u64 {
    site.stores.iter().map(|store| store.rows).sum()
}

fn bytes(site: &SiteReport) -> u64 {
    site.stores.iter().map(|store| store.bytes).sum()
}

/// The evidence of how far the report can be trusted.
fn trust(report: &Report) -> String {
    let journal = &report.journal;
    match journal.head {
        Some(head) if journal.verified => format!(
            "{} entries, hash chain verified, head {}",
            format::count(journal.entries),
            head.short()
        ),
        Some(_) | None => format!(
            "{} entries, hash chain not verified",
            format::count(journal.entries)
        ),
    }
}
