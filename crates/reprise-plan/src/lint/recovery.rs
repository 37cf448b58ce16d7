//! Rules about recover, restore, verify and release of a store.

use reprise_model::{Action, End, Step, StoreId};

use super::{Looking, Severity, Warning};

impl Looking<'_> {
    /// Steps of the action, with their places; of one store where one is given.
    pub(super) fn steps_that(
        &self,
        action: Action,
        store: Option<&StoreId>,
    ) -> impl Iterator<Item = (usize, &Step)> {
        let steps = self.runbook.steps.iter().enumerate();
        steps.filter(move |(_, step)| {
            step.action == action && store.is_none_or(|store| step.store.as_ref() == Some(store))
        })
    }

    /// Whether some step of the action on the same store comes before `at`.
    fn follows(&self, at: usize, action: Action) -> bool {
        let store = self.runbook.steps[at].store.as_ref();
        let mut before = self.steps_that(action, store);
        before.any(|(other, _)| self.graph.reaches(at, other))
    }

    fn name_of(&self, action: Action, step: &Step) -> String {
        let mut steps = self.steps_that(action, step.store.as_ref());
        steps.next().map_or_else(
            || {
                format!(
                    "a step with `action: {}` of the same store",
                    action.as_str()
                )
            },
            |(_, step)| format!("`{}`", step.name),
        )
    }
}

fn store_of(step: &Step) -> &str {
    step.store.as_ref().map_or("(none)", StoreId::as_str)
}

/// A slice is lifted out of the recovered shard: without it there is nothing
/// to lift from.
pub(super) fn restore_without_recover(looking: &Looking<'_>) -> Vec<Warning> {
    let restores = looking.steps_that(Action::Restore, None);
    let bare = restores.filter(|(at, _)| !looking.follows(*at, Action::Recover));
    let warnings = bare.map(|(_, step)| {
        let (name, store) = (&step.name, store_of(step));
        let message = format!("step {name} restores store {store}, which nothing recovers before");
        Warning::new(Severity::Error, "restore-without-recover", message)
            .step(step)
            .hint(format!(
                "add {} to its needs",
                looking.name_of(Action::Recover, step)
            ))
    });
    warnings.collect()
}

pub(super) fn verify_without_restore(looking: &Looking<'_>) -> Vec<Warning> {
    let verifies = looking.steps_that(Action::Verify, None);
    // Completeness of recorded events is a question before any restore.
    let verifies = verifies.filter(|(_, step)| !step.with.contains_key("only"));
    let bare = verifies.filter(|(at, _)| !looking.follows(*at, Action::Restore));
    let warnings = bare.map(|(_, step)| {
        let (name, store) = (&step.name, store_of(step));
        let message = format!("step {name} verifies store {store} without waiting for its restore");
        Warning::new(Severity::Warning, "verify-without-restore", message)
            .step(step)
            .hint(format!(
                "add {} to its needs",
                looking.name_of(Action::Restore, step)
            ))
    });
    warnings.collect()
}

pub(super) fn restore_without_verify(looking: &Looking<'_>) -> Vec<Warning> {
    let restores = looking.steps_that(Action::Restore, None);
    let bare = restores.filter(|(at, step)| {
        let mut verifies = looking.steps_that(Action::Verify, step.store.as_ref());
        !verifies.any(|(verify, _)| looking.graph.reaches(verify, *at))
    });
    let warnings = bare.map(|(_, step)| {
        let (name, store) = (&step.name, store_of(step));
        let message = format!("nothing verifies store {store} after step {name}");
        Warning::new(Severity::Warning, "restore-without-verify", message)
            .step(step)
            .hint(format!(
                "add a step with `action: verify`, `store: {store}`, `needs: [{name}]`"
            ))
    });
    warnings.collect()
}

/// Nothing is silently left out.
pub(super) fn store_not_restored(looking: &Looking<'_>) -> Vec<Warning> {
    // One that only looks leaves everything as it is, and says so by its steps.
    let looks = |(_, step): (_, &Step)| step.with.contains_key("only");
    let only_looks = looking.steps_that(Action::Verify, None).all(looks)
        && looking.steps_that(Action::Verify, None).next().is_some()
        && looking.steps_that(Action::Restore, None).next().is_none();
    if only_looks {
        return Vec::new();
    }
    let stores = looking.estate.stores.iter();
    let left_out = stores.filter(|store| {
        let mut restores = looking.steps_that(Action::Restore, Some(&store.id));
        restores.next().is_none()
    });
    let warnings = left_out.map(|store| {
        let message = format!("store {} is not restored by this runbook", store.id);
        let mut warning = Warning::new(Severity::Warning, "store-not-restored", message);
        warning.store = Some(store.id.clone());
        warning.hint(format!(
            "add a step with `action: restore`, `store: {}`",
            store.id
        ))
    });
    warnings.collect()
}

/// Scratch that is dropped while somebody may still read from it.
pub(super) fn release_too_early(looking: &Looking<'_>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (at, release) in looking.steps_that(Action::Release, None) {
        let store = release.store.as_ref();
        let readers = [Action::Restore, Action::Verify].into_iter();
        let readers = readers.flat_map(|action| looking.steps_that(action, store));
        for (reader, step) in readers.chain(looking.compares(store, End::Target)) {
            if !looking.graph.reaches(at, reader) {
                let (name, reader) = (&release.name, &step.name);
                let message = format!("step {name} drops the scratch that step {reader} reads");
                warnings.push(
                    Warning::new(Severity::Error, "release-too-early", message)
                        .step(release)
                        .hint(format!("add `{reader}` to its needs")),
                );
            }
        }
    }
    warnings
}
