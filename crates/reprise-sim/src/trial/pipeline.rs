//! Inputs to the engine, its entries to the journal, its effects to the world.

use std::time::Duration;

use rand::RngExt;
use reprise_engine::{Effect, Fold, Input, Interruption};
use reprise_model::{AttemptId, Entry, Event, RunEnd};
use reprise_ports::JournalError;

use super::Trial;
use super::coverage::Mishap;
use super::timeline::{CoordinatorId, Happening};
use super::world::SLACK;
use crate::checks::Violation;

/// A write takes this long, in seconds: a group commit on a disk.
const WRITE: std::ops::Range<f64> = 0.0002..0.01;
/// And a slow one.
const SLOW_WRITE: std::ops::Range<f64> = 0.1..5.0;

impl Trial {
    /// The engine takes an input; what it answers is handed over and done.
    pub fn handle(&mut self, by: CoordinatorId, input: Input) -> Result<(), Violation> {
        self.inputs += 1;
        if self.inputs > super::INPUTS_AT_MOST {
            return Err(Violation::Endless(self.inputs));
        }
        let rival = self.world.faults.rival;
        if self.owner == Some(by) && self.world.chance(rival) {
            self.lose_claim(by);
        }
        if let Some(at) = self.thawed(by) {
            self.world.timeline.at(at, Happening::Heard { by, input });
            return Ok(());
        }
        let marked = match &input {
            Input::Marked { attempt, .. } => Some(*attempt),
            Input::Begin { .. }
            | Input::Probed { .. }
            | Input::Finished { .. }
            | Input::Lost { .. }
            | Input::Commanded { .. }
            | Input::Tick => None,
        };
        let now = self.world.timeline.now;
        let coordinator = self.coordinators.get_mut(&by).expect("it is alive");
        match &input {
            Input::Commanded { number, command } => coordinator.told(*number, command),
            Input::Begin { inbox, .. } => {
                for (number, command) in inbox {
                    coordinator.told(*number, command);
                }
            }
            Input::Probed { .. }
            | Input::Finished { .. }
            | Input::Lost { .. }
            | Input::Marked { .. }
            | Input::Tick => {}
        }
        let effects = coordinator.engine.handle(input, coordinator.local(now));
        for effect in effects {
            if self.dies(by) {
                return self.crash(by);
            }
            self.accept(by, effect, marked)?;
        }
        self.perform_due(by)
    }

    /// Whether the coordinator dies here: at one more boundary.
    fn dies(&mut self, by: CoordinatorId) -> bool {
        let here = Some(self.boundaries);
        self.boundaries += 1;
        let planned = self.world.faults.crash_at.contains(&here);
        let crash = self.world.faults.crash;
        self.coordinators.contains_key(&by) && (planned || self.world.chance(crash))
    }

    fn accept(
        &mut self,
        by: CoordinatorId,
        effect: Effect,
        marked: Option<AttemptId>,
    ) -> Result<(), Violation> {
        let now = self.world.timeline.now;
        let coordinator = self.coordinators.get_mut(&by).expect("it is alive");
        match effect {
            Effect::Journal(entry) => {
                if let (Event::Marked { attempt, .. }, true) = (&entry.event, marked.is_some()) {
                    coordinator.grants.push((entry.seq, *attempt));
                }
                coordinator.hand_over(entry);
            }
            other => {
                if let Effect::Start { attempt, .. } | Effect::Probe { attempt, .. } = &other {
                    let task = attempt.task;
                    if let Some(how) = coordinator.stilled {
                        let task = self.plan.key(task).to_string();
                        return Err(Violation::Unwanted { task, how });
                    }
                    if !coordinator.superseded {
                        self.world.slots.ask(&self.plan, task, now)?;
                    }
                }
                coordinator.keep(other);
            }
        }
        Ok(())
    }

    /// Performs what the durable journal allows, and writes on.
    fn perform_due(&mut self, by: CoordinatorId) -> Result<(), Violation> {
        while let Some(coordinator) = self.coordinators.get_mut(&by) {
            for attempt in coordinator.granted() {
                self.world.granted(attempt);
            }
            let Some(effect) = coordinator.next_due() else {
                break;
            };
            if self.dies(by) {
                return self.crash(by);
            }
            self.perform(by, effect)?;
        }
        self.write(by)
    }

    fn perform(&mut self, by: CoordinatorId, effect: Effect) -> Result<(), Violation> {
        let coordinator = self.coordinators.get_mut(&by).expect("it is alive");
        let superseded = coordinator.superseded;
        match effect {
            Effect::Journal(_) => unreachable!("entries are handed over"),
            Effect::Start { attempt, .. } => {
                self.books.perform(attempt, false, by, superseded)?;
                self.world.start(attempt, by)?;
            }
            Effect::Probe { attempt, mark, .. } => {
                self.books.perform(attempt, true, by, superseded)?;
                self.world.probe(attempt, mark, by)?;
            }
            Effect::Interrupt { attempt, why } => self.interrupt(by, attempt, why)?,
            Effect::Wake { at } => {
                coordinator.alarm = Some(at);
                let due = coordinator.true_time(at);
                let alarm = Happening::Alarm { of: by, at };
                self.world.timeline.at(due, alarm);
            }
            Effect::Stop(end) => self.stopped(by, end)?,
        }
        Ok(())
    }

