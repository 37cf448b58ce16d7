//! Inputs to events and effects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reprise_model::{
    AttemptEnd, AttemptId, Command, Digest, Entry, Event, Fault, FaultKind, Halt, Outcome, Owner,
    Plan, RunEnd, Seq, TaskIx, TaskState, Timestamp, format_duration,
};

use crate::backoff;
use crate::fold::{Fold, FoldError};
use crate::io::{Answer, Effect, Input, Interruption};

#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Spreads the retries of different runs; any number will do.
    pub seed: u64,
    /// Stay when all that is left waits for a person, or is paused.
    pub wait_for_people: bool,
}

/// One run's decisions. Feed it inputs, perform its effects in order.
pub struct Engine {
    fold: Fold,
    options: Options,
    next: Seq,
    deadlines: BTreeSet<(Timestamp, TaskIx)>,
    interrupted: BTreeMap<TaskIx, Interruption>,
    alarm: Option<Timestamp>,
    stopping: bool,
}

impl Engine {
    /// A new run. Returns the engine and the journal's first entry.
    pub fn create(plan: Arc<Plan>, options: Options, now: Timestamp) -> (Self, Entry) {
        let created = Event::Created { plan: plan.hash };
        let mut engine = Self::with_fold(Fold::new(plan), options);
        let entry = engine.entry(created, now);
        (engine, entry)
    }

    /// A run as its journal tells it. The entries must be those of this plan,
    /// from the first on, without gaps.
    pub fn replay(
        plan: Arc<Plan>,
        options: Options,
        entries: &[Entry],
    ) -> Result<Self, ReplayError> {
        let expected = plan.hash;
        let mut engine = Self::with_fold(Fold::new(plan), options);
        match entries.first().map(|first| &first.event) {
            Some(Event::Created { plan }) if *plan == expected => {}
            Some(Event::Created { plan }) => {
                return Err(ReplayError::OtherPlan {
                    journal: *plan,
                    given: expected,
                });
            }
            Some(_) | None => return Err(ReplayError::NoBeginning),
        }
        for entry in entries {
            if entry.seq != engine.next {
                return Err(ReplayError::Gap {
                    expected: engine.next,
                    found: entry.seq,
                });
            }
            engine
                .fold
                .apply(&entry.event, entry.at)
                .map_err(|source| ReplayError::Illegal {
                    seq: entry.seq,
                    source,
                })?;
            engine.next = Seq(engine.next.0 + 1);
        }
        Ok(engine)
    }

    fn with_fold(fold: Fold, options: Options) -> Self {
        Self {
            fold,
            options,
            next: Seq(0),
            deadlines: BTreeSet::new(),
            interrupted: BTreeMap::new(),
            alarm: None,
            stopping: false,
        }
    }

    pub fn fold(&self) -> &Fold {
        &self.fold
    }

