//! Each site: its state, its stores, its validations.

use reprise_model::{TaskIx, TaskState, Verdict};

use super::{SiteReport, SiteState, StoreReport, stores, validations};
use crate::fold::{Fold, SiteProgress};

pub(super) fn of(fold: &Fold) -> Vec<SiteReport> {
    let plan = fold.plan();
    let mut tasks = vec![Vec::new(); plan.sites.len()];
    for task in plan.ixs() {
        if let Some(site) = fold.site_of(task) {
            tasks[site].push(task);
        }
    }
    let recover = stores::recover_tasks(fold);
    (0..plan.sites.len())
        .map(|site| report(fold, site, &tasks[site], &recover))
        .collect()
}

fn report(fold: &Fold, site: usize, tasks: &[TaskIx], recover: &[Option<TaskIx>]) -> SiteReport {
    let planned = &fold.plan().sites[site];
    let stores = stores::of_site(fold, site, tasks, recover);
    let validations = validations::of_site(fold, tasks, &stores);
    let verdict = Verdict::over(
        (stores.iter().map(|store| store.verdict))
            .chain(validations.iter().map(|validation| validation.verdict)),
    );
    let state = state(fold, site, tasks, verdict);
    SiteReport {
        id: planned.id.clone(),
        state,
        wave: planned.wave,
        rta_seconds: recovery_seconds(fold, tasks).filter(|_| state.is_back()),
        rpa_seconds: worst_loss(&stores),
        skew_seconds: stores::skew(&stores),
        verdict,
        stores,
        validations,
        attributes: planned.attributes.clone(),
    }
}

fn state(fold: &Fold, site: usize, tasks: &[TaskIx], verdict: Verdict) -> SiteState {
    let any = |wanted: &[TaskState]| tasks.iter().any(|task| wanted.contains(&fold.state(*task)));
    match fold.site_progress(site) {
        SiteProgress::Failed => SiteState::Failed,
        SiteProgress::Settled if any(&[TaskState::Failed, TaskState::Skipped]) => {
            SiteState::Unvalidated
        }
        SiteProgress::Settled if verdict == Verdict::Pass => SiteState::Restored,
        SiteProgress::Settled => SiteState::Unvalidated,
        SiteProgress::Open if any(&[TaskState::Cancelled]) => SiteState::Cancelled,
        SiteProgress::Open if any(&[TaskState::Running, TaskState::Validating]) => {
            SiteState::Outstanding
        }
        SiteProgress::Open if any(&[TaskState::Gated]) => SiteState::Waiting,
        SiteProgress::Open => SiteState::Outstanding,
    }
}

/// From the incident, else the start of the run, to the site's last end.
fn recovery_seconds(fold: &Fold, tasks: &[TaskIx]) -> Option<f64> {
    let from = fold.plan().incident_time.or(fold.started())?;
    let end = tasks
        .iter()
        .filter_map(|task| fold.record(*task).end)
        .max()?;
    Some(end.seconds_since(from))
}

fn worst_loss(stores: &[StoreReport]) -> Option<f64> {
    let losses = stores.iter().filter_map(|store| store.rpa_seconds);
    losses.max_by(f64::total_cmp)
}
