//! What may be done only once some entry is durable.

use reprise_engine::Effect;
use reprise_model::Seq;
use tokio::sync::oneshot;

/// How far the journal has come, and what waits for it to come further.
pub(crate) struct Durable {
    /// The entry after the last one that the engine has journalled.
    recorded: Seq,
    /// The entry after the last one that is durable.
    next: Seq,
    /// In the order of the engine, each with the entry after the one that it
    /// waits for. As many as there are slots, and a few.
    effects: Vec<(Seq, Effect)>,
    marks: Vec<(Seq, oneshot::Sender<()>)>,
}

impl Durable {
    pub fn up_to(next: Seq) -> Self {
        Self {
            recorded: next,
            next,
            effects: Vec::new(),
            marks: Vec::new(),
        }
    }

    pub fn record(&mut self, entry: Seq) {
        self.recorded = Seq(entry.0 + 1);
    }

    /// Gives the effect back if it may be performed at once: an attempt whose
    /// entry is durable overtakes those whose entries are not. Anything else
    /// waits for all entries before it, so that it stays behind the attempts
    /// that it may be about.
    pub fn admit(&mut self, effect: Effect) -> Option<Effect> {
        let due = match &effect {
            Effect::Start { after, .. } | Effect::Probe { after, .. } => Seq(after.0 + 1),
            Effect::Interrupt { .. } | Effect::Stop(_) => self.recorded,
            Effect::Journal(_) | Effect::Wake { .. } => return Some(effect),
        };
        if due <= self.next {
            return Some(effect);
        }
        self.effects.push((due, effect));
        None
    }

    /// Tells `waiter` when all that was journalled so far is durable.
    pub fn tell(&mut self, waiter: oneshot::Sender<()>) {
        self.marks.push((self.recorded, waiter));
        self.tell_marks();
    }

    /// The journal has come as far as before entry `next`: what may be
    /// performed now, in order.
    pub fn advance(&mut self, next: Seq) -> Vec<Effect> {
        self.next = next;
        self.tell_marks();
        let due = self.effects.extract_if(.., |(due, _)| *due <= next);
        due.map(|(_, effect)| effect).collect()
    }

    fn tell_marks(&mut self) {
        let next = self.next;
        for (_, waiter) in self.marks.extract_if(.., |(due, _)| *due <= next) {
            let _ = waiter.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reprise_engine::Interruption;
    use reprise_model::{AttemptId, RunEnd, TaskIx};

    fn attempt(task: u32) -> AttemptId {
        AttemptId {
            task: TaskIx(task),
            number: 1,
        }
    }

    fn start(task: u32, after: u64) -> Effect {
        Effect::Start {
            attempt: attempt(task),
            after: Seq(after),
        }
    }

    fn interrupt(task: u32) -> Effect {
        Effect::Interrupt {
            attempt: attempt(task),
            why: Interruption::Cancelled,
        }
    }

    #[test]
    fn a_start_waits_for_its_own_entry_and_the_rest_for_all() {
        let mut durable = Durable::up_to(Seq(10));
        durable.record(Seq(12));
        assert_eq!(durable.admit(start(1, 11)), None);
        assert_eq!(durable.admit(start(2, 9)), Some(start(2, 9)));
        assert_eq!(durable.admit(start(3, 10)), None);
        assert_eq!(durable.admit(interrupt(3)), None);
        durable.record(Seq(13));
        let stop = Effect::Stop(RunEnd::Finished);
        assert_eq!(durable.admit(stop.clone()), None);
        assert_eq!(durable.advance(Seq(11)), vec![start(3, 10)]);
        assert_eq!(
            durable.advance(Seq(13)),
            vec![start(1, 11), interrupt(3)],
            "an interruption never comes before the start that it is about"
        );
        assert_eq!(durable.advance(Seq(14)), vec![stop]);
    }

    #[test]
    fn a_mark_is_confirmed_once_its_entry_is_durable() {
        let mut durable = Durable::up_to(Seq(0));
        durable.record(Seq(3));
        let (waiter, mut told) = oneshot::channel();
        durable.tell(waiter);
        durable.advance(Seq(3));
        assert!(told.try_recv().is_err(), "entry 3 is not durable yet");
        durable.advance(Seq(4));
        assert!(told.try_recv().is_ok());
    }
}
