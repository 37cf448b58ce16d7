//! A runbook against an estate: what only both together can get wrong.

use std::path::Path;

use reprise_model::{Action, Estate, Runbook, Step};

use crate::diagnostic::Report;
use crate::nearest::did_you_mean;
use crate::yaml::Node;
use crate::{Code, Diagnostics, yaml};

use super::references;

/// Checks every step's store. `text` and `path` are what the runbook was
/// parsed from, so that mistakes are shown at their line.
pub fn check_runbook_against(
    runbook: &Runbook,
    estate: &Estate,
    text: &str,
    path: &Path,
) -> Result<(), Diagnostics> {
    let (root, report) = yaml::parse(text, path)?;
    for step in &runbook.steps {
        let node = root
            .get("steps")
            .and_then(|steps| steps.get(step.name.as_str()));
        check_step(step, estate, node, &report);
        references::check_against(step, estate, node, &report);
    }
    report.finish(Some(()))
}

fn check_step(step: &Step, estate: &Estate, node: Option<&Node>, report: &Report) {
    let Some(id) = &step.store else { return };
    let span = |key| {
        node.and_then(|node| node.get(key))
            .map_or(0..0, |at| at.span.clone())
    };
    let Some(store) = estate.store(id) else {
        let message = format!("the estate has no store `{id}`");
        let names = estate.stores.iter().map(|store| store.id.as_str());
        let error = report.error(Code::UnknownName, span("store"), message);
        return report.push(error.help(did_you_mean(id.as_str(), "stores", names)));
    };
    let by_site = match step.action {
        Action::Restore | Action::Verify => true,
        Action::Recover
        | Action::Release
        | Action::Gate
        | Action::Exec
        | Action::HttpCheck
        | Action::TcpCheck
        | Action::CheckConsistency
        | Action::CheckReferences => false,
    };
    if by_site && store.tenant.is_none() {
        let action = step.action.as_str();
        let message =
            format!("`{action}` cannot tell whose rows they are: store `{id}` has no `tenant`");
        let error = report.error(Code::Mismatch, span("store"), message);
        report.push(error.help("give the store `tenant: { table: ..., key: ... }` in the estate"));
    }
}
