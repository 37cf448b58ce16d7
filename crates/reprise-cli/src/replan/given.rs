//! What the operator gave to be sure: T and sites must be those of the run.

use std::collections::BTreeSet;

use reprise_model::{Plan, SiteId};
use reprise_plan::Selection;
use reprise_report::format;

use crate::failure::Failure;
use crate::inputs;

/// Sites that are named before the rest is counted.
const NAMED: usize = 5;

pub fn same_time(text: &str, plan: &Plan) -> Result<(), Failure> {
    let given = inputs::target_time("--at", text, inputs::now())?;
    if given == plan.target_time {
        return Ok(());
    }
    Err(another_run("the run restores to another moment")
        .fact("run", plan.target_time)
        .fact("given", given))
}

pub fn same_sites(text: &str, plan: &Plan) -> Result<(), Failure> {
    let Selection::Ids(ids) = inputs::selection(text)? else {
        return Err(Failure::usage("--sites: a resume compares ids only").hint(
            "`--sites` takes @FILE or ID,ID,... here; without it the run's sites are taken",
        ));
    };
    let given: BTreeSet<&SiteId> = ids.iter().map(|selected| &selected.id).collect();
    let ours: BTreeSet<&SiteId> = plan.sites.iter().map(|site| &site.id).collect();
    if given == ours {
        return Ok(());
    }
    let named = |sites: Vec<&&SiteId>| {
        let first: Vec<_> = sites.iter().take(NAMED).map(ToString::to_string).collect();
        let more = match sites.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {} more", format::count(more as u64)),
        };
        match sites.len() {
            0 => "none".to_owned(),
            _ => format!("{}{more}", first.join(", ")),
        }
    };
    Err(another_run("the run restores other sites")
        .fact("run", format::plural(ours.len() as u64, "site"))
        .fact("given", format::plural(given.len() as u64, "site"))
        .fact("only in the run", named(ours.difference(&given).collect()))
        .fact("only given", named(given.difference(&ours).collect())))
}

fn another_run(message: &str) -> Failure {
    Failure::refused(format!("{message}; nothing was changed"))
        .hint("that is another run: `reprise plan` and `reprise run` make one")
}