    /// Takes one input and returns what is to be done, in order.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.stopping {
            return effects;
        }
        match input {
            Input::Begin { owner, inbox } => self.begin(owner, inbox, now, &mut effects),
            Input::Probed { attempt, answer } => self.probed(attempt, answer, now, &mut effects),
            Input::Finished { attempt, result } => {
                self.finished(attempt, result, now, &mut effects);
            }
            Input::Lost { attempt, why } => self.unknown(attempt, why, now, &mut effects),
            Input::Marked { attempt, mark } => {
                if self.is_under_way(attempt) {
                    self.record(Event::Marked { attempt, mark }, now, &mut effects);
                }
            }
            Input::Commanded { number, command } => {
                self.commanded(number, command, now, &mut effects);
            }
            Input::Tick => {}
        }
        self.interrupt_overdue(now, &mut effects);
        self.react(now, &mut effects);
        self.dispatch(now, &mut effects);
        self.conclude(now, &mut effects);
        self.set_alarm(now, &mut effects);
        effects
    }

    fn begin(
        &mut self,
        owner: Owner,
        inbox: Vec<(u64, Command)>,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        self.record(Event::Owned(owner), now, effects);
        if self.fold.paused || self.fold.cancelling {
            let by = "resume".to_owned();
            let command = Command::Continue { by };
            self.record(Event::Commanded { number: 0, command }, now, effects);
        }
        for (number, command) in inbox {
            self.commanded(number, command, now, effects);
        }
        self.fold.find_todo();
    }

    fn probed(
        &mut self,
        attempt: AttemptId,
        answer: Answer,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        match answer {
            Answer::AsItShouldBe(outcome) => {
                self.end(attempt, AttemptEnd::Satisfied(outcome), None, now, effects);
            }
            Answer::NotYet => self.end(attempt, AttemptEnd::NotYet, None, now, effects),
            Answer::Unknown { why } => self.unknown(attempt, why, now, effects),
            Answer::Failed(fault) => self.finished(attempt, Err(fault), now, effects),
        }
    }

    fn finished(
        &mut self,
        attempt: AttemptId,
        result: Result<Outcome, Fault>,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        match result {
            Ok(outcome) => self.end(attempt, AttemptEnd::Done(outcome), None, now, effects),
            Err(fault) => {
                let fault = self.as_interrupted(attempt.task, fault);
                let again = self.next_try(attempt, &fault, now);
                self.end(attempt, AttemptEnd::Failed(fault), again, now, effects);
            }
        }
    }

    /// An attempt that was interrupted for its time-out reports that it was
    /// cancelled; what happened is that it took too long.
    fn as_interrupted(&self, task: TaskIx, fault: Fault) -> Fault {
        let timed_out = self.interrupted.get(&task) == Some(&Interruption::TimedOut);
        let limit = self.fold.topology.step(task).timeout;
        match limit {
            Some(limit) if timed_out && fault.kind == FaultKind::Cancelled => Fault::new(
                FaultKind::TimedOut,
                format!("took longer than {}", format_duration(limit.0)),
            ),
            Some(_) | None => fault,
        }
    }

    /// When to try again; never, if the fault will not pass or the tries are used up.
    fn next_try(&self, attempt: AttemptId, fault: &Fault, now: Timestamp) -> Option<Timestamp> {
        if fault.kind == FaultKind::Cancelled {
            // The operator changed their mind before the attempt had ended.
            return (!self.fold.cancelling).then_some(now);
        }
        let step = self.fold.topology.step(attempt.task);
        let may_pass = fault.kind.may_pass()
            || (fault.kind == FaultKind::Validation && step.action.settles_with_time());
        let failures = self.fold.ledger.slot(attempt.task).failures + 1;
        if !may_pass || failures >= step.retry.attempts {
            return None;
        }
        let wait = backoff::delay(&step.retry, failures, attempt, self.options.seed);
        let asked = fault.retry_after.map_or(wait, |after| after.0.max(wait));
        Some(now.saturating_add(asked))
    }

    fn unknown(
        &mut self,
        attempt: AttemptId,
        why: String,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let fault = Fault::temporary(&why);
        let end = match self.next_try(attempt, &fault, now) {
            again @ Some(_) => (AttemptEnd::Unknown { why }, again),
            None => {
                let fault = Fault::permanent(format!("it is not known whether it was done: {why}"))
                    .hint("look at the live end, then put the task back with `reprise retry`");
                (AttemptEnd::Failed(fault), None)
            }
        };
        self.end(attempt, end.0, end.1, now, effects);
    }

    fn end(
        &mut self,
        attempt: AttemptId,
        end: AttemptEnd,
        again: Option<Timestamp>,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        if !self.is_under_way(attempt) {
            return;
        }
        self.interrupted.remove(&attempt.task);
        let event = Event::Ended {
            attempt,
            end,
            again,
        };
        self.record(event, now, effects);
    }

    fn commanded(
        &mut self,
        number: u64,
        command: Command,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let cancel = matches!(command, Command::Cancel { .. });
        self.record(Event::Commanded { number, command }, now, effects);
        if cancel {
            let under_way: Vec<_> = self.fold.flights.values().map(|f| f.attempt).collect();
            for attempt in under_way {
                self.interrupt(attempt, Interruption::Cancelled, effects);
            }
        }
    }

    fn interrupt(&mut self, attempt: AttemptId, why: Interruption, effects: &mut Vec<Effect>) {
        let earlier = self.interrupted.get(&attempt.task).copied();
        self.interrupted.insert(attempt.task, earlier.unwrap_or(why));
        if earlier.is_none() {
            effects.push(Effect::Interrupt { attempt, why });
        }
    }

    fn interrupt_overdue(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        while let Some(&(deadline, task)) = self.deadlines.first()
            && deadline <= now
        {
            self.deadlines.pop_first();
            let Some(flight) = self.fold.flights.get(&task).copied() else {
                continue;
            };
            if self.deadline_of(task, flight.since) == Some(deadline) {
                self.interrupt(flight.attempt, Interruption::TimedOut, effects);
            }
        }
    }

    fn deadline_of(&self, task: TaskIx, since: Timestamp) -> Option<Timestamp> {
        let limit = self.fold.topology.step(task).timeout?;
        Some(since.saturating_add(limit.0))
    }

    /// Answers what the events call for: skips, gates, waves.
    fn react(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        loop {
            while let Some((task, of)) = self.fold.todo.skip.pop() {
                if self.fold.may_skip(task) {
                    let because = format!("{} did not succeed", self.fold.plan().key(of));
                    let event = Event::Skipped {
                        task,
                        because,
                        of: Some(of),
                    };
                    self.record(event, now, effects);
                }
            }
            for task in std::mem::take(&mut self.fold.todo.gates) {
                if self.fold.state(task) == TaskState::Ready {
                    self.record(Event::GateOpened { task }, now, effects);
                }
            }
            if !self.open_next_wave(now, effects) && self.fold.todo.skip.is_empty() {
                return;
            }
        }
    }

    /// Opens the next wave when all earlier ones are settled, unless too many
    /// sites have failed.
    fn open_next_wave(&mut self, now: Timestamp, effects: &mut Vec<Effect>) -> bool {
        let next = self.fold.open_waves;
        let fold = &self.fold;
        if next >= fold.plan().waves.len()
            || fold.paused
            || fold.cancelling
            || fold.halted.is_some()
            || (0..next).any(|wave| !fold.ledger.wave_is_settled(wave))
        {
            return false;
        }
        let failed_sites = fold.ledger.failed_sites();
        if let Some(allowed) = fold.plan().halt_above
            && failed_sites > allowed
            && !fold.halt_lifted
        {
            let halt = Halt {
                failed_sites,
                allowed,
            };
            self.record(Event::Halted(halt), now, effects);
            return false;
        }
        let wave = u32::try_from(next).expect("few waves");
        self.record(Event::WaveOpened { wave }, now, effects);
        true
    }

    fn dispatch(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.fold.paused || self.fold.cancelling {
            return;
        }
        while let Some(task) = self.fold.ready.pop_delayed(now) {
            if self.fold.wants_slot(task) {
                self.fold.enqueue(task);
            }
        }
        while let Some(task) = self.fold.next_ready(now) {
            let slot = self.fold.ledger.slot(task);
            let number = slot.attempt + 1;
            let attempt = AttemptId { task, number };
            if slot.must_probe {
                self.record(Event::Probing { attempt }, now, effects);
                let mark = self.fold.marks.get(&task).cloned();
                effects.push(Effect::Probe { attempt, mark });
            } else {
                self.record(Event::Started { attempt }, now, effects);
                effects.push(Effect::Start { attempt });
            }
            if let Some(deadline) = self.deadline_of(task, now) {
                self.deadlines.insert((deadline, task));
            }
        }
    }

    /// Stops when nothing can happen any more without a person.
    fn conclude(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let fold = &self.fold;
        if !fold.flights.is_empty() {
            return;
        }
        let wanting = fold.count(TaskState::Queued) + fold.count(TaskState::Indeterminate);
        let open = fold.count(TaskState::Waiting) + fold.count(TaskState::Ready);
        let gated = fold.count(TaskState::Gated);
        let cancelled = fold.count(TaskState::Cancelled);
        let end = if wanting + open + gated + cancelled == 0 {
            RunEnd::Finished
        } else if fold.cancelling {
            RunEnd::Cancelled
        } else if fold.paused {
            RunEnd::Paused
        } else if wanting > 0 {
            return;
        } else if gated > 0 {
            RunEnd::AtGates
        } else {
            assert!(
                fold.halted.is_some(),
                "{open} tasks wait and nothing will ever start them"
            );
            RunEnd::Halted
        };
        let for_a_person = matches!(end, RunEnd::AtGates | RunEnd::Paused);
        if for_a_person && self.options.wait_for_people {
            return;
        }
        self.record(Event::Stopped(end), now, effects);
        effects.push(Effect::Stop(end));
        self.stopping = true;
    }

    fn set_alarm(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.stopping {
            return;
        }
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        let asleep = self.fold.paused || self.fold.cancelling;
        let ready = (!asleep).then(|| self.fold.ready.next_wake(now)).flatten();
        let next = deadline.into_iter().chain(ready).min();
        if next != self.alarm
            && let Some(at) = next
        {
            effects.push(Effect::Wake { at });
        }
        self.alarm = next;
    }

    fn is_under_way(&self, attempt: AttemptId) -> bool {
        let flight = self.fold.flights.get(&attempt.task);
        flight.is_some_and(|flight| flight.attempt == attempt)
    }

    fn record(&mut self, event: Event, now: Timestamp, effects: &mut Vec<Effect>) {
        let entry = self.entry(event, now);
        effects.push(Effect::Journal(entry));
    }

    fn entry(&mut self, event: Event, now: Timestamp) -> Entry {
        self.fold
            .apply(&event, now)
            .expect("the engine only records what its own state allows");
        let seq = self.next;
        self.next = Seq(seq.0 + 1);
        Entry {
            seq,
            at: now,
            event,
        }
    }
}

/// Why a journal does not tell a run of this plan.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum ReplayError {
    #[error("the journal does not begin with the creation of a run")]
    NoBeginning,
    #[error("the journal belongs to plan {}, not to plan {}", journal.short(), given.short())]
    OtherPlan { journal: Digest, given: Digest },
    #[error("entry {} is missing: entry {} comes next", expected.0, found.0)]
    Gap { expected: Seq, found: Seq },
    #[error("entry {} cannot be: {source}", seq.0)]
    Illegal { seq: Seq, source: FoldError },
}
