//! Spans to an OpenTelemetry collector, by OTLP over HTTP.
//!
//! A collector is a convenience, a restore is not: spans wait in a queue of
//! fixed length, what does not fit or does not arrive is counted and told
//! once at the end, and the end waits for the last of them only so long.

mod client;
mod endpoint;
mod record;
mod worker;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use reprise_model::{Plan, RunId};
use reprise_report::{Fold, Span, SpanEnd, SpanSink};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::client::Client;
use self::record::Recorder;
use crate::failure::Failure;
use crate::printer::Printer;

/// Spans that wait at most: about a kilobyte and a half each.
const QUEUE: usize = 8_192;

/// How long the end of a run waits for the last spans to be sent.
const FLUSH_FOR: Duration = Duration::from_secs(5);

/// Counts shared by those who make spans and those who send them.
#[derive(Debug, Default)]
pub(super) struct Tally {
    made: AtomicU64,
    sent: AtomicU64,
    /// The last thing that went wrong; names no address and no header.
    trouble: Mutex<Option<String>>,
}

impl Tally {
    fn note(&self, trouble: impl Into<String>) {
        let mut last = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(trouble.into());
    }
}

/// A collector that was asked for, before the run is known.
pub struct Collector {
    exporter: SpanExporter,
    tally: Arc<Tally>,
}

impl Collector {
    /// None unless the option or the environment names one. A restore is not
    /// refused for what happens to be in the environment: that is told, and
    /// nothing is sent.
    pub fn find(option: Option<&str>, printer: &Printer) -> Result<Option<Self>, Failure> {
        let variable = |name: &str| std::env::var(name).ok();
        let found = endpoint::find(option, variable)
            .and_then(|endpoint| endpoint.map(Self::of).transpose());
        match found {
            Err(failure) if option.is_none() => {
                let message = format!("spans are not exported: {}", failure.message);
                printer.warning(&message, failure.hints.first().map(String::as_str));
                Ok(None)
            }
            found => found,
        }
    }

    fn of(endpoint: String) -> Result<Self, Failure> {
        let tally = Arc::new(Tally::default());
        let client = Client::new(tally.clone())
            .map_err(|error| Failure::internal(format!("no client for OTLP: {error}")))?;
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_endpoint(endpoint)
            .build()
            .map_err(|_| endpoint::unusable())?;
        exporter.set_resource(&resource());
        Ok(Self { exporter, tally })
    }

    /// Starts to send; to be called once the run begins.
    pub fn open(self, run: RunId, plan: Arc<Plan>) -> (Export, Sender) {
        let (queue, spans) = mpsc::channel(QUEUE);
        let closing = CancellationToken::new();
        let worker = worker::work(self.exporter, spans, closing.clone(), self.tally.clone());
        let export = Export {
            worker: tokio::spawn(worker),
            closing,
            tally: self.tally.clone(),
        };
        let sender = Sender {
            recorder: Recorder::new(run, plan),
            queue,
            tally: self.tally,
        };
        (export, sender)
    }
}

/// Who sends; OpenTelemetry's own variables have the last word.
fn resource() -> Resource {
    let ours = Resource::builder_empty()
        .with_service_name("reprise")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_detector(Box::new(EnvResourceDetector::new()));
    let name = std::env::var("OTEL_SERVICE_NAME").ok();
    match name.filter(|name| !name.is_empty()) {
        Some(name) => ours.with_service_name(name).build(),
        None => ours.build(),
    }
}

/// Puts spans into the queue as they close.
pub struct Sender {
    recorder: Recorder,
    queue: mpsc::Sender<SpanData>,
    tally: Arc<Tally>,
}

impl SpanSink for Sender {
    fn opened(&mut self, _: &Fold, _: &Span) {}

    fn closed(&mut self, _: &Fold, span: &Span, end: &SpanEnd) {
        self.tally.made.fetch_add(1, Ordering::Relaxed);
        match self.queue.try_reserve() {
            Ok(place) => place.send(self.recorder.record(span, end)),
            Err(_) => self.tally.note("the queue was full"),
        }
    }
}

/// The sending, to be brought to an end when the run has.
pub struct Export {
    worker: tokio::task::JoinHandle<()>,
    closing: CancellationToken,
    tally: Arc<Tally>,
}

impl Export {
    /// Sends what is left, for a bounded time, and says what did not arrive.
    pub async fn finish(self, at_once: bool, printer: &Printer) {
        self.closing.cancel();
        let (patience, trouble) = match at_once {
            true => (Duration::ZERO, "the run was stopped at once"),
            false => (FLUSH_FOR, "the collector took too long"),
        };
        let stop = self.worker.abort_handle();
        if tokio::time::timeout(patience, self.worker).await.is_err() {
            stop.abort();
            self.tally.note(trouble);
        }
        let made = self.tally.made.load(Ordering::Relaxed);
        let lost = made - self.tally.sent.load(Ordering::Relaxed).min(made);
        if lost > 0 {
            let trouble = self.tally.trouble.lock();
            let trouble = trouble.unwrap_or_else(PoisonError::into_inner).take();
            let trouble = trouble.unwrap_or_else(|| "the sender ended".to_owned());
            let message = format!("{lost} of {made} spans were not exported: {trouble}");
            printer.warning(&message, Some("the run itself is not affected"));
        }
    }
}
