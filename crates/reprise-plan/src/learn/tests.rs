//! Lessons over small runs whose truth is known.

use reprise_model::{
    AttemptEnd, AttemptId, Elapsed, Entry, Event, Fault, Outcome, Plan, Runbook, Seq, TaskIx,
    Timestamp, Volume,
};

use super::*;
use crate::fixture::{compiled, estate, input, runbook, sites, usual_runbook};
use crate::input::{Selection, SiteRow};

fn plan_of(runbook: &Runbook, rows: Vec<SiteRow>) -> Plan {
    let compiled = compiled(runbook, rows, Selection::All);
    compiled.expect("it compiles").plan
}

/// Sites `s000` and on, with so many users each.
fn with_users(users: impl IntoIterator<Item = u64>) -> Vec<SiteRow> {
    let line = |(at, users)| format!("s{at:03} shard=s01 users={users} customer=x{at}");
    let lines: Vec<String> = users.into_iter().enumerate().map(line).collect();
    sites(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

fn attempt(task: TaskIx, number: u32) -> AttemptId {
    AttemptId { task, number }
}

fn at(seconds: f64, event: Event) -> Entry {
    Entry {
        seq: Seq(0),
        at: Timestamp::from_micros((seconds * 1e6) as i64),
        event,
    }
}

fn ended(attempt: AttemptId, end: AttemptEnd) -> Event {
    Event::Ended {
        attempt,
        end,
        again: None,
    }
}

fn done(rows: u64) -> AttemptEnd {
    let volume = Volume { rows, bytes: rows };
    AttemptEnd::Done(Outcome {
        volume,
        ..Outcome::default()
    })
}

/// A run in which tasks took so long and moved so many rows; 0 seconds: not done.
fn story(plan: &Plan, took: impl Fn(&str) -> (f64, u64)) -> Story {
    let mut story = Story::of(plan.clone());
    for task in plan.ixs() {
        let (seconds, rows) = took(plan.key(task).as_str());
        if seconds > 0.0 {
            let attempt = attempt(task, 1);
            story.feed(&at(100.0, Event::Started { attempt }));
            story.feed(&at(100.0 + seconds, ended(attempt, done(rows))));
        }
    }
    story
}

fn lessons(stories: &[Story]) -> Lessons {
    let mut learner = Learner::default();
    for story in stories {
        learner.add(story);
    }
    learner.finish()
}

fn task(plan: &Plan, key: &str) -> TaskIx {
    let found = plan.ixs().find(|task| plan.key(*task).as_str() == key);
    found.unwrap_or_else(|| panic!("{key} is planned"))
}

fn close(found: f64, expect: f64) {
    assert!((found / expect - 1.0).abs() < 0.02, "{found} for {expect}");
}

#[test]
fn the_most_specific_lesson_wins() {
    let users = |at: u64| 10 * (at + 1);
    let earlier = plan_of(&usual_runbook(), with_users((0..20).map(users)));
    // Two seconds, and a tenth for each user; site s003 is out of line.
    let number = |key: &str| key.rsplit("s").next().and_then(|n| n.parse::<u64>().ok());
    let took = |key: &str| match (key.starts_with("product"), number(key)) {
        (true, Some(3)) => (90.0, 0),
        (true, Some(at)) => (2.0 + 0.1 * users(at) as f64, 0),
        _ => (0.0, 0),
    };
    let lessons = lessons(&[story(&earlier, took)]);
    let mut rows = with_users((0..20).map(users).chain([1000]));
    rows[19].remove("users");
    let now = plan_of(&usual_runbook(), rows);
    let of = |key: &str| lessons.of(&now, task(&now, key));
    let found = of("product/s003").expect("it was done");
    assert_eq!((found.seconds, found.from), (90.0, Origin::Itself));
    let found = of("product/s020").expect("its step was done");
    assert_eq!(found.from, Origin::Size);
    close(found.seconds, 102.0);
    assert_eq!(of("whole/s003"), None, "never done");
    let step = lessons.of_step(&"product".into()).expect("it was done");
    assert_eq!((step.samples, step.from), (20, Origin::Step));
    assert_eq!(step.seconds, 13.5);
    assert!(step.sigma > 0.3 && found.sigma < 0.1, "{step:?} {found:?}");
}

#[test]
fn a_site_without_a_size_takes_what_the_middle_of_all_took() {
    let earlier = plan_of(&usual_runbook(), with_users(1..=12));
    let lessons = lessons(&[story(&earlier, |key| match key.split_once('/') {
        Some(("product", site)) => (
            1.0 + f64::from(site[1..].parse::<u8>().expect("a number")),
            0,
        ),
        _ => (0.0, 0),
    })]);
    let now = plan_of(&usual_runbook(), sites(&["new shard=s01 customer=x"]));
    let found = lessons.of(&now, task(&now, "product/new"));
    let found = found.expect("its step was done");
    assert_eq!((found.seconds, found.from), (6.5, Origin::Step));
}

#[test]
fn rows_that_an_earlier_run_counted_tell_of_a_step_not_yet_done() {
    let rows = with_users([5; 20]);
    let earlier = plan_of(&usual_runbook(), rows);
    let number = |key: &str| key.rsplit("s").next().and_then(|n| n.parse::<u64>().ok());
    // The check takes a second for each thousand rows; that of s007 was never made.
    let lessons = lessons(&[story(&earlier, |key| {
        let Some(at) = number(key) else {
            return (0.0, 0);
        };
        match key.split('/').next() {
            Some("product") => (1.0, 1000 * (at + 1)),
            Some("whole") if at != 7 => ((at + 1) as f64, 0),
            _ => (0.0, 0),
        }
    })]);
    let found = lessons.of(&earlier, task(&earlier, "whole/s007"));
    let found = found.expect("its step was done");
    assert_eq!(found.from, Origin::Size);
    close(found.seconds, 8.0);
}

#[test]
fn only_work_that_was_done_counts_and_from_its_own_start() {
    let plan = plan_of(&runbook(&["one site exec"]), with_users([1, 2]));
    let task = TaskIx(0);
    let (first, second) = (attempt(task, 1), attempt(task, 2));
    let failed = AttemptEnd::Failed(Fault::temporary("lost"));
    let check = |events: Vec<(f64, Event)>, expect: Option<f64>| {
        let mut story = Story::of(plan.clone());
        for (seconds, event) in events {
            story.feed(&at(seconds, event));
        }
        let found = lessons(&[story]).of(&plan, task);
        assert_eq!(found.map(|found| found.seconds), expect);
    };
    let started = |attempt| Event::Started { attempt };
    check(vec![], None);
    check(vec![(1.0, started(first))], None);
    check(
        vec![(1.0, started(first)), (9.0, ended(first, failed.clone()))],
        None,
    );
    let satisfied = AttemptEnd::Satisfied(Outcome::default());
    check(
        vec![
            (1.0, Event::Probing { attempt: first }),
            (9.0, ended(first, satisfied)),
        ],
        None,
    );
    let retried = vec![
        (1.0, started(first)),
        (9.0, ended(first, failed)),
        (20.0, started(second)),
        (23.0, ended(second, done(0))),
    ];
    check(retried, Some(3.0));
    // The clock was set back; the journal belongs to a larger plan.
    check(
        vec![(9.0, started(first)), (1.0, ended(first, done(0)))],
        None,
    );
    let alien = attempt(TaskIx(99), 1);
    check(
        vec![(1.0, started(alien)), (2.0, ended(alien, done(0)))],
        None,
    );
}

#[test]
fn the_newest_time_counts_and_the_older_tell_how_far_it_may_be_off() {
    let plan = plan_of(&runbook(&["one site exec"]), with_users(1..=9));
    let newest = story(&plan, |_| (4.0, 0));
    let lessons = lessons(&[newest, story(&plan, |_| (2.0, 0))]);
    assert_eq!(lessons.runs(), 2);
    let found = lessons.of(&plan, TaskIx(0)).expect("it was done");
    assert_eq!((found.seconds, found.from), (4.0, Origin::Itself));
    // All were twice as slow: a shift, and no spread.
    assert!(found.sigma < 0.05, "{found:?}");
}

#[test]
fn sites_that_take_what_they_like_have_no_size() {
    let plan = plan_of(&runbook(&["one site exec"]), with_users(1..=40));
    let scattered = |key: &str| {
        let at: u64 = key[key.len() - 3..].parse().expect("a number");
        (1.0 + (at * 7919 % 40) as f64, 0)
    };
    let lessons = lessons(&[story(&plan, scattered)]);
    let now = plan_of(
        &runbook(&["one site exec"]),
        sites(&["n shard=s01 users=9000 customer=x"]),
    );
    let found = lessons.of(&now, TaskIx(0)).expect("its step was done");
    assert_eq!(found.from, Origin::Step);
}

#[test]
fn what_was_measured_outranks_what_was_written() {
    let (estate, mut runbook) = (
        estate(),
        runbook(&["one site exec", "two site exec", "three site exec"]),
    );
    runbook.steps[0].expect = Some(Elapsed::from_secs(60));
    runbook.steps[1].expect = Some(Elapsed::from_secs(60));
    let check = |sites: u64, expect: [u64; 3], sources: (u32, u32, u32)| {
        let plan = plan_of(&runbook, with_users(1..=sites));
        let done = |key: &str| (if key.starts_with("one") { 2.0 } else { 0.0 }, 0);
        let lessons = lessons(&[story(&plan, done)]);
        let mut input = input(&estate, &runbook, with_users(1..=9), Selection::All);
        input.learned = Some(&lessons);
        let found = crate::compile(input).expect("it compiles");
        let steps = found.plan.steps.iter().map(|step| step.expected);
        assert!(
            steps.eq(expect.map(Elapsed::from_secs)),
            "{:?}",
            found.plan.steps
        );
        let Sources {
            runs,
            learned,
            written,
            guessed,
        } = found.sources;
        assert_eq!((runs, (learned, written, guessed)), (1, sources));
    };
    check(3, [2, 60, 30], (1, 1, 1));
    check(2, [60, 60, 30], (0, 2, 1));
}

#[test]
fn a_task_has_an_expectation_of_its_own_only_where_it_differs() {
    let runbook = runbook(&["one site exec"]);
    let plan = plan_of(&runbook, with_users(1..=9));
    let took = |key: &str| (if key.ends_with("004") { 7.123 } else { 1.0 }, 0);
    let lessons = lessons(&[story(&plan, took)]);
    let estate = estate();
    let mut input = input(&estate, &runbook, with_users(1..=9), Selection::All);
    input.learned = Some(&lessons);
    let compile = || crate::compile(input.clone()).expect("it compiles").plan;
    let plan = compile();
    let own: Vec<_> = plan.tasks.iter().filter_map(|task| task.expected).collect();
    assert_eq!(own, [Elapsed(std::time::Duration::from_millis(7100))]);
    assert_eq!(plan, compile());
}
