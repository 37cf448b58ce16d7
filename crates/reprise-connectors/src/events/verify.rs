//! Evidence: nothing is missing in the archive, the offsets are the last
//! numbers at T, and live counts as many events.

use reprise_model::{Check, Fault, FaultKind, Outcome, StoreId, Verdict, Volume};
use serde_json::json;

use super::audit::SiteState;
use super::replay::Standing;
use super::target::Held;

pub(super) fn completeness(state: &SiteState, store: &StoreId) -> Check {
    let verdict = match state.open().next() {
        None => Verdict::Pass,
        Some(_) => Verdict::Fail,
    };
    Check {
        name: "completeness".to_owned(),
        verdict,
        evidence: state.evidence(store),
    }
}

pub(super) fn offsets(
    state: &SiteState,
    held: &Held,
    standing: &Standing,
    store: &StoreId,
) -> Check {
    let is_there = standing.ahead.is_empty() && standing.behind.is_empty();
    let pairs = |all: &[(String, i64, i64)]| -> Vec<_> {
        all.iter()
            .map(|(stream, live, last)| json!({ "stream": stream, "offset": live, "at_target": last }))
            .collect()
    };
    Check {
        name: "offsets".to_owned(),
        verdict: if is_there {
            Verdict::Pass
        } else {
            Verdict::Fail
        },
        evidence: json!({
            "store": store,
            "site": state.site,
            "streams": state.streams.len(),
            "offsets": held.offsets,
            "ahead": pairs(&standing.ahead),
            "behind": pairs(&standing.behind),
        }),
    }
}

/// Absent where live cannot count.
pub(super) fn counts(
    held: &Held,
    standing: &Standing,
    store: &StoreId,
    state: &SiteState,
) -> Option<Check> {
    let counts = held.counts.as_ref()?;
    let differ: Vec<_> = standing
        .hollow
        .iter()
        .map(|(stream, counted, applied)| {
            json!({ "stream": stream, "counted": counted, "applied": applied })
        })
        .collect();
    Some(Check {
        name: "counts".to_owned(),
        verdict: if differ.is_empty() {
            Verdict::Pass
        } else {
            Verdict::Fail
        },
        evidence: json!({ "store": store, "site": state.site, "counts": counts, "differ": differ }),
    })
}

/// Passes, or fails with the checks and what they found in words.
pub(super) fn outcome(
    checks: Vec<Check>,
    state: &SiteState,
    standing: Option<&Standing>,
) -> Result<Outcome, Fault> {
    if checks.iter().all(|check| check.verdict == Verdict::Pass) {
        return Ok(Outcome {
            volume: Volume {
                rows: state.events(),
                bytes: 0,
            },
            checks,
            ..Outcome::default()
        });
    }
    let mut words = Vec::new();
    if state.open().next().is_some() {
        words.push(state.words());
    }
    if let Some(standing) = standing {
        words.extend(standing.conflict());
        words.extend(standing.behind.iter().map(|(stream, offset, last)| {
            format!("stream {stream} was replayed to {offset}, not to {last}")
        }));
    }
    let mut fault = Fault::new(FaultKind::Validation, words.join("; "));
    fault.checks = checks;
    Err(fault)
}
