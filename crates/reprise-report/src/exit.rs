//! The end state as an exit code.

use reprise_model::Exit;

use crate::report::Report;

/// What a script should know first: failed sites, then outstanding work, then
/// what could not be proven. A task of the run or of a shard that failed
/// without costing a site anything leaves the run unvalidated.
pub fn exit(report: &Report) -> Exit {
    let totals = &report.totals;
    let outstanding = totals.outstanding + totals.waiting + totals.cancelled;
    let unfinished = totals.tasks.ended() < totals.tasks.total;
    if totals.failed > 0 {
        Exit::SitesFailed
    } else if outstanding > 0 || unfinished {
        Exit::Outstanding
    } else if totals.unvalidated > 0
        || !report.failures.is_empty()
        || (report.objectives.are_set() && report.objectives.met != Some(true))
    {
        Exit::Unvalidated
    } else {
        Exit::Success
    }
}
