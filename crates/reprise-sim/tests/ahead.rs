//! The time left of runs whose end is known: simulated ones, cut anywhere.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::sample;
use reprise_model::{Action, Elapsed, Entry, Plan, TaskIx, Timestamp};
use reprise_sim::{Ahead, Faults, Prospect, Spread, simulate};

fn followed(plan: &Arc<Plan>, entries: &[Entry], guess: bool) -> Option<Prospect> {
    let mut ahead = Ahead::new(plan.clone(), |_| guess);
    entries.iter().for_each(|entry| ahead.feed(entry));
    ahead.prospect()
}

fn left(prospect: &Prospect, now: Timestamp, progress: &BTreeMap<TaskIx, f64>) -> Spread {
    let one = |number| prospect.seconds_left(now, progress, 1, number);
    Spread::of((0..40).map(one).collect())
}

#[test]
fn guesses_alone_are_nothing_to_go_by() {
    let plan = Arc::new(sample(6, 2, true));
    let journal = simulate(plan.clone(), 1, Faults::default())
        .expect("nothing fails")
        .journal;
    assert!(followed(&plan, &journal[..3], true).is_none());
    let said = followed(&plan, &journal[..3], false).expect("somebody said something");
    assert!(!said.is_rough());
    let halfway = &journal[..journal.len() / 2];
    let halfway = followed(&plan, halfway, true).expect("tasks have ended");
    assert!(halfway.is_rough(), "nothing of the last step has ended");
}

/// Everything takes three times what was said; what has ended tells.
#[test]
fn a_run_slower_than_expected_is_noticed() {
    let plan = Arc::new(sample(60, 3, false));
    let report = simulate(plan.clone(), 5, Faults::default()).expect("nothing fails");
    let mut hopeful = (*plan).clone();
    for step in &mut hopeful.steps {
        step.expected = Elapsed(step.expected.0.div_f64(3.0));
    }
    hopeful.hash = plan.hash;
    let hopeful = Arc::new(hopeful);
    let end = report.journal[report.journal.len() - 1].at;
    for share in [0.3, 0.5, 0.7] {
        let cut = (report.journal.len() as f64 * share) as usize;
        let entries = &report.journal[..cut];
        let now = entries[cut - 1].at;
        let prospect = followed(&hopeful, entries, false).expect("tasks have ended");
        let ratio = left(&prospect, now, &BTreeMap::new()).median / end.seconds_since(now);
        assert!(ratio > 0.7 && ratio < 1.4, "{ratio} after {share}");
    }
}

#[test]
fn attempts_under_way_are_believed_by_their_progress() {
    let mut one = sample(1, 1, false);
    let recover = one.steps[0].clone();
    one.steps = vec![recover];
    one.tasks.truncate(1);
    let plan = Arc::new(one.sealed());
    assert_eq!(plan.steps[0].action, Action::Recover);
    let report = simulate(plan.clone(), 3, Faults::default()).expect("nothing fails");
    let started = report
        .journal
        .iter()
        .position(|entry| matches!(entry.event, reprise_model::Event::Started { .. }));
    let entries = &report.journal[..=started.expect("it was started")];
    let later = |seconds| {
        entries[entries.len() - 1]
            .at
            .saturating_add(std::time::Duration::from_secs(seconds))
    };
    let prospect = followed(&plan, entries, false).expect("somebody said something");
    let none = BTreeMap::new();
    // A minute is expected.
    let fresh = left(&prospect, later(0), &none).median;
    assert!(fresh > 45.0 && fresh < 75.0, "{fresh}");
    // Past its time: a fifth of what it has had.
    assert_eq!(left(&prospect, later(6_000), &none).median, 1_200.0);
    // Four fifths after forty seconds: ten more.
    let progress = BTreeMap::from([(TaskIx(0), 0.8)]);
    let told = left(&prospect, later(40), &progress).median;
    assert!(told > 8.0 && told < 12.0, "{told}");
}
