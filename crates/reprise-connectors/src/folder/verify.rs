//! `verify`: a site's live files against its manifest of T.

use reprise_model::{Check, Fault, FaultKind, Verdict};
use serde_json::json;

use super::copy::may_give;
use super::names::text;
use super::options::Options;
use super::work::Differences;
use crate::shared::found::Found;
use crate::shared::policy::{CreatedAfter, Empty, OnConflict};

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
    for path in &found.new_folders {
        extra.add(format!("{}/", text(path)));
    }
    let fails = missing.count > 0
        || (options.on_conflict != OnConflict::Keep && wrong.count > 0)
        || (options.created_after == CreatedAfter::Remove && extra.count > 0);
    // Nothing that was looked at is no proof.
    let unknown = found.nothing && options.empty == Empty::Unknown;
    let mut check = Check {
        name: "files".to_owned(),
        verdict: match (fails, unknown) {
            (true, _) => Verdict::Fail,
            (false, true) => Verdict::Unknown,
            (false, false) => Verdict::Pass,
        },
        evidence: json!({
            "at_t": { "files": found.expected.rows, "bytes": found.expected.bytes },
            "live": { "files": found.live.rows, "bytes": found.live.bytes },
            "missing": missing.evidence(),
            "wrong": wrong.evidence(),
            "created_after": extra.evidence(),
            "kept_in_place_of": found.hidden,
            "compared": compared(),
            "folder": folder,
        }),
    };
    if found.nothing {
        check.evidence["nothing"] = json!(format!(
            "0 files, at T and now: neither the copy nor live has `{folder}`; where the site may have no files, `empty: allowed` in the `with` of this step says so"
        ));
    }
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

/// Of a site that has nothing, where others of the batch have something.
pub fn is_just_empty(check: &mut Check) {
    check.verdict = Verdict::Pass;
    check.evidence["nothing"] =
        json!("0 files, at T and now; other sites of the batch have folders");
}

fn compared() -> &'static str {
    match may_give() {
        true => {
            "type, size, SHA-256, owner, mode, time of modification in whole seconds; of a link where it points"
        }
        false => {
            "type, size, SHA-256, mode, time of modification in whole seconds; of a link where it points; not the owner, which only root gives"
        }
    }
}
