//! Hand-made journals against what the report says of them.

use reprise_model::*;

use crate::fixture::{Story, at, failed, plan, recovered, restored, verified};
use crate::{Monitor, Report, SiteState};

fn report(story: &Story, sites: u32) -> Report {
    story
        .fold(plan(sites))
        .report(&"r1".into(), Some(Digest::of(b"head")))
}

fn of_one_site(tell: impl FnOnce(&mut Story)) -> Report {
    let mut story = Story::begin();
    story.run(0, recovered(2));
    tell(&mut story);
    report(&story, 1)
}

fn skipped(task: u32, of: u32) -> Event {
    Event::Skipped {
        task: TaskIx(task),
        because: "product failed".to_owned(),
        of: Some(TaskIx(of)),
    }
}

#[test]
fn the_end_state_decides_site_and_exit_code() {
    let check = |name: &str, state: SiteState, exit: u8, tell: &dyn Fn(&mut Story)| {
        let report = of_one_site(|story| tell(story));
        assert_eq!(report.sites[0].state, state, "{name}");
        assert_eq!(report.exit_code, exit, "{name}");
    };
    check("all well", SiteState::Restored, 0, &|s| {
        s.site(0).stop(RunEnd::Finished);
    });
    check("found as it should be", SiteState::Restored, 0, &|s| {
        let AttemptEnd::Done(outcome) = restored(5) else {
            unreachable!("a restored slice is done")
        };
        let attempt = AttemptId {
            task: TaskIx(1),
            number: 1,
        };
        s.tell(Event::Probing { attempt });
        s.end(attempt, AttemptEnd::Satisfied(outcome), None);
        s.run(2, verified(Verdict::Pass))
            .approve(3, true)
            .stop(RunEnd::Finished);
    });
    check("a check fails", SiteState::Unvalidated, 6, &|s| {
        s.run(1, restored(1)).run(2, failed(FaultKind::Validation));
        s.tell(skipped(3, 2)).stop(RunEnd::Finished);
    });
    check("a check could not look", SiteState::Unvalidated, 6, &|s| {
        s.run(1, restored(1)).run(2, verified(Verdict::Unknown));
        s.approve(3, true).stop(RunEnd::Finished);
    });
    check(
        "a check without evidence",
        SiteState::Unvalidated,
        6,
        &|s| {
            s.run(1, restored(1))
                .run(2, AttemptEnd::Done(Outcome::default()));
            s.approve(3, true).stop(RunEnd::Finished);
        },
    );
    check("a rejected gate", SiteState::Unvalidated, 6, &|s| {
        s.run(1, restored(1)).run(2, verified(Verdict::Pass));
        s.approve(3, false).stop(RunEnd::Finished);
    });
    check("work fails", SiteState::Failed, 7, &|s| {
        s.run(1, failed(FaultKind::Refused));
        s.tell(skipped(2, 1))
            .tell(skipped(3, 1))
            .stop(RunEnd::Finished);
    });
    check("at a gate", SiteState::Waiting, 5, &|s| {
        s.run(1, restored(1)).run(2, verified(Verdict::Pass));
        s.tell(Event::GateOpened { task: TaskIx(3) })
            .stop(RunEnd::AtGates);
    });
    check("interrupted", SiteState::Cancelled, 5, &|s| {
        s.run(1, failed(FaultKind::Cancelled))
            .stop(RunEnd::Cancelled);
    });
    check("paused", SiteState::Outstanding, 5, &|s| {
        s.stop(RunEnd::Paused);
    });
    check("the coordinator died", SiteState::Outstanding, 5, &|s| {
        s.start(1);
        s.pass(60).owned(2);
    });
}

#[test]
fn an_objective_that_nobody_measured_is_no_success() {
    let mut plan = plan(1);
    plan.sites[0].shards.clear();
    let mut story = Story::begin();
    story.run(0, recovered(2)).site(0).stop(RunEnd::Finished);
    let report = story.fold(plan).report(&"r1".into(), None);
    assert_eq!(report.sites[0].state, SiteState::Restored);
    assert_eq!(report.objectives.met, None);
    assert_eq!(report.exit_code, 6);
}

#[test]
fn a_failed_shard_fails_its_sites() {
    let mut story = Story::begin();
    story.run(0, failed(FaultKind::Permanent));
    story
        .tell(skipped(1, 0))
        .tell(skipped(2, 1))
        .tell(skipped(3, 2));
    let report = report(&story, 1);
    assert_eq!(report.sites[0].state, SiteState::Failed);
    assert_eq!(report.failures.len(), 1);
    assert_eq!(report.failures[0].skipped, 3);
}

#[test]
fn a_recovery_point_outside_the_objective_fails_the_consistency() {
    let check = |before: i64, expect: Verdict, met: bool| {
        let mut story = Story::begin();
        story
            .run(0, recovered(before))
            .site(0)
            .stop(RunEnd::Finished);
        let report = report(&story, 1);
        let site = &report.sites[0];
        let consistency = site
            .validations
            .last()
            .map(|check| (check.name.as_str(), check.verdict));
        assert_eq!(consistency, Some(("consistency", expect)), "{before}");
        assert_eq!(site.stores[0].verdict, expect, "{before}");
        assert_eq!(report.objectives.rpo_met, Some(met), "{before}");
    };
    // 60 seconds pass between T and the incident, 300 are allowed.
    check(0, Verdict::Pass, true);
    check(240, Verdict::Pass, true);
    check(241, Verdict::Fail, false);
    check(-1, Verdict::Fail, true);
}

