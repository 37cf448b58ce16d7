//! The coordinator over scripted connectors and a journal in memory.

mod consistency;
mod failing;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use reprise_journal::MemoryJournal;
use reprise_model::{
    Action, AttemptEnd, Check, Command, Elapsed, Entry, Event, Fault, Outcome, Plan, RecoveryPoint,
    RunEnd, RunId, Seq, StoreId, TaskIx, TaskKey, Timestamp, Verdict,
};
use reprise_ports::{Call, Connector, Context, Inspect, Inspection, Journal, NewRun, Probe};
use reprise_runner::{ExecuteOptions, Execution, RunError, Signals, Silent, World, execute};
use reprise_sim::{Sample, plan};

use failing::Failing;
use serde_json::{Value, json};

/// Does what the script says and keeps count.
#[derive(Default)]
struct Scripted {
    performed: Mutex<BTreeMap<TaskKey, u32>>,
    fails: Mutex<BTreeMap<String, Vec<Fault>>>,
    /// The task whose check could not look.
    unsure: Mutex<Option<TaskKey>>,
    /// Seconds before the target time at which a shard was recovered.
    early: Mutex<BTreeMap<String, i64>>,
    /// Restores hang after their mark, until interrupted.
    hang_after_mark: AtomicBool,
}

impl Scripted {
    fn count(&self, task: &str) -> u32 {
        let performed = self.performed.lock().unwrap();
        performed.get(&TaskKey::new(task)).copied().unwrap_or(0)
    }
}

#[async_trait]
impl Connector for Scripted {
    fn offers(&self) -> &'static [Action] {
        &Action::ALL
    }

    async fn inspect(&self, _: &Inspect) -> Inspection {
        Inspection::default()
    }

    async fn perform(&self, call: &Call, context: &dyn Context) -> Result<Outcome, Fault> {
        if call.action == Action::Restore {
            context.mark(json!({ "xid": call.attempt.number })).await?;
            if self.hang_after_mark.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
        }
        let scripted = self
            .fails
            .lock()
            .unwrap()
            .get_mut(call.task.as_str())
            .and_then(Vec::pop);
        if let Some(fault) = scripted {
            return Err(fault);
        }
        *self
            .performed
            .lock()
            .unwrap()
            .entry(call.task.clone())
            .or_default() += 1;
        let mut outcome = Outcome::default();
        if let (Action::Recover, Some(shard)) = (call.action, &call.shard) {
            let early = self.early.lock().unwrap();
            let early = early.get(shard.as_str()).copied().unwrap_or_default();
            outcome.recovery_point = Some(RecoveryPoint {
                point: Timestamp::from_micros(call.target_time.as_micros() - early * 1_000_000),
                last_before: None,
                first_after: None,
                basis: "scripted".to_owned(),
            });
        }
        if *self.unsure.lock().unwrap() == Some(call.task.clone()) {
            outcome.checks.push(Check {
                name: "references-in".to_owned(),
                verdict: Verdict::Unknown,
                evidence: json!({ "why": "permission denied" }),
            });
        }
        Ok(outcome)
    }

    async fn probe(
        &self,
        call: &Call,
        mark: Option<&Value>,
        _: &dyn Context,
    ) -> Result<Probe, Fault> {
        let restore = call.action == Action::Restore;
        assert!(
            !restore || mark.is_some(),
            "a restore is only probed after its mark"
        );
        Ok(match self.count(call.task.as_str()) {
            0 => Probe::NotYet,
            _ => Probe::AsItShouldBe(Outcome::default()),
        })
    }

    async fn close(&self) {}
}

struct Stage {
    journal: Arc<MemoryJournal>,
    plan: Arc<Plan>,
    connector: Arc<Scripted>,
    run: RunId,
}

impl Stage {
    async fn new(gates: bool) -> Self {
        Self::of(gates, None).await
    }

    async fn of(gates: bool, timeout: Option<Elapsed>) -> Self {
        let sample = Sample {
            sites: 6,
            shards: 2,
            waves: 2,
            gates,
            halt_above: None,
        };
        let plan = plan(sample);
        let plan = Arc::new(quick(plan, timeout));
        Self::with_plan(plan).await
    }

    async fn with_plan(plan: Arc<Plan>) -> Self {
        let run = RunId::new("run-1");
        let journal = Arc::new(MemoryJournal::default());
        let new = NewRun {
            id: run.clone(),
            plan: &plan,
            created: Timestamp::from_micros(0),
            env_file: None,
        };
        journal.create(&new).await.unwrap();
        let connector = Arc::new(Scripted::default());
        Self {
            journal,
            plan,
            connector,
            run,
        }
    }

    async fn execute(&self, signals: Signals) -> Result<RunEnd, RunError> {
        self.execute_with(ExecuteOptions {
            wait_for_people: false,
            signals,
        })
        .await
    }

    async fn execute_with(&self, options: ExecuteOptions) -> Result<RunEnd, RunError> {
        self.execute_on(self.journal.clone(), options).await
    }

