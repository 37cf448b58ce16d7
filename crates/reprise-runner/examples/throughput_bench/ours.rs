//! The real engine, runner and journal; only the connector does nothing.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use reprise_engine::Fold;
use reprise_model::{Action, Fault, Outcome, Plan, RunEnd, RunId, Seq, TaskState, Timestamp};
use reprise_ports::{Call, Connector, Context, Inspect, Inspection, Journal, NewRun, Probe};
use reprise_runner::{ExecuteOptions, Execution, Silent, World, execute};
use reprise_sim::Workload;
use serde_json::Value;

use crate::precise::Precise;
use crate::{Fallible, Measured, peak_mib};

/// Takes the time of its task.
struct Nothing {
    durations: Vec<Duration>,
    timer: Precise,
}

#[async_trait]
impl Connector for Nothing {
    fn offers(&self) -> &'static [Action] {
        &Action::ALL
    }

    async fn inspect(&self, _: &Inspect) -> Inspection {
        Inspection::default()
    }

    async fn perform(&self, call: &Call, _: &dyn Context) -> Result<Outcome, Fault> {
        let took = self.durations[call.attempt.task.get()];
        self.timer.wait(took).await;
        Ok(Outcome::default())
    }

    async fn probe(&self, _: &Call, _: Option<&Value>, _: &dyn Context) -> Result<Probe, Fault> {
        Ok(Probe::NotYet)
    }

    async fn close(&self) {}
}

/// Runs the work's own plan, or the same with other expectations.
pub async fn run(work: Workload, plan: Option<Plan>, folder: &Path) -> Fallible<Measured> {
    let plan = Arc::new(plan.unwrap_or(work.plan));
    let connector = Arc::new(Nothing {
        timer: Precise::new(!work.bound.is_zero()),
        durations: work.durations,
    });
    let path = folder.join("journal.db");
    let journal = reprise_journal::open(&path.display().to_string()).await?;
    let run = RunId::from("bench");
    let new = NewRun {
        id: run.clone(),
        plan: &plan,
        created: Timestamp::from_micros(0),
        env_file: None,
    };
    journal.create(&new).await?;
    let execution = Execution {
        run: run.clone(),
        plan: plan.clone(),
        world: Arc::new(World::of(
            BTreeMap::new(),
            connector.clone(),
            connector.clone(),
        )),
        journal: journal.clone(),
        observer: Arc::new(Silent),
        options: ExecuteOptions::default(),
    };
    let start = Instant::now();
    let end = execute(execution).await?;
    let seconds = start.elapsed().as_secs_f64();
    let peak_mib = peak_mib()?;
    if end != RunEnd::Finished {
        return Err(format!("the run ended {end:?}").into());
    }
    let mut fold = Fold::new(plan.clone());
    let commits = read_back(journal.as_ref(), &run, &mut fold).await?;
    if fold.count(TaskState::Done) as usize != plan.tasks.len() {
        return Err("the journal says that some tasks are not done".into());
    }
    Ok(Measured {
        seconds,
        peak_mib,
        commits,
    })
}

/// Verifies the chain and folds it; returns the number of pages.
async fn read_back(journal: &dyn Journal, run: &RunId, fold: &mut Fold) -> Fallible<u64> {
    let mut pages = 0;
    let mut fault = None;
    let mut sink = |entries: Vec<reprise_model::Entry>| {
        pages += 1;
        for entry in entries {
            if let Err(error) = fold.apply(&entry.event, entry.at) {
                fault = Some(error);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    };
    journal.read(run, Seq(0), &mut sink).await?;
    match fault {
        Some(error) => Err(error.into()),
        None => Ok(pages),
    }
}
