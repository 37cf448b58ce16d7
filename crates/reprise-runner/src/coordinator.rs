//! One coordinator's life over a run: claim, take up, perform, stop.
//!
//! The loop takes all that has come in, asks the engine, writes every entry
//! of the answer in one group commit, and only then performs the other
//! effects, in order: so each entry is durable before the effects after it,
//! and durability is paid per group.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use reprise_engine::{Effect, Engine, Input, Options, Replay, ReplayError};
use reprise_model::{
    AttemptId, Command, Digest, Entry, Epoch, Owner, Plan, RunEnd, RunId, Seq, Timestamp,
};
use reprise_ports::{Claim, Journal, JournalError};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::call::{Companions, Outputs, call_of};
use crate::clock::Clock;
use crate::dispatch::{Dispatcher, Message};
use crate::observer::Observer;
use crate::world::World;

/// How often the inbox is looked into for commands from other terminals.
const INBOX_EVERY: Duration = Duration::from_millis(300);

/// Messages taken into one group commit at most: bounds the latency of the first.
const GROUP_AT_MOST: usize = 4096;

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
    #[error("stopped at once; a resume will find out what was done")]
    Aborted,
}

/// Executes a run, a new one or one taken up again, until nothing more will
/// happen without a person. The run must have been created in the journal.
pub async fn execute(execution: Execution) -> Result<RunEnd, RunError> {
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
    let mut coordinator = match Coordinator::take_up(execution, claim).await {
        Ok(coordinator) => coordinator,
        Err(error) => {
            journal.release(&run, &claim).await;
            return Err(error);
        }
    };
    let end = coordinator.live(owner).await;
    coordinator.dispatcher.cut_off().await;
    journal.release(&run, &coordinator.claim).await;
    end
}

struct Coordinator {
    execution: Execution,
    claim: Claim,
    engine: Engine,
    clock: Clock,
    outputs: Outputs,
    companions: Companions,
    dispatcher: Dispatcher,
    incoming: mpsc::UnboundedReceiver<Message>,
    alarm: Option<Timestamp>,
    last_command: u64,
}

/// What earlier coordinators left, taken in as it is read.
struct Past {
    replay: Replay,
    outputs: Outputs,
    observer: Arc<dyn Observer>,
    fault: Option<ReplayError>,
}

impl Past {
    fn take(&mut self, entries: Vec<Entry>) -> ControlFlow<()> {
        for entry in &entries {
            if let Err(fault) = self.replay.feed(entry) {
                self.fault = Some(fault);
                return ControlFlow::Break(());
            }
            self.outputs.note(entry);
        }
        self.observer.history(entries);
        ControlFlow::Continue(())
    }
}

impl Coordinator {
    async fn take_up(execution: Execution, mut claim: Claim) -> Result<Self, RunError> {
        let run = &execution.run;
        let clock = Clock::start();
        let options = Options {
            seed: seed_of(run),
            wait_for_people: execution.options.wait_for_people,
        };
        let mut past = Past {
            replay: Replay::begin(execution.plan.clone(), options),
            outputs: Outputs::default(),
            observer: execution.observer.clone(),
            fault: None,
        };
        let journal = &execution.journal;
        let mut sink = |entries| past.take(entries);
        let verified = journal.read(run, Seq(0), &mut sink).await?;
        let unreadable = |source| RunError::Replay {
            run: run.clone(),
            source,
        };
        let Past {
            replay,
            outputs,
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
        let engine = if replay.is_empty() {
            let (engine, created) = replay.create(clock.now());
            let first = [created];
            journal.append(run, &mut claim, &first).await?;
            execution.observer.entries(&first);
            engine
        } else {
            replay.finish().map_err(unreadable)?
        };
        let (outbox, incoming) = mpsc::unbounded_channel();
        Ok(Self {
            last_command: engine.fold().last_command(),
            dispatcher: Dispatcher::new(outbox, execution.observer.clone()),
            companions: Companions::new(&execution.plan),
            execution,
            claim,
            engine,
            clock,
            outputs,
            incoming,
            alarm: None,
        })
    }

    async fn live(&mut self, owner: Owner) -> Result<RunEnd, RunError> {
        let inbox = self.read_inbox().await?;
        let mut inputs = vec![Input::Begin { owner, inbox }];
        let mut waiters = Vec::new();
        let mut inbox_timer = tokio::time::interval(INBOX_EVERY);
        inbox_timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let signals = self.execution.options.signals.clone();
        let mut cancelled = false;
        loop {
            if let Some(end) = self.decide_and_perform(&mut inputs, &mut waiters).await? {
                return Ok(end);
            }
            tokio::select! {
                biased;
                () = signals.abort.cancelled() => return Err(RunError::Aborted),
                () = signals.cancel.cancelled(), if !cancelled => {
                    cancelled = true;
                    let command = Command::Cancel { by: "signal".to_owned() };
                    inputs.push(Input::Commanded { number: 0, command });
                }
                Some(first) = self.incoming.recv() => {
                    self.gather(first, &mut inputs, &mut waiters);
                }
                () = sleep_until(self.alarm.map(|at| self.clock.instant_of(at))) => {
                    self.switch_off_alarm();
                    inputs.push(Input::Tick);
                }
                _ = inbox_timer.tick() => {
                    for (number, command) in self.read_inbox().await? {
                        inputs.push(Input::Commanded { number, command });
                    }
                }
            }
        }
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

    /// Takes the message and all that have come in behind it.
    fn gather(
        &mut self,
        first: Message,
        inputs: &mut Vec<Input>,
        waiters: &mut Vec<oneshot::Sender<()>>,
    ) {
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Input(input) => {
                    if let Some(attempt) = answered(&input) {
                        self.dispatcher.landed(attempt);
                    }
                    inputs.push(input);
                }
                Message::Mark(input, durable) => {
                    inputs.push(input);
                    waiters.push(durable);
                }
            }
            next = (inputs.len() < GROUP_AT_MOST)
                .then(|| self.incoming.try_recv().ok())
                .flatten();
        }
    }

    async fn decide_and_perform(
        &mut self,
        inputs: &mut Vec<Input>,
        waiters: &mut Vec<oneshot::Sender<()>>,
    ) -> Result<Option<RunEnd>, RunError> {
        let now = self.clock.now();
        let mut entries = Vec::new();
        let mut others = Vec::new();
        for input in inputs.drain(..) {
            for effect in self.engine.handle(input, now) {
                match effect {
                    Effect::Journal(entry) => entries.push(entry),
                    other => others.push(other),
                }
            }
        }
        self.write(&entries).await?;
        for waiter in waiters.drain(..) {
            let _ = waiter.send(());
        }
        let mut end = None;
        for effect in others {
            end = end.or(self.perform(effect));
        }
        Ok(end)
    }

    async fn write(&mut self, entries: &[Entry]) -> Result<(), RunError> {
        if entries.is_empty() {
            return Ok(());
        }
        let run = &self.execution.run;
        let journal = &self.execution.journal;
        journal.append(run, &mut self.claim, entries).await?;
        for entry in entries {
            self.outputs.note(entry);
        }
        self.execution.observer.entries(entries);
        Ok(())
    }

    fn perform(&mut self, effect: Effect) -> Option<RunEnd> {
        match effect {
            Effect::Journal(_) => unreachable!("entries are written before the others"),
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
            &self.companions,
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
