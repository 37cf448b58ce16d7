//! Starts, probes and interrupts attempts, each a task of this process.
//!
//! Every attempt answers exactly once, whatever happens to it: a connector
//! that panics has lost its answer, one that ignores its cancellation is cut
//! off after [`GRACE`].

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use reprise_engine::{Answer, Input};
use reprise_model::{AttemptId, Fault, FaultKind, Outcome, Seq};
use reprise_ports::{Call, Connector, Context, JournalError, Probe, Progress};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::observer::Observer;

/// How long an interrupted attempt may take to end by itself: enough to roll
/// a transaction back and to stop a child process.
const GRACE: Duration = Duration::from_secs(15);

/// What attempts and the writer tell their coordinator.
pub(crate) enum Message {
    Input(Input),
    /// A mark, and who waits for it to be durable.
    Mark(Input, oneshot::Sender<()>),
    /// Every entry before this one is durable.
    Durable(Seq),
    /// The journal took no more.
    Unwritten(JournalError),
}

pub(crate) struct Dispatcher {
    outbox: mpsc::UnboundedSender<Message>,
    observer: Arc<dyn Observer>,
    running: BTreeMap<AttemptId, Flight>,
}

struct Flight {
    token: CancellationToken,
    job: JoinHandle<()>,
}

enum Work {
    Perform,
    Probe(Option<Value>),
}

impl Dispatcher {
    pub fn new(outbox: mpsc::UnboundedSender<Message>, observer: Arc<dyn Observer>) -> Self {
        Self {
            outbox,
            observer,
            running: BTreeMap::new(),
        }
    }

    pub fn start(&mut self, call: Call, connector: Arc<dyn Connector>) {
        self.spawn(call, connector, Work::Perform);
    }

    pub fn probe(&mut self, call: Call, mark: Option<Value>, connector: Arc<dyn Connector>) {
        self.spawn(call, connector, Work::Probe(mark));
    }

    /// Answers for an attempt that could not even be sent off.
    pub fn refuse(&self, attempt: AttemptId, fault: Fault) {
        let result = Err(fault);
        let _ = self
            .outbox
            .send(Message::Input(Input::Finished { attempt, result }));
    }

    pub fn interrupt(&self, attempt: AttemptId) {
        if let Some(flight) = self.running.get(&attempt) {
            flight.token.cancel();
        }
    }

    /// Cuts off what still runs, and returns when nothing of it is left in
    /// this process: only then may the run be given up to another owner.
    pub async fn cut_off(&mut self) {
        let flights = std::mem::take(&mut self.running);
        for flight in flights.values() {
            flight.job.abort();
        }
        for flight in flights.into_values() {
            let _ = flight.job.await;
        }
    }

    pub fn landed(&mut self, attempt: AttemptId) {
        self.running.remove(&attempt);
    }

    fn spawn(&mut self, call: Call, connector: Arc<dyn Connector>, work: Work) {
        let attempt = call.attempt;
        let token = CancellationToken::new();
        let context = AttemptContext {
            attempt,
            token: token.clone(),
            outbox: self.outbox.clone(),
            observer: self.observer.clone(),
        };
        let outbox = self.outbox.clone();
        let interrupted = token.clone();
        let span = self.observer.span(attempt);
        let job = async move {
            let work = run(&call, connector.as_ref(), work, &context);
            // The work first: most of it never asks whether it was interrupted.
            let input = tokio::select! {
                biased;
                input = AssertUnwindSafe(work).catch_unwind() => input.unwrap_or_else(|_| {
                    let why = "the connector panicked; its last words are in the log".to_owned();
                    Input::Lost { attempt, why }
                }),
                () = out_of_patience(&interrupted) => Input::Finished {
                    attempt,
                    result: Err(Fault::new(FaultKind::Cancelled, "cut off")),
                },
            };
            let _ = outbox.send(Message::Input(input));
        };
        let job = tokio::spawn(job.instrument(span));
        self.running.insert(attempt, Flight { token, job });
    }
}

async fn out_of_patience(token: &CancellationToken) {
    token.cancelled().await;
    tokio::time::sleep(GRACE).await;
}

async fn run(
    call: &Call,
    connector: &dyn Connector,
    work: Work,
    context: &AttemptContext,
) -> Input {
    let attempt = call.attempt;
    match work {
        Work::Perform => Input::Finished {
            attempt,
            result: connector
                .perform(call, context)
                .await
                .and_then(Outcome::judged),
        },
        Work::Probe(mark) => {
            let answer = match connector.probe(call, mark.as_ref(), context).await {
                Ok(Probe::AsItShouldBe(outcome)) => Answer::AsItShouldBe(outcome),
                Ok(Probe::NotYet) => Answer::NotYet,
                Ok(Probe::Unknown { why }) => Answer::Unknown { why },
                Err(fault) => Answer::Failed(fault),
            };
            Input::Probed { attempt, answer }
        }
    }
}

struct AttemptContext {
    attempt: AttemptId,
    token: CancellationToken,
    outbox: mpsc::UnboundedSender<Message>,
    observer: Arc<dyn Observer>,
}

#[async_trait]
impl Context for AttemptContext {
    fn progress(&self, progress: Progress) {
        self.observer.progress(self.attempt, &progress);
    }

    async fn mark(&self, mark: Value) -> Result<(), Fault> {
        let gone = || Fault::new(FaultKind::Cancelled, "the coordinator is gone");
        let (durable, wait) = oneshot::channel();
        let input = Input::Marked {
            attempt: self.attempt,
            mark,
        };
        self.outbox
            .send(Message::Mark(input, durable))
            .map_err(|_| gone())?;
        wait.await.map_err(|_| gone())
    }

    fn cancelled(&self) -> &CancellationToken {
        &self.token
    }
}
