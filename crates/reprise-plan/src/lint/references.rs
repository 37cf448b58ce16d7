//! Rules about steps that hold one store's listing against another's.

use reprise_model::{Action, End, References, Step, StoreId};

use super::{Looking, Severity, Warning};

impl Looking<'_> {
    /// Steps that list this end of the store, with their places.
    pub(super) fn compares(
        &self,
        store: Option<&StoreId>,
        end: End,
    ) -> impl Iterator<Item = (usize, &Step)> {
        self.steps_that(Action::CheckReferences, None)
            .filter(move |(_, step)| {
                let references = References::of(step.action, &step.with);
                references.is_some_and(|references| {
                    let sides = references.iter().flat_map(References::sides);
                    let mut stores = sides.filter(|side| side.at == end).map(|side| &side.store);
                    stores.any(|other| Some(other) == store)
                })
            })
    }
}

/// A listing of what is not back yet, or of a shard that nothing recovers.
pub(super) fn compared_too_early(looking: &Looking<'_>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for store in looking.estate.stores.iter().map(|store| &store.id) {
        for (end, action) in [(End::Live, Action::Restore), (End::Target, Action::Recover)] {
            for (at, step) in looking.compares(Some(store), end) {
                let mut work = looking.steps_that(action, Some(store));
                let Some((_, missed)) = work.find(|(work, _)| !looking.graph.reaches(at, *work))
                else {
                    continue;
                };
                let (name, missed) = (&step.name, &missed.name);
                let message =
                    format!("step {name} compares store {store} without waiting for {missed}");
                warnings.push(
                    Warning::new(Severity::Warning, "compared-too-early", message)
                        .step(step)
                        .hint(format!("add `{missed}` to its needs")),
                );
            }
        }
    }
    warnings
}
