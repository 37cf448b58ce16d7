//! What attempts come to, counted as they end.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use reprise_model::{Action, Plan};
use reprise_report::{Fold, Span, SpanEnd, SpanSink, SpanStatus, Subject};

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Ended {
    step: String,
    action: &'static str,
    result: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Step {
    step: String,
}

pub struct Work {
    plan: Arc<Plan>,
    attempts: Family<Ended, Counter>,
    durations: Family<Step, Histogram>,
    rows: Counter,
    bytes: Counter,
}

/// From a millisecond to four and a half hours, by fours.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 4.0, 13))
}

impl Work {
    pub(super) fn register(plan: Arc<Plan>, registry: &mut Registry) -> Self {
        let work = Self {
            plan,
            attempts: Family::default(),
            durations: Family::new_with_constructor(seconds),
            rows: Counter::default(),
            bytes: Counter::default(),
        };
        registry.register(
            "attempts",
            "Attempts that ended, probes included",
            work.attempts.clone(),
        );
        registry.register_with_unit(
            "attempt_duration",
            "From the start of an attempt to its end",
            Unit::Seconds,
            work.durations.clone(),
        );
        registry.register(
            "rows_restored",
            "Rows of restores that ended",
            work.rows.clone(),
        );
        let help = "Bytes of restores that ended";
        registry.register("bytes_restored", help, work.bytes.clone());
        work
    }
}

impl SpanSink for Work {
    fn opened(&mut self, _: &Fold, _: &Span) {}

    fn closed(&mut self, _: &Fold, span: &Span, end: &SpanEnd) {
        let Subject::Attempt(attempt) = span.id.subject else {
            return;
        };
        let step = self.plan.step_of(attempt.task);
        let name = step.name.to_string();
        let ended = Ended {
            step: name.clone(),
            action: step.action.as_str(),
            result: end.outcome,
        };
        self.attempts.get_or_create(&ended).inc();
        let took = end.at.seconds_since(span.start).max(0.0);
        self.durations
            .get_or_create(&Step { step: name })
            .observe(took);
        if step.action == Action::Restore && end.status == SpanStatus::Ok {
            self.rows.inc_by(end.volume.rows);
            self.bytes.inc_by(end.volume.bytes);
        }
    }
}
