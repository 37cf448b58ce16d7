//! Rehearsals against Gantt charts worked out by hand, and against journals of
//! simulated runs.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{sample, sketched};

use reprise_engine::{Engine, Options};
use reprise_model::{AttemptEnd, Entry, Event, Plan, RunEnd, TaskIx, Timestamp};
use reprise_sim::{Course, Durations, Faults, rehearse, run_ahead, simulate};

/// Start and end of each task, in seconds.
fn gantt((plan, seconds): &(Arc<Plan>, Vec<u64>)) -> Vec<(f64, f64)> {
    let of = |task: TaskIx| Duration::from_secs(seconds[task.get()]);
    let course = rehearse(plan, of);
    assert_eq!(course.stopped, Some(RunEnd::Finished));
    let moment = |at| course.seconds_to(at);
    let row = |task| (moment(course.start(task)), moment(course.end(task)));
    plan.ixs().map(row).collect()
}

#[test]
fn a_chain_takes_the_sum() {
    let chain = sketched(
        &[("p", 9, None)],
        &[("p", 3, &[]), ("p", 4, &[0]), ("p", 5, &[1])],
    );
    assert_eq!(gantt(&chain), [(0.0, 3.0), (3.0, 7.0), (7.0, 12.0)]);
}

#[test]
fn a_pool_of_one_serialises_and_another_does_not_wait() {
    let work = sketched(
        &[("one", 1, None), ("many", 9, None)],
        &[
            ("one", 5, &[]),
            ("one", 4, &[]),
            ("one", 3, &[]),
            ("many", 3, &[]),
        ],
    );
    let rows = gantt(&work);
    assert_eq!(rows, [(0.0, 5.0), (5.0, 9.0), (9.0, 12.0), (0.0, 3.0)]);
}

/// Two slots; d needs a, e needs c, f needs b and e. The heaviest chains: a and
/// c 7 seconds, b 6, e 5, d and f 4.
///
/// ```text
/// slot 1  a a a e d d d d
/// slot 2  c c b b f f f f
/// ```
#[test]
fn the_heaviest_chain_goes_first_as_worked_out_by_hand() {
    let work = sketched(
        &[("p", 2, None)],
        &[
            ("p", 3, &[]),
            ("p", 2, &[]),
            ("p", 2, &[]),
            ("p", 4, &[0]),
            ("p", 1, &[2]),
            ("p", 4, &[1, 4]),
        ],
    );
    let rows = gantt(&work);
    assert_eq!(
        rows,
        [
            (0.0, 3.0),
            (2.0, 4.0),
            (0.0, 2.0),
            (4.0, 8.0),
            (3.0, 4.0),
            (4.0, 8.0)
        ]
    );
}

#[test]
fn a_rate_spaces_the_starts() {
    let work = sketched(
        &[("p", 9, Some(0.5))],
        &[("p", 1, &[]), ("p", 1, &[]), ("p", 1, &[])],
    );
    let starts: Vec<_> = gantt(&work).into_iter().map(|row| row.0).collect();
    assert_eq!(starts, [0.0, 2.0, 4.0]);
}

#[test]
fn every_task_ends_within_its_pool_and_waves_follow_one_another() {
    let plan = Arc::new(sample(40, 4, true));
    let course = rehearse(&plan, expected_of(&plan));
    assert_eq!(course.stopped, Some(RunEnd::Finished));
    for task in plan.ixs() {
        let (start, end) = (course.start(task), course.end(task));
        assert!(start.is_some() && start <= end, "{}", plan.key(task));
        for need in &plan.tasks[task.get()].needs {
            assert!(course.end(*need) <= start, "{}", plan.key(task));
        }
    }
    for pool in &plan.pools {
        let of_pool = |task: &TaskIx| plan.step_of(*task).pool.as_ref() == Some(&pool.name);
        let most = most_at_once(&course, plan.ixs().filter(of_pool));
        assert!(most <= pool.slots, "{}: {most}", pool.name);
    }
    let done = course.waves_done(&plan);
    for wave in 1..plan.waves.len() {
        assert!(course.wave_opened(wave) >= done[wave - 1], "wave {wave}");
    }
    let handovers = course.handovers(&plan);
    let last = handovers.into_iter().max().flatten();
    assert_eq!(course.recovery(&plan), course.seconds_to(last));
}

