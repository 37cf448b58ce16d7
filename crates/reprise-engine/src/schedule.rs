//! Waves, starts, and when to stop.

use reprise_model::{AttemptId, Event, Halt, RunEnd, Seq, TaskIx, TaskState, Timestamp};

use crate::engine::Engine;
use crate::io::Effect;
use crate::slots::OnDeck;

impl Engine {
    /// Answers what the events call for: skips, gates, waves.
    pub(crate) fn react(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        loop {
            while let Some((task, of)) = self.fold.todo.skip.pop() {
                self.recall(task, now, effects);
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
            || fold.is_held()
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

    pub(crate) fn dispatch(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.fold.is_held() {
            return;
        }
        while let Some(task) = self.fold.ready.pop_delayed(now) {
            if self.fold.wants_slot(task) {
                self.fold.enqueue(task);
            }
        }
        while let Some(OnDeck { task, after, .. }) = self.slots.next_on_deck() {
            let number = self.fold.ledger.slot(task).attempt;
            let attempt = AttemptId { task, number };
            self.send_off(task, after, now);
            effects.push(Effect::Start { attempt, after });
        }
        while let Some(task) = self.fold.next_ready(now, &self.slots) {
            self.begin_attempt(task, now, effects);
        }
    }

    /// Journals the task's next attempt and sends it off, or takes it on deck
    /// where no slot is free.
    fn begin_attempt(&mut self, task: TaskIx, now: Timestamp, effects: &mut Vec<Effect>) {
        let slot = self.fold.ledger.slot(task);
        let number = slot.attempt + 1;
        let attempt = AttemptId { task, number };
        if slot.must_probe {
            let after = self.record(Event::Probing { attempt }, now, effects);
            let mark = self.fold.marks.get(&task).cloned();
            self.send_off(task, after, now);
            effects.push(Effect::Probe {
                attempt,
                mark,
                after,
            });
            return;
        }
        let after = self.record(Event::Started { attempt }, now, effects);
        if self.slots.is_free(self.fold.topology.pool(task)) {
            self.send_off(task, after, now);
            effects.push(Effect::Start { attempt, after });
        } else {
            self.slots.put_on_deck(&self.fold.topology, task, after);
        }
    }

    fn send_off(&mut self, task: TaskIx, after: Seq, now: Timestamp) {
        let pool = self.fold.topology.pool(task);
        self.slots.send_off(pool, task, after, now);
        if let Some(deadline) = self.deadline_of(task, now) {
            self.deadlines.insert((deadline, task));
        }
    }

    /// Stops when nothing can happen any more without a person.
    pub(crate) fn conclude(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
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

    pub(crate) fn set_alarm(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.stopping {
            return;
        }
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        let ready = (!self.fold.is_held())
            .then(|| {
                let is_free = |pool| self.slots.is_free(pool);
                self.fold.ready.next_wake(now, is_free)
            })
            .flatten();
        let next = deadline.into_iter().chain(ready).min();
        if next != self.alarm
            && let Some(at) = next
        {
            effects.push(Effect::Wake { at });
        }
        self.alarm = next;
    }
}
