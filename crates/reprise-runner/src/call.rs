//! What an attempt is told: small, serialisable, secrets by name only.

use std::collections::BTreeMap;
use std::sync::Arc;

use reprise_model::{
    AttemptEnd, AttemptId, Entry, Event, Fault, Plan, RunId, ShardId, SiteId, TaskIx,
};
use reprise_ports::{Call, CallSite};
use reprise_spec::{Scene, Template};
use serde_json::{Map, Value};

/// Outputs of finished tasks, kept for those that need them.
#[derive(Debug, Default)]
pub(crate) struct Outputs(BTreeMap<TaskIx, Map<String, Value>>);

impl Outputs {
    /// Takes in what an entry says about outputs; most say nothing.
    pub fn note(&mut self, entry: &Entry) {
        let Event::Ended { attempt, end, .. } = &entry.event else {
            return;
        };
        if let AttemptEnd::Done(outcome) | AttemptEnd::Satisfied(outcome) = end
            && !outcome.output.is_empty()
        {
            self.0.insert(attempt.task, outcome.output.clone());
        }
    }
}

/// The sites of the batch on each shard, made once and shared by all calls.
#[derive(Debug)]
pub(crate) struct Companions(Vec<Arc<[SiteId]>>);

impl Companions {
    pub fn new(plan: &Plan) -> Self {
        let mut by_shard = vec![Vec::new(); plan.shards.len()];
        for site in &plan.sites {
            for shard in &site.shards {
                by_shard[*shard as usize].push(site.id.clone());
            }
        }
        Self(by_shard.into_iter().map(Arc::from).collect())
    }

    fn of(&self, plan: &Plan, task: TaskIx) -> Arc<[SiteId]> {
        let shard = plan.tasks[task.get()].shard;
        shard.map_or_else(Arc::default, |shard| self.0[shard as usize].clone())
    }
}

pub(crate) fn call_of(
    run: &RunId,
    plan: &Plan,
    attempt: AttemptId,
    outputs: &Outputs,
    companions: &Companions,
) -> Result<Call, Fault> {
    let task = attempt.task;
    let step = plan.step_of(task);
    let site = plan.site_of(task);
    let shard = plan.shard_of(task);
    let key = plan.key(task);
    let place = format!("steps.{}.with", step.name);
    let values = BTreeMap::from([
        ("target_time".to_owned(), plan.target_time.to_string()),
        ("run".to_owned(), run.to_string()),
    ]);
    let mut scene = Scene::new(&place).values(&values);
    if let Some(site) = site {
        scene = scene.site(&site.id, &site.attributes);
    }
    let shard_id: Option<ShardId> = shard.map(|shard| shard.shard.clone());
    if let Some(shard) = &shard_id {
        scene = scene.shard(shard);
    }
    let with = match Template::render_value(&Value::Object(step.with.clone()), &scene) {
        Ok(Value::Object(with)) => with,
        Ok(_) => Map::new(),
        Err(error) => return Err(Fault::permanent(error)),
    };
    let needs = plan.tasks[task.get()].needs.iter();
    Ok(Call {
        run: run.clone(),
        attempt,
        idempotency_key: format!("{run}/{key}"),
        task: key,
        action: step.action,
        target_time: plan.target_time,
        site: site.map(|site| CallSite {
            id: site.id.clone(),
            attributes: site.attributes.clone(),
        }),
        store: step.store.clone(),
        shard: shard_id,
        companions: companions.of(plan, task),
        with,
        outputs: needs
            .filter_map(|need| Some((plan.key(*need), outputs.0.get(need)?.clone())))
            .collect(),
    })
}
