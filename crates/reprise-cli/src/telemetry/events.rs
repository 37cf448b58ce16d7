//! Entries as events of the log.

use std::sync::Arc;

use reprise_model::{
    AttemptEnd, AttemptId, Command, Entry, Event, FaultKind, TaskIx, TaskState, Timestamp,
};
use reprise_report::{Display, Fold, Tone, told};
use tracing::field::display;

use super::tree::{Tree, target};

/// Seconds between two events about the whole.
const SUMMARY_EVERY: f64 = 10.0;

/// Tells the log of a run what its entries say.
pub struct Events {
    tree: Arc<Tree>,
    /// Also what a screen would show: there is none beside a log as JSON.
    whole: bool,
    summarised: Option<Timestamp>,
}

impl Events {
    pub fn new(tree: Arc<Tree>, whole: bool) -> Self {
        Self {
            tree,
            whole,
            summarised: None,
        }
    }

    fn ended(&self, attempt: AttemptId, end: &AttemptEnd, again: Option<Timestamp>) {
        let span = self.tree.attempt(attempt);
        match end {
            AttemptEnd::Done(outcome) | AttemptEnd::Satisfied(outcome) => tracing::debug!(
                target: target!(),
                parent: &span,
                rows = outcome.volume.rows,
                bytes = outcome.volume.bytes,
                satisfied = matches!(end, AttemptEnd::Satisfied(_)),
                "attempt succeeded"
            ),
            AttemptEnd::NotYet => {
                tracing::debug!(target: target!(), parent: &span, "not done yet, says the probe");
            }
            AttemptEnd::Unknown { why } => {
                tracing::warn!(target: target!(), parent: &span, why, "outcome not known");
            }
            AttemptEnd::Failed(fault) => match (again, fault.kind) {
                (Some(again), _) => {
                    tracing::warn!(target: target!(), parent: &span, %fault, %again, "attempt failed");
                }
                (None, FaultKind::Cancelled) => {
                    tracing::info!(target: target!(), parent: &span, %fault, "attempt interrupted");
                }
                (
                    None,
                    FaultKind::Temporary
                    | FaultKind::Permanent
                    | FaultKind::Refused
                    | FaultKind::Validation
                    | FaultKind::TimedOut,
                ) => tracing::error!(
                    target: target!(),
                    parent: &span,
                    %fault,
                    hint = fault.hint.as_deref(),
                    "task failed"
                ),
            },
        }
    }

    /// What a screen would say of it, unless an event of its own has said it.
    fn tell(&self, fold: &Fold, entry: &Entry) {
        let has_failed = |end: &AttemptEnd| match end {
            AttemptEnd::Failed(_) | AttemptEnd::Unknown { .. } => true,
            AttemptEnd::Done(_) | AttemptEnd::Satisfied(_) | AttemptEnd::NotYet => false,
        };
        if matches!(&entry.event, Event::Ended { end, .. } if has_failed(end)) {
            return;
        }
        let Some((tone, line)) = told(fold, entry) else {
            return;
        };
        let run = self.tree.run();
        let about = about(&entry.event).filter(|task| task.get() < fold.plan().tasks.len());
        let task = about.map(|task| display(fold.plan().key(task)));
        let site = about.and_then(|task| fold.plan().site_of(task));
        let site = site.map(|site| display(&site.id));
        match tone {
            Tone::Alarm => {
                tracing::warn!(target: target!(), parent: &run, site, task, "{line}");
            }
            Tone::Routine => {
                tracing::info!(target: target!(), parent: &run, site, task, "{line}");
            }
        }
    }

    fn summary(&self, fold: &Fold) {
        let moved = fold.moved();
        tracing::info!(
            target: target!(),
            parent: &self.tree.run(),
            tasks = fold.plan().tasks.len(),
            done = fold.count(TaskState::Done) + fold.count(TaskState::Satisfied),
            failed = fold.count(TaskState::Failed),
            running = fold.count(TaskState::Running),
            rows = moved.rows,
            bytes = moved.bytes,
            "progress"
        );
    }
}

/// The task that an event is about, where it is about one.
fn about(event: &Event) -> Option<TaskIx> {
    match event {
        Event::Probing { attempt }
        | Event::Started { attempt }
        | Event::Marked { attempt, .. }
        | Event::Ended { attempt, .. } => Some(attempt.task),
        Event::Skipped { task, .. }
        | Event::GateOpened { task }
        | Event::Commanded {
            command: Command::Answer { task, .. },
            ..
        } => Some(*task),
        Event::Created { .. }
        | Event::Owned(_)
        | Event::WaveOpened { .. }
        | Event::Halted(_)
        | Event::Commanded { .. }
        | Event::Replanned { .. }
        | Event::Stopped(_) => None,
    }
}

impl Display for Events {
    fn entry(&mut self, fold: &Fold, entry: &Entry) {
        let known = |attempt: &AttemptId| attempt.task.get() < fold.plan().tasks.len();
        match &entry.event {
            Event::Probing { attempt } if known(attempt) => {
                let span = self.tree.attempt(*attempt);
                tracing::debug!(target: target!(), parent: &span, "probe sent");
            }
            Event::Started { attempt } if known(attempt) => {
                let span = self.tree.attempt(*attempt);
                tracing::debug!(target: target!(), parent: &span, "attempt started");
            }
            Event::Ended {
                attempt,
                end,
                again,
            } if known(attempt) => self.ended(*attempt, end, *again),
            Event::Created { .. }
            | Event::Owned(_)
            | Event::WaveOpened { .. }
            | Event::Probing { .. }
            | Event::Started { .. }
            | Event::Marked { .. }
            | Event::Ended { .. }
            | Event::Skipped { .. }
            | Event::GateOpened { .. }
            | Event::Halted(_)
            | Event::Commanded { .. }
            | Event::Replanned { .. }
            | Event::Stopped(_) => {}
        }
        if self.whole {
            self.tell(fold, entry);
        }
        self.summarised.get_or_insert(entry.at);
    }

    fn refresh(&mut self, fold: &Fold, now: Timestamp) {
        let last = self.summarised.filter(|_| self.whole);
        if last.is_some_and(|last| now.seconds_since(last) >= SUMMARY_EVERY) {
            self.summarised = Some(now);
            self.summary(fold);
        }
    }

    fn finish(&mut self, _: &Fold) {}
}
