//! When the next wave opens, and when it does not.

use std::collections::VecDeque;
use std::sync::Arc;

use reprise_engine::{Effect, Engine, Input, Options};
use reprise_model::{
    Command, Epoch, Event, Fault, FaultKind, Outcome, Owner, Plan, PlannedTask, RunEnd, StepName,
    TaskIx, Timestamp,
};
use reprise_sim::{Sample, plan};

/// A step of every site that needs a task of the run which gathers all sites:
/// "when all are back, tell each customer".
fn and_then_each_site(gates: bool) -> Plan {
    let mut plan = plan(Sample {
        sites: 4,
        shards: 2,
        waves: 3,
        gates,
        halt_above: None,
    });
    let of = |plan: &Plan, name: &str| {
        let named = |step: &&reprise_model::PlannedStep| step.name.as_str() == name;
        plan.steps.iter().find(named).expect("a step").clone()
    };
    let mut after = of(&plan, "whole");
    after.name = StepName::new("after");
    after.needs = vec![StepName::new("tell")];
    let step = u32::try_from(plan.steps.len()).expect("few steps");
    plan.steps.push(after);
    let tell = TaskIx::at(plan.tasks.len() - 1);
    assert_eq!(plan.key(tell).as_str(), "tell");
    if gates {
        let handovers = plan
            .ixs()
            .filter(|task| plan.step_of(*task).name.as_str() == "handover");
        plan.tasks[tell.get()].needs = handovers.collect();
    }
    for site in 0..4 {
        plan.tasks.push(PlannedTask {
            step,
            site: Some(site),
            shard: Some(site % 2),
            needs: vec![tell],
            expected: None,
        });
    }
    plan.sealed()
}

fn play(plan: Plan) -> Option<RunEnd> {
    play_with(plan, |_| Ok(Outcome::default()))
}

/// Every attempt ends as its task says.
fn play_with(plan: Plan, ends: impl Fn(TaskIx) -> Result<Outcome, Fault>) -> Option<RunEnd> {
    let plan = Arc::new(plan);
    let now = Timestamp::EPOCH;
    let (mut engine, _) = Engine::create(
        plan,
        Options {
            wait_for_people: true,
            ..Options::default()
        },
        now,
    );
    let owner = Owner {
        epoch: Epoch(1),
        host: "here".to_owned(),
        pid: 0,
        version: String::new(),
    };
    let inbox = Vec::new();
    let mut inputs = VecDeque::from([Input::Begin { owner, inbox }]);
    let (mut clock, mut end, mut number) = (now, None, 0);
    while let Some(input) = inputs.pop_front() {
        clock = clock.saturating_add(std::time::Duration::from_secs(1));
        for effect in engine.handle(input, clock) {
            match effect {
                Effect::Start { attempt, .. } => inputs.push_back(Input::Finished {
                    attempt,
                    result: ends(attempt.task),
                }),
                Effect::Journal(entry) => {
                    if let Event::GateOpened { task } = entry.event {
                        let by = "ann".to_owned();
                        let (approved, note) = (true, None);
                        let command = Command::Answer {
                            task,
                            approved,
                            by,
                            note,
                        };
                        number += 1;
                        inputs.push_back(Input::Commanded { number, command });
                    }
                }
                Effect::Wake { .. } => inputs.push_back(Input::Tick),
                Effect::Stop(found) => end = Some(found),
                Effect::Probe { .. } | Effect::Interrupt { .. } => {}
            }
        }
    }
    end
}

#[test]
fn each_site_after_all_sites_is_no_deadlock_between_waves() {
    assert_eq!(play(and_then_each_site(false)), Some(RunEnd::Finished));
}

#[test]
fn nor_is_each_site_after_the_gates_of_all() {
    assert_eq!(play(and_then_each_site(true)), Some(RunEnd::Finished));
}

#[test]
fn a_failed_check_of_the_canary_halts_where_the_runbook_says_so() {
    let halted = |halt_on_checks| {
        let mut plan = plan(Sample {
            sites: 4,
            shards: 2,
            waves: 3,
            gates: false,
            halt_above: Some(0),
        });
        plan.halt_on_checks = halt_on_checks;
        let plan = plan.sealed();
        let of_canary = |task: &TaskIx| {
            let is_check = plan.step_of(*task).action.is_check();
            is_check && plan.site_of(*task).is_some_and(|site| site.wave == 0)
        };
        let check = plan.ixs().find(of_canary).expect("the canary is checked");
        let fault = Fault::new(FaultKind::Validation, "not as it was");
        play_with(plan.clone(), |task| match task == check {
            true => Err(fault.clone()),
            false => Ok(Outcome::default()),
        })
    };
    assert_eq!(halted(false), Some(RunEnd::Finished));
    assert_eq!(halted(true), Some(RunEnd::Halted));
}
