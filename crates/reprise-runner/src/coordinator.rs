//! One coordinator's life over a run: claim, take up, perform, stop.
//!
//! The loop takes all that has come in, asks the engine, and hands the entries
//! of its answers to the writer, which commits them in groups. An effect is
//! performed once the entry that it waits for is durable, and the coordinator
//! does not wait for commits: it goes on deciding meanwhile.

use std::sync::Arc;
use std::time::Duration;

use reprise_engine::{Effect, Engine, Input, Options, Replay, ReplayError};
use reprise_model::{
    AttemptId, Command, Digest, Entry, Epoch, Owner, Plan, Plans, RunEnd, RunId, Seq, Timestamp,
};
use reprise_ports::{Claim, Journal, JournalError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::call::{Common, Outputs, call_of};
use crate::clock::Clock;
use crate::dispatch::{Dispatcher, Message};
use crate::durable::Durable;
use crate::observer::{Contained, Observer};
use crate::past::Past;
use crate::succession::{Succession, put_in_force};
use crate::tied::tied;
use crate::world::World;
use crate::writer::{Desk, Writer};

/// How often the inbox is looked into for commands from other terminals.
const INBOX_EVERY: Duration = Duration::from_millis(300);

/// Messages decided upon before their entries go to the writer: bounds the
/// latency of the first.
const GROUP_AT_MOST: usize = 256;

/// What to execute, and where.
pub struct Execution {
    pub run: RunId,
    pub plan: Arc<Plan>,
    pub world: Arc<World>,
    pub journal: Arc<dyn Journal>,
    pub observer: Arc<dyn Observer>,
    pub options: ExecuteOptions,
}

#[derive(Clone, Debug, Default)]
pub struct ExecuteOptions {
    /// Stay while all that is left waits at gates or is paused.
    pub wait_for_people: bool,
    pub signals: Signals,
}

/// The process's own interruptions.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    /// End what runs, in order, and stop.
    pub cancel: CancellationToken,
    /// Stop at once; a resume will find out what was done.
    pub abort: CancellationToken,
}

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("the journal gave up")]
    Journal(#[from] JournalError),
    #[error("run `{run}` cannot be taken up from its journal")]
    Replay {
        run: RunId,
        #[source]
        source: ReplayError,
    },
    #[error("run `{run}` has moved on since the new plan was confirmed; nothing was changed")]
    MovedOn { run: RunId },
    #[error("stopped at once; a resume will find out what was done")]
    Aborted,
}

/// Executes a run, a new one or one taken up again, until nothing more will
/// happen without a person. The run must have been created in the journal.
pub async fn execute(execution: Execution) -> Result<RunEnd, RunError> {
    let succession = Succession {
        plans: Plans::new(execution.plan.clone()),
        replan: None,
    };
    succeed(execution, succession).await
}

/// The same for a run whose plan was, or is to be, replaced by another.
///
/// The coordinator lives on the runtime's own threads, beside its attempts,
/// where telling it of an end needs no other thread to be woken. It is gone
/// when the future is dropped.
pub async fn succeed(mut execution: Execution, succession: Succession) -> Result<RunEnd, RunError> {
    execution.observer = Arc::new(Contained(execution.observer));
    // Only a runtime that shuts down cuts it off.
    let end = tied(coordinate(execution, succession)).await;
    end.unwrap_or(Err(RunError::Aborted))
}