    fn interrupt(
        &mut self,
        by: CoordinatorId,
        attempt: AttemptId,
        why: Interruption,
    ) -> Result<(), Violation> {
        let Some(seconds) = self.world.interrupt(attempt) else {
            return Ok(());
        };
        let limit = self.plan.step_of(attempt.task).timeout;
        let early = limit.is_none_or(|limit| seconds + SLACK.as_secs_f64() < limit.0.as_secs_f64());
        match why {
            Interruption::TimedOut if early && !self.world.unattended.contains(&by) => {
                let task = self.plan.key(attempt.task).to_string();
                return Err(Violation::Hasty { task, seconds });
            }
            Interruption::TimedOut => self.world.coverage.count(Mishap::TimedOut),
            Interruption::Cancelled => {}
        }
        Ok(())
    }

    /// Begins to write what is pending, as one page.
    fn write(&mut self, by: CoordinatorId) -> Result<(), Violation> {
        let ready = self.coordinators.get(&by);
        let ready = ready.is_some_and(|c| c.writing.is_none() && !c.pending.is_empty());
        if !ready {
            return Ok(());
        }
        if self.dies(by) {
            return self.crash(by);
        }
        let slow = self.world.faults.write;
        let took = match self.world.mishap(slow, Mishap::SlowWrite) {
            true => self.world.draw(SLOW_WRITE),
            false => self.world.draw(WRITE),
        };
        let coordinator = self.coordinators.get_mut(&by).expect("looked at above");
        coordinator.writing = Some(std::mem::take(&mut coordinator.pending));
        self.world
            .timeline
            .after(took, Happening::Landing { of: by });
        Ok(())
    }

    /// The page in flight becomes durable, or it fails.
    pub fn land(&mut self, by: CoordinatorId) -> Result<(), Violation> {
        let Some(coordinator) = self.coordinators.get_mut(&by) else {
            return Ok(());
        };
        if coordinator.writing.is_none() {
            return Ok(());
        }
        if self.dies(by) {
            return self.crash(by);
        }
        if self
            .world
            .mishap(self.world.faults.write, Mishap::WriteFailed)
        {
            if self.world.rng.random_bool(0.5) && self.append(by)?.is_ok() {
                self.world.coverage.count(Mishap::WriteFailedKept);
            }
            self.give_up(by);
            return Ok(());
        }
        match self.append(by)? {
            Ok(()) => self.perform_due(by),
            Err(JournalError::Superseded { .. }) => {
                self.world.coverage.count(Mishap::Fenced);
                self.give_up(by);
                Ok(())
            }
            Err(error) => Err(Violation::Journal(error.to_string())),
        }
    }

    /// Appends the page in flight. What is durable then is read by the books.
    pub fn append(&mut self, by: CoordinatorId) -> Result<Result<(), JournalError>, Violation> {
        let coordinator = self.coordinators.get_mut(&by).expect("it is alive");
        let entries = coordinator.writing.take().unwrap_or_default();
        let appended = self.tape.append(&mut coordinator.claim, &entries);
        let newest = self.tape.tip.epoch.0;
        if let Err(error) = appended {
            return match coordinator.superseded {
                true => Ok(Err(error)),
                false => Err(Violation::Journal(error.to_string())),
            };
        }
        if by != newest {
            return Err(Violation::NotFenced { epoch: by, newest });
        }
        let offset = coordinator.offset;
        self.read(&entries, by, offset)?;
        Ok(Ok(()))
    }

    pub fn read(&mut self, entries: &[Entry], writer: u64, offset: i64) -> Result<(), Violation> {
        for entry in entries {
            if matches!(entry.event, Event::Halted(_)) {
                self.world.coverage.count(Mishap::Halted);
            }
            self.books.read(entry, writer, offset, &self.tape.inbox)?;
        }
        Ok(())
    }

    /// The engine has stopped, and everything before that is durable.
    fn stopped(&mut self, by: CoordinatorId, end: RunEnd) -> Result<(), Violation> {
        if let Some(attempt) = self.world.is_under_way(by) {
            let task = self.plan.key(attempt.task).to_string();
            return Err(Violation::LeftBehind { task });
        }
        let coordinator = self.coordinators.remove(&by).expect("it is alive");
        self.world.slots.forget(by);
        if coordinator.superseded {
            return Ok(());
        }
        self.owner = None;
        let fold = coordinator.engine.fold();
        self.same_as_journal(fold)?;
        crate::checks::compare(&self.plan, &self.books, fold)?;
        if self.books.stopped != Some(end) {
            return Err(Violation::OutOfPlace {
                event: "stop",
                task: String::new(),
            });
        }
        let unread = !self.tape.inbox(self.books.last_command).is_empty();
        if end == RunEnd::Finished && !unread {
            return self.finish(fold);
        }
        self.operate_after(end);
        self.resume_later();
        Ok(())
    }

    /// The stored journal verifies, and folds to what the engine knows.
    fn same_as_journal(&mut self, live: &Fold) -> Result<(), Violation> {
        let entries = self.tape.read_all();
        let entries = entries.map_err(|error| Violation::Journal(error.to_string()))?;
        let mut folded = Fold::new(self.plan.clone());
        for entry in &entries {
            folded
                .apply(&entry.event, entry.at)
                .map_err(|error| Violation::Replay(error.to_string()))?;
        }
        for task in self.plan.ixs() {
            if folded.state(task) != live.state(task) {
                return Err(Violation::FoldDiffers {
                    task: self.plan.key(task).to_string(),
                    folded: folded.state(task).as_str(),
                    engine: live.state(task).as_str(),
                });
            }
        }
        Ok(())
    }

    pub fn resume_later(&mut self) {
        let wait = match self.world.rng.random_bool(0.5) {
            true => Duration::from_millis(self.world.rng.random_range(1..2_000)),
            false => Duration::from_secs(self.world.rng.random_range(1..120)),
        };
        self.world.timeline.after(wait, Happening::Resume);
    }
}
