//! Where the time went, by kind of step and layer.

use super::Phase;
use crate::fold::Fold;

pub(super) fn of(fold: &Fold) -> Vec<Phase> {
    let phases = fold.phases().iter().map(|clock| Phase {
        name: clock.key.name(),
        tasks: clock.tasks,
        start: clock.start,
        end: clock.end,
        seconds: match (clock.start, clock.end) {
            (Some(start), Some(end)) => end.seconds_since(start),
            (Some(_) | None, _) => 0.0,
        },
        busy_seconds: clock.busy_seconds(),
        task_seconds: clock.task_seconds(),
    });
    phases.collect()
}