    async fn execute_on(
        &self,
        journal: Arc<dyn Journal>,
        options: ExecuteOptions,
    ) -> Result<RunEnd, RunError> {
        let stores = BTreeMap::from([(
            StoreId::new("product"),
            self.connector.clone() as Arc<dyn Connector>,
        )]);
        let world = World::of(stores, self.connector.clone(), self.connector.clone());
        execute(Execution {
            run: self.run.clone(),
            plan: self.plan.clone(),
            world: Arc::new(world),
            journal,
            observer: Arc::new(Silent),
            options,
        })
        .await
    }

    async fn entries(&self) -> Vec<Entry> {
        self.journal.read_all(&self.run, Seq(0)).await.unwrap()
    }
}

/// No waiting in tests: retries at once, no rate.
fn quick(mut plan: Plan, timeout: Option<Elapsed>) -> Plan {
    for step in &mut plan.steps {
        step.timeout = timeout;
        step.retry.min = Default::default();
        step.retry.max = Default::default();
    }
    for pool in &mut plan.pools {
        pool.rate_per_second = None;
    }
    plan.sealed()
}

#[tokio::test]
async fn every_task_is_performed_once_and_its_end_is_in_the_journal() {
    let stage = Stage::new(false).await;
    let end = stage.execute(Signals::default()).await.unwrap();
    assert_eq!(end, RunEnd::Finished);
    let performed = stage.connector.performed.lock().unwrap().clone();
    assert_eq!(performed.len(), stage.plan.tasks.len());
    assert!(performed.values().all(|count| *count == 1), "{performed:?}");
    let entries = stage.entries().await;
    let ends = entries
        .iter()
        .filter(|entry| matches!(entry.event, Event::Ended { .. }));
    assert_eq!(ends.count(), stage.plan.tasks.len());
}

#[tokio::test]
async fn a_check_that_could_not_look_lets_its_site_through_nowhere() {
    let stage = Stage::new(false).await;
    *stage.connector.unsure.lock().unwrap() = Some(TaskKey::new("whole/site-00002"));
    stage.execute(Signals::default()).await.unwrap();
    assert_eq!(stage.connector.count("reachable/site-00001"), 1);
    assert_eq!(stage.connector.count("reachable/site-00002"), 0);
    let ends = stage.entries().await.into_iter();
    let failed: Vec<String> = ends
        .filter_map(|entry| match entry.event {
            Event::Ended {
                end: AttemptEnd::Failed(fault),
                ..
            } => Some(fault.message),
            _ => None,
        })
        .collect();
    assert_eq!(
        failed,
        ["check `references-in` is unknown: permission denied"]
    );
}

#[tokio::test]
async fn a_failure_is_retried_and_a_hopeless_one_sets_its_site_aside() {
    let stage = Stage::new(false).await;
    let script = BTreeMap::from([
        (
            "product/site-00001".to_owned(),
            vec![Fault::temporary("connection lost")],
        ),
        (
            "product/site-00002".to_owned(),
            vec![Fault::permanent("no such table")],
        ),
    ]);
    *stage.connector.fails.lock().unwrap() = script;
    let end = stage.execute(Signals::default()).await.unwrap();
    assert_eq!(end, RunEnd::Finished);
    assert_eq!(stage.connector.count("whole/site-00001"), 1);
    assert_eq!(stage.connector.count("whole/site-00002"), 0);
    assert_eq!(
        stage.connector.count("tell"),
        1,
        "one bad site stops nobody else"
    );

    let failed = stage
        .plan
        .ixs()
        .find(|t| stage.plan.key(*t).as_str() == "product/site-00002");
    let retry = Command::Retry {
        tasks: vec![failed.unwrap()],
        by: "test".to_owned(),
    };
    stage
        .journal
        .post(&stage.run, &retry, Timestamp::from_micros(0))
        .await
        .unwrap();
    stage.execute(Signals::default()).await.unwrap();
    assert_eq!(stage.connector.count("reachable/site-00002"), 1);
    assert_eq!(
        stage.connector.count("product/site-00001"),
        1,
        "nothing finished is repeated"
    );
}

