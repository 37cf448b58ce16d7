//! What the checks of a slice come to.

use reprise_model::{Check, Fault, FaultKind, Outcome, SiteId, Verdict, Volume};

/// A fault that names the checks that failed. One that could not look is the
/// runner's to judge, as of any step.
pub fn conclude(site: &SiteId, checks: Vec<Check>, volume: Volume) -> Result<Outcome, Fault> {
    let failed: Vec<&str> = checks
        .iter()
        .filter(|check| check.verdict == Verdict::Fail)
        .map(|check| check.name.as_str())
        .collect();
    if failed.is_empty() {
        return Ok(Outcome {
            volume,
            checks,
            ..Outcome::default()
        });
    }
    let message = format!("site {site} is not whole: {}", failed.join(", "));
    let mut fault = Fault::new(FaultKind::Validation, message);
    fault.checks = checks;
    Err(fault)
}
