//! Inputs to events and effects.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reprise_model::{
    AttemptEnd, AttemptId, Command, Entry, Event, Fault, FaultKind, Outcome, Owner, Seq, TaskIx,
    Timestamp, format_duration,
};

use crate::backoff;
use crate::fold::Fold;
use crate::io::{Answer, Effect, Input, Interruption};
use crate::slots::Slots;

#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Spreads the retries of different runs; any number will do.
    pub seed: u64,
    /// Stay when all that is left waits for a person, or is paused.
    pub wait_for_people: bool,
    /// How far ahead attempts are journalled before a slot is free for them, at
    /// most: on a slow disk a more urgent task waits as long for them.
    pub reach: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 0,
            wait_for_people: false,
            reach: REACH,
        }
    }
}

/// A commit takes one to ten milliseconds on the disks and over the networks
/// that journals are kept on. While one is under way the deck has to last, and
/// what the next one holds has to be journalled.
const REACH: Duration = Duration::from_millis(25);

/// One run's decisions. Feed it inputs, perform its effects in order. A clone
/// goes its own way: what would happen from here on.
#[derive(Clone)]
pub struct Engine {
    pub(crate) fold: Fold,
    pub(crate) options: Options,
    pub(crate) slots: Slots,
    pub(crate) next: Seq,
    pub(crate) deadlines: BTreeSet<(Timestamp, TaskIx)>,
    interrupted: BTreeMap<TaskIx, Interruption>,
    pub(crate) alarm: Option<Timestamp>,
    pub(crate) stopping: bool,
    /// What stopped the owner before was lifted already.
    pub(crate) lifted: bool,
}

impl Engine {
    pub(crate) fn with_fold(fold: Fold, options: Options) -> Self {
        Self {
            slots: Slots::new(&fold.topology, options.reach),
            fold,
            options,
            next: Seq(0),
            deadlines: BTreeSet::new(),
            interrupted: BTreeMap::new(),
            alarm: None,
            stopping: false,
            lifted: false,
        }
    }

    pub fn fold(&self) -> &Fold {
        &self.fold
    }

    /// Takes one input and returns what is to be done, in order.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.feed(input, now, &mut effects);
        effects
    }

    /// The same, adding to a list that the caller keeps.
    pub fn feed(&mut self, input: Input, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.stopping {
            return;
        }
        match input {
            Input::Begin { owner, inbox } => self.begin(owner, inbox, now, effects),
            Input::Probed { attempt, answer } => self.probed(attempt, answer, now, effects),
            Input::Finished { attempt, result } => {
                self.finished(attempt, result, now, effects);
            }
            Input::Lost { attempt, why } => self.unknown(attempt, why, now, effects),
            Input::Marked { attempt, mark } => {
                if self.is_under_way(attempt) {
                    self.record(Event::Marked { attempt, mark }, now, effects);
                }
            }
            Input::Commanded { number, command } => {
                self.commanded(number, command, now, effects);
            }
            Input::Tick => {}
        }
        self.interrupt_overdue(now, effects);
        self.react(now, effects);
        self.dispatch(now, effects);
        self.conclude(now, effects);
        self.set_alarm(now, effects);
    }

    /// Every entry before `next` is durable. Decides nothing: it tells what
    /// attempts took apart from what they waited for their commit, and so how
    /// far ahead it is worth to journal.
    pub fn note_durable(&mut self, next: Seq, now: Timestamp) {
        self.slots.note_durable(next, now);
    }

    fn begin(
        &mut self,
        owner: Owner,
        inbox: Vec<(u64, Command)>,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        self.record(Event::Owned(owner), now, effects);
        self.slots = Slots::new(&self.fold.topology, self.options.reach);
        if self.fold.is_held() && !self.lifted {
            let (number, command) = lift();
            self.record(Event::Commanded { number, command }, now, effects);
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
        let task = attempt.task;
        let sent = self.slots.land(&self.fold.topology, task, now);
        if let Some(deadline) = self.deadline_of(task, sent) {
            self.deadlines.remove(&(deadline, task));
        }
        self.interrupted.remove(&task);
        let event = Event::Ended {
            attempt,
            end,
            again,
        };
        self.record(event, now, effects);
        let pool = self.fold.topology.pool(task);
        assert_eq!(
            self.fold.ready.under_way(pool),
            self.slots.journalled(pool),
            "every slot that is in use has an attempt in the journal"
        );
    }

    /// Ends the task's attempt if it is on deck: it was never sent off, so it
    /// is known that its work is not done.
    pub(crate) fn recall(&mut self, task: TaskIx, now: Timestamp, effects: &mut Vec<Effect>) {
        let waits = self.fold.flights.contains(task) && self.slots.sent(task).is_none();
        if waits && let Some(found) = self.slots.recall(&self.fold.topology, task) {
            self.never_sent(found.task, now, effects);
        }
    }

    fn never_sent(&mut self, task: TaskIx, now: Timestamp, effects: &mut Vec<Effect>) {
        let number = self.fold.ledger.slot(task).attempt;
        let event = Event::Ended {
            attempt: AttemptId { task, number },
            end: AttemptEnd::NotYet,
            again: None,
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
        if number != 0 && number <= self.fold.last_command() {
            // Told twice, obeyed once.
            return;
        }
        let cancel = matches!(command, Command::Cancel { .. });
        self.record(Event::Commanded { number, command }, now, effects);
        if self.fold.is_held() {
            for found in self.slots.recall_all() {
                self.never_sent(found.task, now, effects);
            }
        }
        if cancel {
            let mut under_way: Vec<_> = self.fold.flights.values().map(|f| f.attempt).collect();
            under_way.sort_unstable();
            for attempt in under_way {
                self.interrupt(attempt, Interruption::Cancelled, effects);
            }
        }
    }

    fn interrupt(&mut self, attempt: AttemptId, why: Interruption, effects: &mut Vec<Effect>) {
        let earlier = self.interrupted.get(&attempt.task).copied();
        self.interrupted
            .insert(attempt.task, earlier.unwrap_or(why));
        if earlier.is_none() {
            effects.push(Effect::Interrupt { attempt, why });
        }
    }

    fn interrupt_overdue(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        while let Some(&(deadline, task)) = self.deadlines.first()
            && deadline <= now
        {
            self.deadlines.pop_first();
            if let Some(flight) = self.fold.flights.get(task).copied() {
                self.interrupt(flight.attempt, Interruption::TimedOut, effects);
            }
        }
    }

    /// A time-out counts from the moment at which the attempt was sent off.
    pub(crate) fn deadline_of(&self, task: TaskIx, sent: Timestamp) -> Option<Timestamp> {
        let limit = self.fold.topology.step(task).timeout?;
        Some(sent.saturating_add(limit.0))
    }

    fn is_under_way(&self, attempt: AttemptId) -> bool {
        let flight = self.fold.flights.get(attempt.task);
        flight.is_some_and(|flight| flight.attempt == attempt)
            && self.slots.sent(attempt.task).is_some()
    }

    pub(crate) fn record(
        &mut self,
        event: Event,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) -> Seq {
        let entry = self.entry(event, now);
        let seq = entry.seq;
        self.slots.note_recorded(seq, now);
        effects.push(Effect::Journal(entry));
        seq
    }

    pub(crate) fn entry(&mut self, event: Event, now: Timestamp) -> Entry {
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

/// What a new owner tells itself, with its number: to go on.
pub(crate) fn lift() -> (u64, Command) {
    let by = "resume".to_owned();
    (0, Command::Continue { by })
}