fn expected_of(plan: &Arc<Plan>) -> impl FnMut(TaskIx) -> Duration + use<> {
    let plan = plan.clone();
    move |task| plan.expected(task)
}

fn most_at_once(course: &Course, tasks: impl Iterator<Item = TaskIx>) -> u32 {
    let spans = tasks.map(|task| (course.start(task), course.end(task)));
    let spans: Vec<_> = spans.collect();
    let at_once = |(from, _): &(Option<Timestamp>, _)| {
        let under_way = spans
            .iter()
            .filter(|(start, end)| start <= from && end > from);
        u32::try_from(under_way.count()).expect("few")
    };
    spans.iter().map(at_once).max().unwrap_or(0)
}

/// People who take their time.
struct SlowPeople(Arc<Plan>);

impl Durations for SlowPeople {
    fn whole(&mut self, task: TaskIx) -> Duration {
        self.0.expected(task)
    }

    fn answer(&mut self, _: TaskIx) -> Duration {
        Duration::from_secs(1000)
    }
}

#[test]
fn gates_are_answered_at_once_unless_somebody_says_otherwise() {
    let plan = Arc::new(sample(6, 1, true));
    let at_once = rehearse(&plan, expected_of(&plan)).recovery(&plan);
    let later = rehearse(&plan, SlowPeople(plan.clone())).recovery(&plan);
    assert_eq!(later, at_once + 1000.0);
}

/// What each task took, and when it began and ended, as a journal tells it.
fn read(plan: &Plan, journal: &[Entry]) -> Vec<(Timestamp, Timestamp)> {
    let mut spans = vec![(Timestamp::EPOCH, Timestamp::EPOCH); plan.tasks.len()];
    for entry in journal {
        match &entry.event {
            Event::Started { attempt } => spans[attempt.task.get()].0 = entry.at,
            Event::Ended { attempt, end, .. } => {
                assert!(matches!(end, AttemptEnd::Done(_)));
                spans[attempt.task.get()].1 = entry.at;
            }
            _ => {}
        }
    }
    spans
}

#[test]
fn a_run_ahead_from_any_moment_of_a_journal_ends_as_that_journal_does() {
    for seed in 0..4 {
        let plan = Arc::new(sample(12, 3, false));
        let report = simulate(plan.clone(), seed, Faults::default()).expect("nothing fails");
        let spans = read(&plan, &report.journal);
        let took = |task: TaskIx| {
            let (start, end) = spans[task.get()];
            Duration::from_secs_f64(end.seconds_since(start))
        };
        let whole = rehearse(&plan, took);
        let begun = report.journal[0].at;
        for task in plan.ixs() {
            let end = whole.seconds_to(whole.end(task));
            assert_eq!(end, spans[task.get()].1.seconds_since(begun), "seed {seed}");
        }
        // From the entry that says who owns the run to the last but one.
        for cut in (2..report.journal.len()).step_by(3) {
            let entries = &report.journal[..cut];
            let now = entries[cut - 1].at;
            let engine = Engine::replay(plan.clone(), Options::default(), entries)
                .expect("a prefix of a journal is one");
            let rest = run_ahead(engine, now, took);
            assert_eq!(
                rest.stopped,
                Some(RunEnd::Finished),
                "seed {seed}, cut {cut}"
            );
            for task in plan.ixs() {
                let expect = Some(spans[task.get()].1).filter(|end| *end > now);
                let end = rest.end(task).filter(|end| *end > now);
                assert_eq!(end, expect, "seed {seed}, cut {cut}, {}", plan.key(task));
            }
        }
    }
}
