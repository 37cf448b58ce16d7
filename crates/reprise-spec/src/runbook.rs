//! `runbook.yaml`: from text to [`Runbook`].

mod against;
mod build;
mod references;
mod rules;
mod shape;
mod slices;

use std::path::Path;

use reprise_model::Runbook;
use serde_json::Value;

use crate::shape::{Kind, check};
use crate::{Diagnostics, yaml};
pub use against::check_runbook_against;
pub(crate) use shape::RUNBOOK;

/// Reads a runbook from text; `path` names the file in diagnostics.
pub fn parse_runbook(text: &str, path: &Path) -> Result<Runbook, Diagnostics> {
    let (root, report) = yaml::parse(text, path)?;
    if crate::version::is_another(&root, &report) {
        return report.finish(None);
    }
    check(&root, &(0..0), &Kind::Shape(&RUNBOOK), &report);
    rules::check(&root, &report);
    let runbook = report.is_clean().then(|| build::runbook(&root)).flatten();
    report.finish(runbook)
}

/// The JSON schema of `runbook.yaml`.
pub fn runbook_schema() -> Value {
    crate::shape::schema("runbook.yaml of reprise", &RUNBOOK)
}
