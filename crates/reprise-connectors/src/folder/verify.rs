//! `verify`: a site's live files against its manifest of T.

use reprise_model::{Check, Fault, FaultKind, Verdict};
use serde_json::json;

use super::names::text;
use super::options::Options;
use super::work::Differences;
use crate::shared::found::Found;
use crate::shared::policy::{CreatedAfter, OnConflict};

pub fn judge(
    found: &Differences<'_>,
    options: &Options,
    end: &str,
    folder: &str,
) -> Result<Check, Fault> {
    let (mut missing, mut wrong, mut extra) =
        (Found::default(), Found::default(), Found::default());
    for entry in &found.missing {
        missing.add(text(&entry.path));
    }
    for (entry, _, what) in &found.other {
        wrong.add(format!("{}: {what}", text(&entry.path)));
    }
    for entry in &found.unfinished {
        wrong.add(format!("{}: mode", text(&entry.path)));
    }
    for path in &found.created {
        extra.add(text(path));
    }
    let fails = missing.count > 0
        || (options.on_conflict != OnConflict::Keep && wrong.count > 0)
        || (options.created_after == CreatedAfter::Remove && extra.count > 0);
    let check = Check {
        name: "files".to_owned(),
        verdict: if fails { Verdict::Fail } else { Verdict::Pass },
        evidence: json!({
            "at_t": { "files": found.expected.rows, "bytes": found.expected.bytes },
            "live": { "files": found.live.rows, "bytes": found.live.bytes },
            "missing": missing.evidence(),
            "wrong": wrong.evidence(),
            "created_after": extra.evidence(),
            "kept_in_place_of": found.hidden,
            "compared": "type, size, SHA-256, mode, time of modification in whole seconds; of a link where it points",
            "folder": folder,
        }),
    };
    if !fails {
        return Ok(check);
    }
    let message = format!(
        "{end}: {} files are missing, {} are not those of T, {} were not there at T",
        missing.count, wrong.count, extra.count
    );
    let mut fault = Fault::new(FaultKind::Validation, message);
    fault.checks = vec![check];
    Err(fault)
}
