//! `estate.yaml`: from text to [`Estate`].

mod build;
mod kinds;
mod rules;
mod shape;

use std::path::Path;

use reprise_model::Estate;
use serde_json::Value;

use crate::shape::{Kind, check};
use crate::{Diagnostics, yaml};
pub(crate) use shape::ESTATE;

/// Reads an estate from text. `path` names the file in diagnostics, and its
/// folder becomes the base of relative paths; no file is read.
pub fn parse_estate(text: &str, path: &Path) -> Result<Estate, Diagnostics> {
    let (root, report) = yaml::parse(text, path)?;
    if crate::version::is_another(&root, &report) {
        return report.finish(None);
    }
    check(&root, &(0..0), &Kind::Shape(&ESTATE), &report);
    rules::check(&root, &report);
    let base = path.parent().unwrap_or(Path::new("")).to_owned();
    let estate = report
        .is_clean()
        .then(|| build::estate(&root, base))
        .flatten();
    report.finish(estate)
}

/// The JSON schema of `estate.yaml`.
pub fn estate_schema() -> Value {
    crate::shape::schema("estate.yaml of reprise", &ESTATE)
}
