//! Entries to spans: from when to when a run, a site, a task and an attempt
//! were under way, each inside the one before.
//!
//! A span's times are those of the journal, and its identity is the entry
//! that opened it. So every process that reads the journal sees the same
//! spans: one that takes a run up again closes what another has opened, under
//! the same parents, and no span is told twice.

mod end;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use reprise_model::{AttemptId, Command, Entry, Event, Seq, TaskIx, Timestamp};

use crate::fold::Fold;
use crate::live::Display;

pub use end::{SpanEnd, SpanStatus};

/// What a span is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Subject {
    /// One coordinator's time with the run.
    Run,
    /// From the first start of one of its tasks until all are settled; by
    /// index into the plan's sites.
    Site(u32),
    /// Over all attempts, waiting for a retry or for a person included.
    Task(TaskIx),
    Attempt(AttemptId),
}

/// Unique within a run: a subject that is taken up again has another entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SpanId {
    pub subject: Subject,
    /// The entry that opened it.
    pub opened: Seq,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    pub id: SpanId,
    pub parent: Option<SpanId>,
    pub start: Timestamp,
}

/// Who wants to know of spans as they open and close.
pub trait SpanSink: Send {
    fn opened(&mut self, fold: &Fold, span: &Span);

    fn closed(&mut self, fold: &Fold, span: &Span, end: &SpanEnd);
}

/// Follows a run as one of its displays, and tells the sinks.
pub struct Spans {
    sinks: Vec<Box<dyn SpanSink>>,
    open: BTreeMap<Subject, Open>,
    /// When something of the run was heard last.
    heard: Timestamp,
    /// History is remembered and not told.
    tells: bool,
}

struct Open {
    span: Span,
    /// For a site: why a task of it ended without success.
    trouble: Option<String>,
}

impl Spans {
    pub fn new(sinks: Vec<Box<dyn SpanSink>>) -> Self {
        Self {
            sinks,
            open: BTreeMap::new(),
            heard: Timestamp::default(),
            tells: true,
        }
    }

    fn take(&mut self, fold: &Fold, entry: &Entry) {
        let known = |task: &TaskIx| task.get() < fold.plan().tasks.len();
        match &entry.event {
            Event::Created { .. } => self.open(fold, Subject::Run, None, entry),
            Event::Owned(_) => self.change_owner(fold, entry),
            Event::Probing { attempt } | Event::Started { attempt } if known(&attempt.task) => {
                self.begin(fold, attempt.task, entry);
                let parent = self.id_of(Subject::Task(attempt.task));
                self.open(fold, Subject::Attempt(*attempt), parent, entry);
            }
            Event::GateOpened { task } if known(task) => self.begin(fold, *task, entry),
            Event::Ended { attempt, end, .. } if known(&attempt.task) => {
                let end = SpanEnd::of_attempt(end, entry.at);
                self.close(fold, Subject::Attempt(*attempt), &end);
                self.settle(fold, attempt.task, entry.at);
            }
            Event::Skipped { task, .. } if known(task) => self.settle(fold, *task, entry.at),
            Event::Commanded {
                command: Command::Answer { task, .. },
                ..
            } if known(task) => self.settle(fold, *task, entry.at),
            // Tasks have other numbers from here on. What was open is its
            // dead owner's, and was told as far as it came.
            Event::Replanned { .. } => self.open.retain(|subject, _| *subject == Subject::Run),
            Event::Stopped(end) => {
                let end = SpanEnd::of_run(fold, *end, entry.at);
                self.close(fold, Subject::Run, &end);
            }
            Event::Probing { .. }
            | Event::Started { .. }
            | Event::Ended { .. }
            | Event::Skipped { .. }
            | Event::GateOpened { .. }
            | Event::WaveOpened { .. }
            | Event::Marked { .. }
            | Event::Halted(_)
            | Event::Commanded { .. } => {}
        }
        self.heard = entry.at;
    }

    /// The first owner goes on with what `Created` opened. A later one finds
    /// open what its predecessor could not close any more.
    fn change_owner(&mut self, fold: &Fold, entry: &Entry) {
        if fold.owners() > 1 {
            let end = SpanEnd::lost(self.heard);
            let lost = |subject: &Subject| matches!(subject, Subject::Attempt(_) | Subject::Run);
            let subjects: Vec<_> = self.open.keys().copied().filter(lost).collect();
            for subject in subjects.into_iter().rev() {
                self.close(fold, subject, &end);
            }
        }
        if !self.open.contains_key(&Subject::Run) {
            self.open(fold, Subject::Run, None, entry);
        }
    }

    /// Opens the task's span and its site's, where they are not open already.
    fn begin(&mut self, fold: &Fold, task: TaskIx, entry: &Entry) {
        let run = self.id_of(Subject::Run);
        let site = fold.plan().tasks[task.get()].site.map(Subject::Site);
        if let Some(site) = site.filter(|site| !self.open.contains_key(site)) {
            self.open(fold, site, run, entry);
        }
        if !self.open.contains_key(&Subject::Task(task)) {
            let parent = site.and_then(|site| self.id_of(site)).or(run);
            self.open(fold, Subject::Task(task), parent, entry);
        }
    }

    /// Closes the task's span if it has come to an end, and its site's if
    /// that was the last one.
    fn settle(&mut self, fold: &Fold, task: TaskIx, at: Timestamp) {
        if !fold.state(task).is_terminal() {
            return;
        }
        let end = SpanEnd::of_task(fold, task, at);
        self.close(fold, Subject::Task(task), &end);
        let Some(site) = fold.site_of(task) else {
            return;
        };
        let subject = Subject::Site(fold.plan().tasks[task.get()].site.unwrap_or_default());
        if let (SpanStatus::Error, Some(open)) = (end.status, self.open.get_mut(&subject)) {
            open.trouble.get_or_insert(end.why.unwrap_or_default());
        }
        if fold.is_site_settled(site) {
            let trouble = self
                .open
                .get(&subject)
                .and_then(|open| open.trouble.clone());
            let end = SpanEnd::of_site(fold, site, trouble, at);
            self.close(fold, subject, &end);
        }
    }

    fn id_of(&self, subject: Subject) -> Option<SpanId> {
        self.open.get(&subject).map(|open| open.span.id)
    }

    fn open(&mut self, fold: &Fold, subject: Subject, parent: Option<SpanId>, entry: &Entry) {
        let span = Span {
            id: SpanId {
                subject,
                opened: entry.seq,
            },
            parent,
            start: entry.at,
        };
        let trouble = None;
        self.open.insert(subject, Open { span, trouble });
        if self.tells {
            for sink in &mut self.sinks {
                sink.opened(fold, &span);
            }
        }
    }

    fn close(&mut self, fold: &Fold, subject: Subject, end: &SpanEnd) {
        let Some(open) = self.open.remove(&subject) else {
            return;
        };
        if self.tells {
            for sink in &mut self.sinks {
                sink.closed(fold, &open.span, end);
            }
        }
    }
}

impl Display for Spans {
    fn recalled(&mut self, fold: &Fold, entry: &Entry) {
        self.tells = false;
        self.take(fold, entry);
        self.tells = true;
    }

    fn entry(&mut self, fold: &Fold, entry: &Entry) {
        self.take(fold, entry);
    }

    fn refresh(&mut self, _: &Fold, _: Timestamp) {}

    fn finish(&mut self, _: &Fold) {}
}