#[test]
fn times_are_measured_from_the_incident() {
    let mut story = Story::begin();
    story.run(0, recovered(2)).site(0).stop(RunEnd::Finished);
    let report = report(&story, 1);
    // 100 to 110 recover, to 120 restore, to 130 verify, to 135 the gate.
    assert_eq!(report.totals.rta_seconds, Some(75.0));
    assert_eq!(report.totals.rpa_seconds, Some(62.0));
    assert_eq!(report.finished, Some(at(135)));
    assert_eq!(report.objectives.met, Some(true));
    let path: Vec<_> = report
        .critical_path
        .iter()
        .map(|link| link.task.as_str())
        .collect();
    assert_eq!(
        path,
        [
            "recover-issues@s01",
            "product/site-0",
            "whole/site-0",
            "handover/site-0"
        ]
    );
    let phases: Vec<_> = report
        .phases
        .iter()
        .map(|phase| (phase.name.as_str(), phase.busy_seconds))
        .collect();
    assert_eq!(
        phases,
        [
            ("recover product", 10.0),
            ("restore product", 10.0),
            ("verify product", 10.0),
            ("gate", 5.0)
        ]
    );
}

#[test]
fn a_retry_puts_back_what_was_skipped_because_of_it() {
    let mut story = Story::begin();
    story
        .run(0, recovered(2))
        .run(1, failed(FaultKind::Refused));
    story
        .tell(skipped(2, 1))
        .tell(skipped(3, 2))
        .stop(RunEnd::Finished);
    story.tell(Event::Commanded {
        number: 2,
        command: Command::Retry {
            tasks: vec![TaskIx(1)],
            by: "ana".to_owned(),
        },
    });
    assert_eq!(report(&story, 1).sites[0].state, SiteState::Outstanding);
    story.site(0).stop(RunEnd::Finished);
    assert_eq!(report(&story, 1).sites[0].state, SiteState::Restored);
}

#[test]
fn duplicated_and_thinned_streams_end_in_the_same_state() {
    let mut story = Story::begin();
    story.run(0, recovered(2));
    let attempt = story.start(1);
    let volume = Volume {
        rows: 10,
        bytes: 100,
    };
    let whole = std::sync::Arc::new(plan(1));
    let feed = |duplicate: bool, keep_every: usize| {
        let mut monitor = Monitor::new(whole.clone(), Vec::new());
        for entry in &story.entries {
            monitor.entries(std::slice::from_ref(entry));
            if duplicate {
                monitor.entries(&story.entries);
            }
        }
        for part in (0..=100).filter(|part| part % keep_every == 0 || *part == 100) {
            monitor.progress(attempt, volume, Some(f64::from(part as u32) / 100.0), None);
        }
        // News of an attempt that is not under way is late.
        monitor.progress(
            AttemptId {
                number: 9,
                ..attempt
            },
            volume,
            None,
            Some("late"),
        );
        monitor.fold().status(&"r1".into(), at(200))
    };
    let plain = feed(false, 1);
    assert_eq!(plain.running[0].fraction, Some(1.0));
    assert_eq!(plain, feed(true, 1));
    assert_eq!(plain, feed(false, 50));
    assert_eq!(plain, feed(true, 7));
}

#[test]
fn only_a_run_that_runs_has_time_left() {
    let made = crate::Estimate {
        seconds_left: 40.0,
        rough: false,
        from_seconds: None,
        to_seconds: None,
        as_of: None,
    };
    let left = |story: &Story| {
        let mut fold = story.fold(plan(5));
        fold.set_estimate(Some(made));
        fold.status(&"r1".into(), at(100)).estimate
    };
    let mut story = Story::begin();
    story.start(0);
    assert_eq!(left(&story), Some(made));
    story.stop(RunEnd::Paused);
    assert_eq!(left(&story), None);
}

#[test]
fn renderings_escape_and_bound_what_they_show() {
    let mut story = Story::begin();
    story.run(0, recovered(2)).site(0);
    story.run(4, failed(FaultKind::Refused));
    story
        .tell(skipped(5, 4))
        .tell(skipped(6, 5))
        .stop(RunEnd::Finished);
    let report = report(&story, 2);
    insta::assert_snapshot!("text", crate::render::text(&report));
    insta::assert_snapshot!("markdown", crate::render::markdown(&report));
    let html = crate::render::html(&report);
    assert!(html.contains("table &lt;projects&gt; has rows in the way"));
    assert!(!html.contains("<projects>"));
    assert!(!html.contains("http"), "nothing is loaded from elsewhere");
    let back: Report =
        serde_json::from_str(&crate::render::json(&report)).expect("a report reads back");
    assert_eq!(back, report);
}

#[test]
fn a_large_run_has_a_short_summary() {
    let mut story = Story::begin();
    story.run(0, recovered(2));
    for site in 0..200 {
        story.run(3 * site + 1, failed(FaultKind::Refused));
    }
    let report = report(&story, 200);
    let lines = crate::render::text(&report).lines().count();
    assert!(lines < 150, "{lines} lines");
}