#[tokio::test]
async fn a_coordinator_that_dies_after_a_mark_leaves_a_question_and_not_a_second_restore() {
    let stage = Stage::new(false).await;
    stage
        .connector
        .hang_after_mark
        .store(true, Ordering::SeqCst);
    let signals = Signals::default();
    let abort = signals.abort.clone();
    let journal = stage.journal.clone();
    let run = stage.run.clone();
    tokio::spawn(async move {
        loop {
            let entries = journal.read_all(&run, Seq(0)).await.unwrap();
            if entries
                .iter()
                .any(|e| matches!(e.event, Event::Marked { .. }))
            {
                abort.cancel();
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    let end = stage.execute(signals).await;
    assert!(matches!(end, Err(RunError::Aborted)), "{end:?}");

    stage
        .connector
        .hang_after_mark
        .store(false, Ordering::SeqCst);
    let marked = stage
        .entries()
        .await
        .iter()
        .find_map(|entry| match &entry.event {
            Event::Marked { attempt, .. } => Some(stage.plan.key(attempt.task)),
            _ => None,
        });
    // As if the work had become real before the coordinator died.
    let marked = marked.unwrap();
    stage
        .connector
        .performed
        .lock()
        .unwrap()
        .insert(marked.clone(), 1);
    assert_eq!(
        stage.execute(Signals::default()).await.unwrap(),
        RunEnd::Finished
    );
    assert_eq!(stage.connector.count(marked.as_str()), 1);
    let satisfied = stage
        .entries()
        .await
        .iter()
        .any(|entry| match &entry.event {
            Event::Ended {
                attempt,
                end: AttemptEnd::Satisfied(_),
                ..
            } => stage.plan.key(attempt.task) == marked,
            _ => false,
        });
    assert!(satisfied, "the probe found the work done");
}

#[tokio::test]
async fn gates_stop_the_run_until_they_are_answered() {
    let stage = Stage::new(true).await;
    assert_eq!(
        stage.execute(Signals::default()).await.unwrap(),
        RunEnd::AtGates
    );
    approve_all(&stage.journal, &stage.run, &stage.plan).await;
    assert_eq!(
        stage.execute(Signals::default()).await.unwrap(),
        RunEnd::Finished
    );
}

async fn approve_all(journal: &MemoryJournal, run: &RunId, plan: &Plan) {
    for task in plan.ixs() {
        if plan.step_of(task).action == Action::Gate {
            let now = Timestamp::from_micros(0);
            journal.post(run, &approval(task), now).await.unwrap();
        }
    }
}

fn approval(task: TaskIx) -> Command {
    Command::Answer {
        task,
        approved: true,
        by: "support".to_owned(),
        note: None,
    }
}

/// The time-outs of all that was started are over when the gates wait: an
/// alarm that goes on ringing would keep the answers from being read.
#[tokio::test]
async fn an_answer_is_read_when_every_time_out_has_passed() {
    let stage = Stage::of(true, Some(Elapsed(Duration::from_micros(1)))).await;
    let (journal, run, plan) = (stage.journal.clone(), stage.run.clone(), stage.plan.clone());
    tokio::spawn(async move {
        let gates = plan
            .ixs()
            .filter(|task| plan.step_of(*task).action == Action::Gate);
        let gates = gates.count();
        let mut answered = 0;
        while answered < gates {
            let entries = journal.read_all(&run, Seq(0)).await.unwrap();
            let opened = entries.iter().filter_map(|entry| match &entry.event {
                Event::GateOpened { task } => Some(*task),
                _ => None,
            });
            let opened: Vec<_> = opened.collect();
            for task in &opened[answered..] {
                let answer = approval(*task);
                let now = Timestamp::from_micros(0);
                journal.post(&run, &answer, now).await.unwrap();
            }
            answered = opened.len();
            tokio::task::yield_now().await;
        }
    });
    let waits = stage.execute_with(ExecuteOptions {
        wait_for_people: true,
        signals: Signals::default(),
    });
    let end = tokio::time::timeout(Duration::from_secs(30), waits).await;
    assert_eq!(
        end.expect("the answers are read").unwrap(),
        RunEnd::Finished
    );
}

#[tokio::test]
async fn a_signal_cancels_and_a_resume_finishes() {
    let stage = Stage::new(false).await;
    let signals = Signals::default();
    signals.cancel.cancel();
    assert_eq!(stage.execute(signals).await.unwrap(), RunEnd::Cancelled);
    assert_eq!(
        stage.execute(Signals::default()).await.unwrap(),
        RunEnd::Finished
    );
}

/// Wherever the journal gives up, nothing was performed whose start is not in
/// it, the run is given up, and another owner finishes it.
#[tokio::test]
async fn a_journal_that_gives_up_ends_the_coordinator_and_loses_nothing() {
    for appends in 0.. {
        let stage = Stage::new(false).await;
        let journal = Arc::new(Failing {
            inner: stage.journal.clone(),
            left: AtomicU32::new(appends),
        });
        let end = stage.execute_on(journal, ExecuteOptions::default()).await;
        let entries = stage.entries().await;
        for (task, count) in stage.connector.performed.lock().unwrap().iter() {
            let started = entries.iter().filter(|entry| match &entry.event {
                Event::Started { attempt } => stage.plan.key(attempt.task) == *task,
                _ => false,
            });
            assert_eq!(started.count(), *count as usize, "{appends}: {task}");
        }
        if end.is_ok() {
            assert!(appends > 5, "the journal never gave up");
            return;
        }
        assert!(matches!(end, Err(RunError::Journal(_))), "{end:?}");
        let resumed = stage.execute(Signals::default()).await.unwrap();
        assert_eq!(resumed, RunEnd::Finished, "{appends}");
    }
}
