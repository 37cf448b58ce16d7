//! The spans of a run as `tracing` knows them: run, site, task, attempt, each
//! in the one before. What a connector logs is logged inside its attempt's.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reprise_model::{AttemptId, Plan, RunId, TaskIx};
use reprise_report::{Fold, Span, SpanEnd, SpanSink, Subject};
use tracing::field::Empty;

/// Where spans and the events of a run are filed, for filters.
macro_rules! target {
    () => {
        "reprise::run"
    };
}
pub(super) use target;

/// Open spans, by what they are about.
pub struct Tree {
    run: RunId,
    plan: Arc<Plan>,
    open: Mutex<BTreeMap<Subject, tracing::Span>>,
}

impl Tree {
    /// None unless the filter lets spans through: then they cost nothing.
    pub fn grow(run: RunId, plan: Arc<Plan>) -> Option<Arc<Self>> {
        let wanted = tracing::enabled!(target: target!(), tracing::Level::INFO);
        wanted.then(|| {
            Arc::new(Self {
                run,
                plan,
                open: Mutex::default(),
            })
        })
    }

    /// The attempt's span, opened if need be together with those around it.
    pub fn attempt(&self, attempt: AttemptId) -> tracing::Span {
        self.ensure(&mut self.lock(), Subject::Attempt(attempt))
    }

    pub fn run(&self) -> tracing::Span {
        self.ensure(&mut self.lock(), Subject::Run)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Subject, tracing::Span>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ensure(
        &self,
        open: &mut BTreeMap<Subject, tracing::Span>,
        subject: Subject,
    ) -> tracing::Span {
        if let Some(span) = open.get(&subject) {
            return span.clone();
        }
        let span = match self.around(subject) {
            None => self.make(subject, &tracing::Span::none()),
            Some(outer) => {
                let outer = self.ensure(open, outer);
                self.make(subject, &outer)
            }
        };
        open.insert(subject, span.clone());
        span
    }

    fn around(&self, subject: Subject) -> Option<Subject> {
        match subject {
            Subject::Run => None,
            Subject::Site(_) => Some(Subject::Run),
            Subject::Task(task) => {
                let site = self.plan.tasks[task.get()].site;
                Some(site.map_or(Subject::Run, Subject::Site))
            }
            Subject::Attempt(attempt) => Some(Subject::Task(attempt.task)),
        }
    }

    fn make(&self, subject: Subject, outer: &tracing::Span) -> tracing::Span {
        match subject {
            Subject::Run => tracing::info_span!(
                target: target!(),
                parent: None,
                "run",
                run = %self.run,
                outcome = Empty,
                rows = Empty,
                bytes = Empty,
            ),
            Subject::Site(site) => tracing::info_span!(
                target: target!(),
                parent: outer,
                "site",
                site = %self.plan.sites[site as usize].id,
                outcome = Empty,
            ),
            Subject::Task(task) => self.make_task(task, outer),
            Subject::Attempt(attempt) => tracing::info_span!(
                target: target!(),
                parent: outer,
                "attempt",
                attempt = attempt.number,
                outcome = Empty,
                rows = Empty,
                bytes = Empty,
            ),
        }
    }

    fn make_task(&self, task: TaskIx, outer: &tracing::Span) -> tracing::Span {
        let step = self.plan.step_of(task);
        tracing::info_span!(
            target: target!(),
            parent: outer,
            "task",
            task = %self.plan.key(task),
            step = %step.name,
            action = step.action.as_str(),
            store = step.store.as_ref().map(display),
            shard = self.plan.shard_of(task).map(|shard| display(&shard.shard)),
            outcome = Empty,
            rows = Empty,
            bytes = Empty,
        )
    }
}

/// Opens and closes the tree's spans as those of the run do.
pub struct Gardener(pub Arc<Tree>);

impl SpanSink for Gardener {
    fn opened(&mut self, _: &Fold, span: &Span) {
        self.0.ensure(&mut self.0.lock(), span.id.subject);
    }

    fn closed(&mut self, _: &Fold, span: &Span, end: &SpanEnd) {
        if let Some(span) = self.0.lock().remove(&span.id.subject) {
            span.record("outcome", end.outcome);
            span.record("rows", end.volume.rows);
            span.record("bytes", end.volume.bytes);
        }
    }
}