async fn coordinate(execution: Execution, succession: Succession) -> Result<RunEnd, RunError> {
    let journal = execution.journal.clone();
    let run = execution.run.clone();
    let owner = Owner {
        epoch: Epoch(0),
        host: hostname(),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let claim = journal.claim(&run, &owner).await?;
    let owner = Owner {
        epoch: claim.epoch,
        ..owner
    };
    let mut coordinator = match Coordinator::take_up(execution, succession, claim).await {
        Ok(coordinator) => coordinator,
        Err(error) => {
            journal.release(&run, &claim).await;
            return Err(error);
        }
    };
    let end = coordinator.live(owner).await;
    coordinator.dispatcher.cut_off().await;
    let claim = coordinator.writer.close().await.unwrap_or(claim);
    journal.release(&run, &claim).await;
    end
}

struct Coordinator {
    execution: Execution,
    engine: Engine,
    clock: Clock,
    writer: Writer,
    durable: Durable,
    outputs: Outputs,
    common: Common,
    dispatcher: Dispatcher,
    incoming: mpsc::UnboundedReceiver<Message>,
    alarm: Option<Timestamp>,
    last_command: u64,
    /// Kept for its room.
    effects: Vec<Effect>,
}

impl Coordinator {
    async fn take_up(
        mut execution: Execution,
        succession: Succession,
        mut claim: Claim,
    ) -> Result<Self, RunError> {
        let run = &execution.run.clone();
        let clock = Clock::start();
        let options = Options {
            seed: seed_of(run),
            wait_for_people: execution.options.wait_for_people,
            ..Options::default()
        };
        let mut past = Past {
            replay: Replay::begin(succession.plans, options),
            outputs: Outputs::default(),
            observer: execution.observer.clone(),
            fault: None,
        };
        let journal = execution.journal.clone();
        let mut sink = |entries| past.take(entries);
        let verified = journal.read(run, Seq(0), &mut sink).await?;
        let unreadable = |source| RunError::Replay {
            run: run.clone(),
            source,
        };
        let Past {
            replay,
            mut outputs,
            fault,
            ..
        } = past;
        fault.map_or(Ok(()), Err).map_err(unreadable)?;
        if verified.torn > 0 {
            // Only now: a record that is itself wrong would take good pages along.
            let pages = journal.cut_torn(run, &claim).await?;
            tracing::warn!(%run, pages, "the end of the journal was torn and is cut");
            execution.observer.torn(pages);
        }
        let mut engine = if replay.is_empty() {
            let (engine, created) = replay.create(clock.now());
            let first = [created];
            journal.append(run, &mut claim, &first).await?;
            execution.observer.entries(&first);
            engine
        } else {
            replay.finish().map_err(unreadable)?
        };
        if let Some(confirmed) = succession.replan {
            let entries = put_in_force(
                confirmed,
                run,
                &journal,
                &mut claim,
                &mut engine,
                &mut outputs,
                clock.now(),
            )
            .await?;
            execution.observer.entries(&entries);
        }
        execution.plan = engine.fold().plan().clone();
        let (outbox, incoming) = mpsc::unbounded_channel();
        let desk = Desk {
            run: run.clone(),
            journal: journal.clone(),
            observer: execution.observer.clone(),
            outbox: outbox.clone(),
        };
        Ok(Self {
            writer: Writer::start(desk, claim),
            durable: Durable::up_to(claim.next),
            last_command: engine.fold().last_command(),
            dispatcher: Dispatcher::new(outbox, execution.observer.clone()),
            common: Common::new(&execution.plan),
            execution,
            engine,
            clock,
            outputs,
            incoming,
            alarm: None,
            effects: Vec::new(),
        })
    }

    async fn live(&mut self, owner: Owner) -> Result<RunEnd, RunError> {
        let inbox = self.read_inbox().await?;
        let mut end = self.decide(vec![Input::Begin { owner, inbox }]);
        let mut inbox_timer =
            tokio::time::interval_at(tokio::time::Instant::now() + INBOX_EVERY, INBOX_EVERY);
        inbox_timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let signals = self.execution.options.signals.clone();
        let mut cancelled = false;
        loop {
            if let Some(end) = end {
                return Ok(end);
            }
            // What comes seldom comes first: answers may come without a pause.
            end = tokio::select! {
                biased;
                () = signals.abort.cancelled() => return Err(RunError::Aborted),
                () = signals.cancel.cancelled(), if !cancelled => {
                    cancelled = true;
                    let command = Command::Cancel { by: "signal".to_owned() };
                    self.decide(vec![Input::Commanded { number: 0, command }])
                }
                _ = inbox_timer.tick() => {
                    let commands = self.read_inbox().await?;
                    let commands = commands.into_iter();
                    let inputs = commands.map(|(number, command)| Input::Commanded { number, command });
                    self.decide(inputs.collect())
                }
                () = sleep_until(self.alarm.map(|at| self.clock.instant_of(at))) => {
                    self.switch_off_alarm();
                    self.decide(vec![Input::Tick])
                }
                Some(first) = self.incoming.recv() => {
                    // Attempts that end at once answer meanwhile, and are taken
                    // together: a switch between threads costs more than a task.
                    tokio::task::yield_now().await;
                    self.take_all(first)?
                }
                () = self.writer.gone() => return Err(self.why_unwritten().into()),
            };
        }
    }

    /// The writer's last word; it is in the queue before the writer goes.
    fn why_unwritten(&mut self) -> JournalError {
        while let Ok(message) = self.incoming.try_recv() {
            if let Message::Unwritten(error) = message {
                return error;
            }
        }
        unreachable!("a writer ends by an error, or after its coordinator")
    }

    /// An alarm rings once. The engine sets the next one, or none: one left on
    /// would ring without end, and nobody would look into the inbox any more.
    fn switch_off_alarm(&mut self) {
        let now = self.clock.now();
        self.alarm = self.alarm.filter(|at| *at > now);
    }

    async fn read_inbox(&mut self) -> Result<Vec<(u64, Command)>, RunError> {
        let run = &self.execution.run;
        let commands = self.execution.journal.inbox(run, self.last_command).await?;
        if let Some((number, _)) = commands.last() {
            self.last_command = *number;
        }
        Ok(commands)
    }

    /// Takes the message and those that have come in behind it, decides, and
    /// gives all that was journalled to the writer at once.
    fn take_all(&mut self, first: Message) -> Result<Option<RunEnd>, RunError> {
        let now = self.clock.now();
        let mut entries = Vec::new();
        let mut end = None;
        let mut next = Some(first);
        let mut taken = 0;
        while let Some(message) = next {
            end = end.or(self.take(message, now, &mut entries)?);
            taken += 1;
            next = (taken < GROUP_AT_MOST)
                .then(|| self.incoming.try_recv().ok())
                .flatten();
        }
        self.write(entries);
        Ok(end)
    }

    fn take(
        &mut self,
        message: Message,
        now: Timestamp,
        entries: &mut Vec<Entry>,
    ) -> Result<Option<RunEnd>, RunError> {
        Ok(match message {
            Message::Input(input) => {
                if let Some(attempt) = answered(&input) {
                    self.dispatcher.landed(attempt);
                }
                self.feed(input, now, entries)
            }
            Message::Mark(input, waiter) => {
                let end = self.feed(input, now, entries);
                self.durable.tell(waiter);
                end
            }
            Message::Durable(next) => {
                self.engine.note_durable(next, now);
                let mut end = None;
                for effect in self.durable.advance(next) {
                    end = end.or(self.perform(effect));
                }
                end
            }
            Message::Unwritten(error) => return Err(error.into()),
        })
    }

    fn decide(&mut self, inputs: Vec<Input>) -> Option<RunEnd> {
        let now = self.clock.now();
        let mut entries = Vec::new();
        let mut end = None;
        for input in inputs {
            end = end.or(self.feed(input, now, &mut entries));
        }
        self.write(entries);
        end
    }

    /// Asks the engine, and performs of its answer what waits for no entry.
    fn feed(&mut self, input: Input, now: Timestamp, entries: &mut Vec<Entry>) -> Option<RunEnd> {
        let mut effects = std::mem::take(&mut self.effects);
        self.engine.feed(input, now, &mut effects);
        let mut end = None;
        for effect in effects.drain(..) {
            if let Effect::Journal(entry) = effect {
                self.durable.record(entry.seq);
                self.outputs.note(&entry);
                entries.push(entry);
            } else if let Some(effect) = self.durable.admit(effect) {
                end = end.or(self.perform(effect));
            }
        }
        self.effects = effects;
        end
    }

    fn write(&mut self, entries: Vec<Entry>) {
        if !entries.is_empty() {
            self.writer.write(entries);
        }
    }

    fn perform(&mut self, effect: Effect) -> Option<RunEnd> {
        match effect {
            Effect::Journal(_) => unreachable!("the writer has it"),
            Effect::Start { attempt, .. } => self.send_off(attempt, None),
            Effect::Probe { attempt, mark, .. } => self.send_off(attempt, Some(mark)),
            Effect::Interrupt { attempt, .. } => self.dispatcher.interrupt(attempt),
            Effect::Wake { at } => self.alarm = Some(at),
            Effect::Stop(end) => return Some(end),
        }
        None
    }

    /// Starts the attempt, or probes for it when `probe` is there.
    fn send_off(&mut self, attempt: AttemptId, probe: Option<Option<serde_json::Value>>) {
        let plan = &self.execution.plan;
        let call = call_of(
            &self.execution.run,
            plan,
            attempt,
            &self.outputs,
            &self.common,
        );
        let sent = call.and_then(|call| {
            let connector = self.execution.world.connector_for(&call)?;
            Ok((call, connector))
        });
        match (sent, probe) {
            (Ok((call, connector)), None) => self.dispatcher.start(call, connector),
            (Ok((call, connector)), Some(mark)) => self.dispatcher.probe(call, mark, connector),
            (Err(fault), _) => self.dispatcher.refuse(attempt, fault),
        }
    }
}

fn answered(input: &Input) -> Option<AttemptId> {
    match input {
        Input::Finished { attempt, .. }
        | Input::Probed { attempt, .. }
        | Input::Lost { attempt, .. } => Some(*attempt),
        Input::Begin { .. } | Input::Marked { .. } | Input::Commanded { .. } | Input::Tick => None,
    }
}

async fn sleep_until(instant: Option<std::time::Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant.into()).await,
        None => std::future::pending().await,
    }
}

fn hostname() -> String {
    let names = rustix::system::uname();
    names.nodename().to_string_lossy().into_owned()
}

/// Different runs retry at different moments.
fn seed_of(run: &RunId) -> u64 {
    let digest = Digest::of(run.as_str().as_bytes());
    let first = digest.as_bytes().first_chunk::<8>().expect("32 bytes");
    u64::from_le_bytes(*first)
}
