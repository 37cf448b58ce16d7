use std::sync::{Arc, Mutex};

use reprise_model::{FaultKind, RunEnd, Verdict};

use super::*;
use crate::Monitor;
use crate::fixture::{Story, at, failed, plan, recovered, restored, verified};

type Told = Arc<Mutex<Vec<(Span, SpanEnd)>>>;

#[derive(Clone, Default)]
struct Ear(Told);

impl SpanSink for Ear {
    fn opened(&mut self, _: &Fold, _: &Span) {}

    fn closed(&mut self, _: &Fold, span: &Span, end: &SpanEnd) {
        let told = (*span, end.clone());
        self.0.lock().expect("nobody panics here").push(told);
    }
}

/// The spans that are told when the story's first entries are history.
fn told(story: &Story, sites: u32, history: usize) -> Vec<(Span, SpanEnd)> {
    heard(&story.entries, sites, history)
}

fn heard(entries: &[Entry], sites: u32, history: usize) -> Vec<(Span, SpanEnd)> {
    let ear = Ear::default();
    let spans = Spans::new(vec![Box::new(ear.clone())]);
    let mut monitor = Monitor::new(Arc::new(plan(sites)), vec![Box::new(spans)]);
    monitor.recall(&entries[..history]);
    monitor.entries(&entries[history..]);
    // The same entries again close nothing.
    monitor.entries(entries);
    let told = ear.0.lock().expect("nobody panics here");
    told.clone()
}

/// The one span of a subject.
fn one(told: &[(Span, SpanEnd)], subject: Subject) -> (Span, SpanEnd) {
    let found: Vec<_> = told
        .iter()
        .filter(|(span, _)| span.id.subject == subject)
        .collect();
    assert_eq!(found.len(), 1, "{subject:?} in {told:#?}");
    found[0].clone()
}

fn attempt(task: u32, number: u32) -> Subject {
    let task = TaskIx(task);
    Subject::Attempt(AttemptId { task, number })
}

fn a_run() -> Story {
    let mut story = Story::begin();
    story.run(0, recovered(2));
    let first = story.start(1);
    story.pass(10);
    story.end(first, failed(FaultKind::Temporary), Some(at(125)));
    story.pass(5);
    story.run(1, restored(1000));
    story.run(2, verified(Verdict::Pass)).approve(3, true);
    story.stop(RunEnd::Finished);
    story
}

#[test]
fn a_site_lies_in_its_run_a_task_in_its_site_an_attempt_in_its_task() {
    let told = told(&a_run(), 1, 0);
    let (run, run_end) = one(&told, Subject::Run);
    let (site, site_end) = one(&told, Subject::Site(0));
    let (task, task_end) = one(&told, Subject::Task(TaskIx(1)));
    let (first, first_end) = one(&told, attempt(1, 1));
    let (second, second_end) = one(&told, attempt(1, 2));
    let (shard, _) = one(&told, Subject::Task(TaskIx(0)));
    assert_eq!(run.parent, None);
    assert_eq!(shard.parent, Some(run.id));
    assert_eq!(site.parent, Some(run.id));
    assert_eq!(task.parent, Some(site.id));
    assert_eq!(first.parent, Some(task.id));
    assert_eq!(second.parent, Some(task.id));
    assert_eq!((run.start, run_end.at), (at(100), at(150)));
    assert_eq!((site.start, site_end.at), (at(110), at(150)));
    assert_eq!((task.start, task_end.at), (at(110), at(135)));
    assert_eq!((first.start, first_end.at), (at(110), at(120)));
    assert_eq!((second.start, second_end.at), (at(125), at(135)));
    let seen = |end: &SpanEnd| (end.status, end.outcome, end.volume.rows);
    assert_eq!(seen(&first_end), (SpanStatus::Error, "failed", 0));
    assert_eq!(seen(&second_end), (SpanStatus::Ok, "done", 1000));
    assert_eq!(seen(&task_end), (SpanStatus::Ok, "done", 1000));
    assert_eq!(seen(&site_end), (SpanStatus::Ok, "settled", 0));
    assert_eq!(seen(&run_end), (SpanStatus::Ok, "finished", 1000));
}

#[test]
fn two_processes_tell_each_span_once_wherever_the_run_changes_hands() {
    let story = a_run();
    let whole = told(&story, 1, 0);
    assert_eq!(whole.len(), 10);
    for cut in 0..=story.entries.len() {
        let mut parts = heard(&story.entries[..cut], 1, 0);
        parts.extend(told(&story, 1, cut));
        assert_eq!(parts, whole, "cut at {cut}");
    }
}

#[test]
fn what_a_dead_coordinator_left_open_ends_with_its_last_sign_of_life() {
    let mut story = Story::begin();
    story.run(0, recovered(2));
    story.start(1);
    let history = story.entries.len();
    story.pass(1000).owned(2);
    story.run(1, restored(1000));
    let told = told(&story, 1, history);
    let (lost, lost_end) = one(&told, attempt(1, 1));
    let (run, run_end) = one(&told, Subject::Run);
    assert_eq!((lost_end.outcome, lost_end.at), ("lost", at(110)));
    assert_eq!((run_end.outcome, run_end.at), ("lost", at(110)));
    let (task, _) = one(&told, Subject::Task(TaskIx(1)));
    let (again, _) = one(&told, attempt(1, 2));
    assert_eq!((lost.parent, again.parent), (Some(task.id), Some(task.id)));
    assert_eq!(task.start, at(110));
    assert_ne!(task.parent, Some(run.id), "the site is in between");
}

#[test]
fn a_site_in_trouble_says_why() {
    let mut story = Story::begin();
    story.run(0, recovered(2)).run(1, restored(10));
    story
        .run(2, failed(FaultKind::Validation))
        .approve(3, false);
    let unvalidated = one(&told(&story, 1, 0), Subject::Site(0)).1;
    assert_eq!(unvalidated.outcome, "unvalidated");
    assert!(
        unvalidated
            .why
            .is_some_and(|why| why.contains("rows in the way"))
    );

    let mut story = Story::begin();
    story.run(0, recovered(2));
    story.run(1, failed(FaultKind::Permanent));
    for task in [2, 3].map(TaskIx) {
        let because = "product failed".to_owned();
        let of = Some(TaskIx(1));
        story.tell(Event::Skipped { task, because, of });
    }
    let told = told(&story, 1, 0);
    let site = one(&told, Subject::Site(0)).1;
    assert_eq!((site.outcome, site.status), ("failed", SpanStatus::Error));
    assert!(
        told.iter()
            .all(|(span, _)| span.id.subject != Subject::Task(TaskIx(2)))
    );
}

#[test]
fn a_task_that_is_put_back_opens_again_under_an_id_of_its_own() {
    let mut story = Story::begin();
    story.run(0, recovered(2));
    story.run(1, failed(FaultKind::Permanent));
    story.tell(Event::Commanded {
        number: 1,
        command: Command::Retry {
            tasks: vec![TaskIx(1)],
            by: "ana".to_owned(),
        },
    });
    story.run(1, restored(10));
    let told = told(&story, 1, 0);
    let ids: Vec<_> = told
        .iter()
        .filter(|(span, _)| span.id.subject == Subject::Task(TaskIx(1)))
        .map(|(span, end)| (span.id.opened, end.outcome))
        .collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0].0, ids[1].0);
    assert_eq!((ids[0].1, ids[1].1), ("failed", "done"));
}
