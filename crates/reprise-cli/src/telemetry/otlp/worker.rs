//! Takes spans from the queue and sends them in batches.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use super::Tally;

/// Spans in one request, the default of OpenTelemetry's batch processors.
const BATCH: usize = 512;

/// How long the first span of a batch waits for more.
const LINGER: Duration = Duration::from_secs(1);

/// Sends until the queue is closed and empty.
pub(super) async fn work(
    exporter: SpanExporter,
    mut spans: Receiver<SpanData>,
    closing: CancellationToken,
    tally: Arc<Tally>,
) {
    loop {
        let mut batch = Vec::new();
        tokio::select! {
            biased;
            () = fill(&mut spans, &mut batch, 1) => {}
            () = closing.cancelled() => spans.close(),
        }
        tokio::select! {
            biased;
            () = fill(&mut spans, &mut batch, BATCH) => {}
            () = closing.cancelled() => {
                spans.close();
                fill(&mut spans, &mut batch, BATCH).await;
            }
            () = tokio::time::sleep(LINGER) => {}
        }
        if batch.is_empty() {
            return;
        }
        let size = batch.len() as u64;
        // What went wrong has been noted by the client.
        if exporter.export(batch).await.is_ok() {
            tally.sent.fetch_add(size, Ordering::Relaxed);
        }
    }
}

/// Until there are so many, or there will be no more. May be cut off.
async fn fill(spans: &mut Receiver<SpanData>, batch: &mut Vec<SpanData>, size: usize) {
    while batch.len() < size {
        match spans.recv().await {
            Some(span) => batch.push(span),
            None => return,
        }
    }
}
