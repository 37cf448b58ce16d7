//! Whether what was promised was kept. Unknown is never a yes.

use super::{Objectives, SiteReport, SiteState, Totals};
use crate::fold::{Fold, RunState};

pub(super) fn judge(fold: &Fold, sites: &[SiteReport], totals: &Totals) -> Objectives {
    let promised = fold.plan().objectives;
    let over = fold.run_state() == RunState::Finished;
    let rpo_met = promised.rpo.and_then(|rpo| {
        let measured = sites
            .iter()
            .all(|site| !site.stores.is_empty() && site.stores.iter().all(is_measured));
        met(totals.rpa_seconds, rpo.0.as_secs_f64(), measured, false)
    });
    let rto_met = promised.rto.and_then(|rto| {
        let back = sites.iter().all(|site| site.state.is_back());
        let given_up = over && sites.iter().any(|site| site.state == SiteState::Failed);
        met(totals.rta_seconds, rto.0.as_secs_f64(), back, given_up)
    });
    Objectives {
        rpo: promised.rpo,
        rto: promised.rto,
        rpo_met,
        rto_met,
        met: both(promised.rpo.map(|_| rpo_met), promised.rto.map(|_| rto_met)),
    }
}

impl Objectives {
    /// Whether anybody promised anything.
    pub fn are_set(&self) -> bool {
        self.rpo.is_some() || self.rto.is_some()
    }
}

fn is_measured(store: &super::StoreReport) -> bool {
    store.recovery_point.is_some()
}

/// A miss is known as soon as it is seen, a success only once all is measured.
fn met(worst: Option<f64>, limit: f64, complete: bool, given_up: bool) -> Option<bool> {
    match worst {
        Some(worst) if worst > limit => Some(false),
        _ if given_up => Some(false),
        Some(_) if complete => Some(true),
        Some(_) | None => None,
    }
}

/// Over the objectives that were set: a miss wins, then what is not known.
fn both(rpo: Option<Option<bool>>, rto: Option<Option<bool>>) -> Option<bool> {
    let set: Vec<_> = rpo.into_iter().chain(rto).collect();
    if set.contains(&Some(false)) {
        Some(false)
    } else if set.is_empty() || set.contains(&None) {
        None
    } else {
        Some(true)
    }
}
