//! A span as OpenTelemetry writes it down.
//!
//! The ids follow from the run's id and from the entry that opened the span:
//! whoever takes the run up again goes on in the same trace, under the same
//! parents.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use reprise_model::{Digest, Plan, RunId, TaskIx, Timestamp};
use reprise_report::{self as report, Span, SpanEnd, SpanStatus, Subject};

pub(super) struct Recorder {
    run: RunId,
    plan: Arc<Plan>,
    trace: TraceId,
    scope: InstrumentationScope,
}

impl Recorder {
    pub fn new(run: RunId, plan: Arc<Plan>) -> Self {
        let digest = Digest::of(format!("trace {run}").as_bytes());
        let first = digest.as_bytes().first_chunk().expect("32 bytes");
        let scope = InstrumentationScope::builder("reprise")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        Self {
            run,
            plan,
            trace: TraceId::from_bytes(*first),
            scope,
        }
    }

    pub fn record(&self, span: &Span, end: &SpanEnd) -> SpanData {
        let mut attributes = self.of_subject(span.id.subject);
        attributes.extend(of_end(end));
        SpanData {
            span_context: SpanContext::new(
                self.trace,
                self.id(span.id),
                TraceFlags::SAMPLED,
                false,
                TraceState::default(),
            ),
            parent_span_id: span
                .parent
                .map_or(SpanId::INVALID, |parent| self.id(parent)),
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: self.name(span.id.subject).into(),
            start_time: moment(span.start),
            // A clock that was set back makes no span shorter than nothing.
            end_time: moment(end.at.max(span.start)),
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: match end.status {
                SpanStatus::Ok => Status::Ok,
                SpanStatus::Error => Status::error(end.why.clone().unwrap_or_default()),
                SpanStatus::Unset => Status::Unset,
            },
            instrumentation_scope: self.scope.clone(),
        }
    }

    fn id(&self, id: report::SpanId) -> SpanId {
        let subject = match id.subject {
            Subject::Run => "run".to_owned(),
            Subject::Site(site) => format!("site {site}"),
            Subject::Task(task) => format!("task {}", task.0),
            Subject::Attempt(attempt) => format!("attempt {} {}", attempt.task.0, attempt.number),
        };
        let text = format!("span {} {subject} {}", self.run, id.opened.0);
        let digest = Digest::of(text.as_bytes());
        SpanId::from_bytes(*digest.as_bytes().first_chunk().expect("32 bytes"))
    }

    /// Few names in all, so that tracing systems can group by them.
    fn name(&self, subject: Subject) -> String {
        match subject {
            Subject::Run => "run".to_owned(),
            Subject::Site(_) => "site".to_owned(),
            Subject::Task(task) => format!("task {}", self.plan.step_of(task).name),
            Subject::Attempt(_) => "attempt".to_owned(),
        }
    }

    fn of_subject(&self, subject: Subject) -> Vec<KeyValue> {
        let mut attributes = vec![KeyValue::new("reprise.run", self.run.to_string())];
        match subject {
            Subject::Run => attributes.extend(self.of_run()),
            Subject::Site(site) => {
                let id = &self.plan.sites[site as usize].id;
                attributes.push(KeyValue::new("reprise.site", id.to_string()));
            }
            Subject::Task(task) => attributes.extend(self.of_task(task)),
            Subject::Attempt(attempt) => {
                attributes.extend(self.of_task(attempt.task));
                let number = i64::from(attempt.number);
                attributes.push(KeyValue::new("reprise.attempt", number));
            }
        }
        attributes
    }

    fn of_run(&self) -> [KeyValue; 5] {
        let plan = &self.plan;
        [
            KeyValue::new("reprise.runbook", plan.runbook.name.clone()),
            KeyValue::new("reprise.estate", plan.estate.name.clone()),
            KeyValue::new("reprise.plan_hash", plan.hash.to_string()),
            KeyValue::new("reprise.target_time", plan.target_time.to_string()),
            KeyValue::new("reprise.drill", plan.drill),
        ]
    }

    fn of_task(&self, task: TaskIx) -> Vec<KeyValue> {
        let step = self.plan.step_of(task);
        let mut attributes = vec![
            KeyValue::new("reprise.task", self.plan.key(task).to_string()),
            KeyValue::new("reprise.step", step.name.to_string()),
            KeyValue::new("reprise.action", step.action.as_str()),
        ];
        let site = self.plan.site_of(task).map(|site| site.id.to_string());
        let store = step.store.as_ref().map(ToString::to_string);
        let shard = self.plan.shard_of(task);
        let shard = shard.map(|shard| shard.shard.to_string());
        let optional = [
            ("reprise.site", site),
            ("reprise.store", store),
            ("reprise.shard", shard),
        ];
        let present = optional.into_iter();
        attributes.extend(present.filter_map(|(key, value)| Some(KeyValue::new(key, value?))));
        attributes
    }
}

fn of_end(end: &SpanEnd) -> Vec<KeyValue> {
    let mut attributes = vec![KeyValue::new("reprise.outcome", end.outcome)];
    if end.status == SpanStatus::Error {
        attributes.push(KeyValue::new("error.type", end.outcome));
    }
    let counts = [
        ("reprise.rows", end.volume.rows),
        ("reprise.bytes", end.volume.bytes),
    ];
    for (key, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        attributes.push(KeyValue::new(key, count));
    }
    attributes
}

fn moment(at: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(u64::try_from(at.as_micros()).unwrap_or(0))
}
