//! `check.consistency` is told what the recoveries of a site's shards
//! measured, also those of an earlier coordinator.

use std::collections::BTreeMap;
use std::sync::Arc;

use reprise_model::{
    Action, AttemptEnd, Command, Elapsed, Event, Fault, FaultKind, Plan, RunEnd, Timestamp, Verdict,
};
use reprise_ports::Journal;
use reprise_runner::Signals;

use crate::Stage;

/// The step `reachable` judges the recovery points instead.
async fn stage(rpo: u64) -> Stage {
    let mut plan = Plan::clone(&Stage::new(false).await.plan);
    plan.objectives.rpo = Some(Elapsed::from_secs(rpo));
    let steps = plan.steps.iter_mut();
    for step in steps.filter(|step| step.name.as_str() == "reachable") {
        step.action = Action::CheckConsistency;
    }
    Stage::with_plan(Arc::new(plan.sealed())).await
}

impl Stage {
    /// How each check ended: the verdict, and what the fault says.
    async fn verdicts(&self) -> BTreeMap<String, (Verdict, String)> {
        let mut found = BTreeMap::new();
        for entry in self.entries().await {
            let Event::Ended { attempt, end, .. } = entry.event else {
                continue;
            };
            let key = self.plan.key(attempt.task).to_string();
            if !key.starts_with("reachable/") {
                continue;
            }
            let (checks, said) = match end {
                AttemptEnd::Done(outcome) => (outcome.checks, String::new()),
                AttemptEnd::Failed(fault) => {
                    assert_eq!(fault.kind, FaultKind::Validation, "{key}");
                    (fault.checks, fault.message)
                }
                other => panic!("{key} ended as {other:?}"),
            };
            assert_eq!(checks.len(), 1, "{key}");
            found.insert(key, (checks[0].verdict, said));
        }
        found
    }
}

#[tokio::test]
async fn a_shard_that_is_too_early_fails_its_own_sites_alone() {
    let stage = stage(300).await;
    let early = BTreeMap::from([("s01".to_owned(), 1200)]);
    *stage.connector.early.lock().unwrap() = early;
    let end = stage.execute(Signals::default()).await.unwrap();
    assert_eq!(end, RunEnd::Finished);
    let verdicts = stage.verdicts().await;
    assert_eq!(verdicts.len(), 6);
    for (at, (verdict, said)) in verdicts.values().enumerate() {
        if at % 2 == 0 {
            assert_eq!(*verdict, Verdict::Pass);
            continue;
        }
        assert_eq!(*verdict, Verdict::Fail);
        let site = format!("site site-0000{at} is not at one moment: product@s01 is at");
        assert!(said.starts_with(&site), "{said}");
        assert!(said.contains("1200 s before the target time"), "{said}");
    }
}

#[tokio::test]
async fn a_point_that_an_earlier_coordinator_measured_counts() {
    let stage = stage(300).await;
    let fails = vec![Fault::permanent("no such table")];
    let script = BTreeMap::from([("product/site-00002".to_owned(), fails)]);
    *stage.connector.fails.lock().unwrap() = script;
    stage.execute(Signals::default()).await.unwrap();
    assert!(!stage.verdicts().await.contains_key("reachable/site-00002"));

    let mut tasks = stage.plan.ixs();
    let failed = tasks.find(|task| stage.plan.key(*task).as_str() == "product/site-00002");
    let retry = Command::Retry {
        tasks: vec![failed.unwrap()],
        by: "test".to_owned(),
    };
    let now = Timestamp::from_micros(0);
    stage.journal.post(&stage.run, &retry, now).await.unwrap();
    stage.execute(Signals::default()).await.unwrap();
    assert_eq!(stage.connector.count("recover@s00"), 1);
    let verdicts = stage.verdicts().await;
    assert_eq!(verdicts["reachable/site-00002"].0, Verdict::Pass);
}
