//! One simulated coordinator: the engine, and the pipeline of its runner.
//!
//! Entries are handed over and written as pages behind the engine's back; an
//! effect is performed once the journal is durable up to the entry that it
//! names, while later entries are still being written.

use std::collections::VecDeque;

use reprise_engine::{Effect, Engine};
use reprise_model::{AttemptId, Command, Entry, Seq, Timestamp};
use reprise_ports::Claim;

pub(crate) struct Coordinator {
    pub engine: Engine,
    pub claim: Claim,
    /// Microseconds by which its clock is ahead of true time.
    pub offset: i64,
    /// Handed over, and not in the page being written.
    pub pending: Vec<Entry>,
    /// The page being written.
    pub writing: Option<Vec<Entry>>,
    /// Seq after the last entry handed over.
    handed: Seq,
    /// Performed once the journal is durable up to the seq, that one included.
    waiting: VecDeque<(Option<Seq>, Effect)>,
    /// Attempts that wait for their mark to be durable.
    pub grants: Vec<(Seq, AttemptId)>,
    pub alarm: Option<Timestamp>,
    pub frozen_until: Option<Timestamp>,
    /// Its claim is lost, and it does not know.
    pub superseded: bool,
    /// Number of the newest command read from the inbox.
    pub last_command: u64,
    /// Told to pause or to cancel, and not to go on since.
    pub stilled: Option<&'static str>,
    /// Number of the newest command that it was told.
    newest_told: u64,
}

impl Coordinator {
    pub fn new(engine: Engine, claim: Claim, offset: i64) -> Self {
        let last_command = engine.fold().last_command();
        Self {
            last_command,
            engine,
            claim,
            offset,
            pending: Vec::new(),
            writing: None,
            handed: claim.next,
            waiting: VecDeque::new(),
            grants: Vec::new(),
            alarm: None,
            frozen_until: None,
            superseded: false,
            stilled: None,
            newest_told: last_command,
        }
    }

    /// The time by its own clock.
    pub fn local(&self, now: Timestamp) -> Timestamp {
        Timestamp::from_micros(now.as_micros() + self.offset)
    }

    /// When its clock will say so, in true time.
    pub fn true_time(&self, local: Timestamp) -> Timestamp {
        Timestamp::from_micros(local.as_micros() - self.offset)
    }

    /// Notes whether it may start anything. What is told twice counts once.
    pub fn told(&mut self, number: u64, command: &Command) {
        if number != 0 && number <= self.newest_told {
            return;
        }
        self.newest_told = self.newest_told.max(number);
        match command {
            Command::Pause { .. } => self.stilled = self.stilled.or(Some("paused")),
            Command::Cancel { .. } => self.stilled = Some("cancelled"),
            Command::Continue { .. } => self.stilled = None,
            Command::Answer { .. } | Command::Retry { .. } => {}
        }
    }

    pub fn hand_over(&mut self, entry: Entry) {
        self.handed = Seq(entry.seq.0 + 1);
        self.pending.push(entry);
    }

    /// Keeps an effect until the entries before it are durable.
    pub fn keep(&mut self, effect: Effect) {
        let after = match &effect {
            Effect::Start { after, .. } | Effect::Probe { after, .. } => Some(*after),
            Effect::Journal(_)
            | Effect::Interrupt { .. }
            | Effect::Wake { .. }
            | Effect::Stop(_) => self.handed.0.checked_sub(1).map(Seq),
        };
        self.waiting.push_back((after, effect));
    }

    /// The next effect that may be performed now.
    pub fn next_due(&mut self) -> Option<Effect> {
        let durable = self.claim.next;
        let due = |(after, _): &(Option<Seq>, Effect)| after.is_none_or(|seq| seq < durable);
        let place = self.waiting.iter().position(due)?;
        self.waiting.remove(place).map(|(_, effect)| effect)
    }

    /// Attempts whose mark has become durable.
    pub fn granted(&mut self) -> Vec<AttemptId> {
        let durable = self.claim.next;
        let grants = std::mem::take(&mut self.grants);
        let (now, later) = grants.into_iter().partition(|(seq, _)| *seq < durable);
        self.grants = later;
        now.into_iter().map(|(_, attempt)| attempt).collect()
    }
}
