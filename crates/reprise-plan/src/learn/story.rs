//! How long the tasks of one run took, and what they moved: a fold of its journal.

use reprise_model::{AttemptEnd, Entry, Event, Plan, TaskIx, Timestamp, Volume};

use super::seats::Seats;

/// Stands for a task that was not done.
pub(super) const NOT_DONE: f32 = f32::NAN;

/// 4 bytes a task, and what the tasks with a volume moved.
#[derive(Debug)]
pub struct Story {
    pub(super) plan: Plan,
    seats: Seats,
    pub(super) seconds: Vec<f32>,
    pub(super) volumes: Vec<(TaskIx, Volume)>,
}

impl Story {
    /// Of a run of this plan, the one in force, which [`crate::verify_plan`] has accepted.
    pub fn of(plan: Plan) -> Self {
        Self {
            seats: Seats::of(&plan),
            seconds: vec![NOT_DONE; plan.tasks.len()],
            volumes: Vec::new(),
            plan,
        }
    }

    /// Takes the run's entries in order. One that cannot be tells nothing.
    pub fn feed(&mut self, entry: &Entry) {
        match &entry.event {
            Event::Started { attempt } | Event::Probing { attempt } => {
                self.seats.start(*attempt, entry.at);
            }
            Event::Ended { attempt, end, .. } => {
                let since = self.seats.end(*attempt, entry.at);
                if let (AttemptEnd::Done(outcome), Some(since)) = (end, since) {
                    self.done(attempt.task, since, entry.at, outcome.volume);
                }
            }
            Event::Owned(_) => self.seats.clear(),
            Event::Created { .. }
            | Event::WaveOpened { .. }
            | Event::Marked { .. }
            | Event::Skipped { .. }
            | Event::GateOpened { .. }
            | Event::Halted(_)
            | Event::Commanded { .. }
            | Event::Stopped(_) => {}
            // What was told until now counts tasks by a plan before this one.
            Event::Replanned { .. } => self.forget(),
        }
    }

    fn forget(&mut self) {
        self.seats.clear();
        self.seconds.fill(NOT_DONE);
        self.volumes.clear();
    }

    fn done(&mut self, task: TaskIx, since: Timestamp, at: Timestamp, volume: Volume) {
        let seconds = at.seconds_since(since);
        let Some(place) = self.seconds.get_mut(task.get()) else {
            return;
        };
        // A clock that was set back in between leaves no time that means anything.
        if seconds > 0.0 {
            *place = seconds as f32;
            if volume != Volume::default() {
                self.volumes.push((task, volume));
            }
        }
    }

    /// The tasks that were done, with their seconds.
    pub(super) fn done_tasks(&self) -> impl Iterator<Item = (TaskIx, f32)> {
        let all = self.seconds.iter().enumerate();
        all.filter(|(_, seconds)| !seconds.is_nan())
            .map(|(at, seconds)| (TaskIx::at(at), *seconds))
    }
}
