//! What an attempt is told: small, serialisable, secrets by name only.

use std::collections::BTreeMap;
use std::sync::Arc;

use reprise_model::{
    Action, AttemptEnd, AttemptId, Entry, Event, Fault, Plan, PlannedSite, RunId, SiteId, TaskIx,
    Timestamp,
};
use reprise_ports::{Call, CallSite};
use reprise_spec::{Scene, Template};
use serde_json::{Map, Value};

use crate::points::Slices;

/// What finished tasks said, kept for those that come after them.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    values: BTreeMap<TaskIx, Map<String, Value>>,
    /// Recovery points that were measured.
    points: BTreeMap<TaskIx, Timestamp>,
}

impl Outputs {
    /// Takes in what an entry says about outputs; most say nothing.
    pub fn note(&mut self, entry: &Entry) {
        let Event::Ended { attempt, end, .. } = &entry.event else {
            return;
        };
        let (AttemptEnd::Done(outcome) | AttemptEnd::Satisfied(outcome)) = end else {
            return;
        };
        if !outcome.output.is_empty() {
            self.values.insert(attempt.task, outcome.output.clone());
        }
        if let Some(measured) = &outcome.recovery_point {
            self.points.insert(attempt.task, measured.point);
        }
    }
}

impl Outputs {
    /// Another plan is in force: `before` holds for each of its tasks the one
    /// of the same key. What starts anew has not said anything yet.
    pub fn carry(&mut self, before: &[Option<TaskIx>], back: &[TaskIx]) {
        let old = std::mem::take(self);
        for (at, before) in before.iter().enumerate() {
            let Some(before) = before else { continue };
            if let Some(output) = old.values.get(before) {
                self.values.insert(TaskIx::at(at), output.clone());
            }
            if let Some(point) = old.points.get(before) {
                self.points.insert(TaskIx::at(at), *point);
            }
        }
        for task in back {
            self.values.remove(task);
            self.points.remove(task);
        }
    }
}

/// What is the same for many calls, made once.
#[derive(Debug)]
pub(crate) struct Common {
    /// The sites of the batch on each shard.
    companions: Vec<Arc<[SiteId]>>,
    /// Whether a step's options have anything to fill in.
    has_templates: Vec<bool>,
    slices: Slices,
}

impl Common {
    pub fn new(plan: &Plan) -> Self {
        let mut by_shard = vec![Vec::new(); plan.shards.len()];
        for site in &plan.sites {
            for shard in &site.shards {
                by_shard[*shard as usize].push(site.id.clone());
            }
        }
        let steps = plan.steps.iter();
        Self {
            companions: by_shard.into_iter().map(Arc::from).collect(),
            has_templates: steps
                .map(|step| step.with.values().any(may_be_template))
                .collect(),
            slices: Slices::of(plan),
        }
    }

    fn companions(&self, plan: &Plan, task: TaskIx) -> Arc<[SiteId]> {
        let shard = plan.tasks[task.get()].shard;
        shard.map_or_else(Arc::default, |shard| {
            self.companions[shard as usize].clone()
        })
    }
}

fn may_be_template(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.contains('{'),
        Value::Array(items) => items.iter().any(may_be_template),
        Value::Object(map) => map.values().any(may_be_template),
    }
}

type Attributes = BTreeMap<String, String>;

/// The options in which connectors fill in `${NAME}`.
fn has_references(action: Action, option: &str) -> bool {
    matches!(
        (action, option),
        (Action::Exec, "env") | (Action::HttpCheck, "url")
    )
}

fn on_site<'a>(scene: Scene<'a>, site: Option<(&'a SiteId, &'a Attributes)>) -> Scene<'a> {
    match site {
        Some((id, attributes)) => scene.site(id, attributes),
        None => scene,
    }
}

/// A site with its dollars doubled: a customer who names a site `${NAME}`
/// is not given the secret of that name.
struct Tame {
    id: SiteId,
    attributes: Attributes,
}

impl Tame {
    fn of(site: &PlannedSite) -> Self {
        let tame = |text: &str| text.replace('$', "$$");
        let attributes = site.attributes.iter();
        Self {
            id: SiteId::new(tame(site.id.as_str())),
            attributes: attributes
                .map(|(name, value)| (name.clone(), tame(value)))
                .collect(),
        }
    }
}

/// The step's options, with the templates filled in.
fn options_of(run: &RunId, plan: &Plan, task: TaskIx) -> Result<Map<String, Value>, Fault> {
    let step = plan.step_of(task);
    let (site, shard) = (plan.site_of(task), plan.shard_of(task));
    let place = format!("steps.{}.with", step.name);
    let values = BTreeMap::from([
        ("target_time".to_owned(), plan.target_time.to_string()),
        ("run".to_owned(), run.to_string()),
    ]);
    let tame = site.map(Tame::of);
    let base = || {
        let scene = Scene::new(&place).values(&values);
        match shard {
            Some(shard) => scene.shard(&shard.shard),
            None => scene,
        }
    };
    let plain = on_site(base(), site.map(|site| (&site.id, &site.attributes)));
    let escaped = on_site(
        base(),
        tame.as_ref().map(|tame| (&tame.id, &tame.attributes)),
    );
    let mut with = Map::new();
    for (name, value) in &step.with {
        let scene = match has_references(step.action, name) {
            true => &escaped,
            false => &plain,
        };
        let rendered = Template::render_value(value, scene).map_err(Fault::permanent)?;
        with.insert(name.clone(), rendered);
    }
    Ok(with)
}

/// Listings are no templates; they are told which shards hold the site.
fn compared(plan: &Plan, task: TaskIx) -> Map<String, Value> {
    let mut with = plan.step_of(task).with.clone();
    let shards = plan.site_of(task).map_or(&[][..], |site| &site.shards);
    for side in ["from", "to"] {
        let store = with.get(side).and_then(|side| side.get("store")?.as_str());
        let held = shards.iter().map(|at| &plan.shards[*at as usize]);
        let shard = held
            .filter(|shard| Some(shard.store.as_str()) == store)
            .map(|shard| Value::from(shard.shard.as_str()))
            .next();
        if let Some(shard) = shard {
            with.insert(format!("{side}_shard"), shard);
        }
    }
    with
}

pub(crate) fn call_of(
    run: &RunId,
    plan: &Plan,
    attempt: AttemptId,
    outputs: &Outputs,
    common: &Common,
) -> Result<Call, Fault> {
    let task = attempt.task;
    let step = plan.step_of(task);
    let site = plan.site_of(task);
    let shard = plan.shard_of(task);
    let key = plan.key(task);
    let templates = common.has_templates[plan.tasks[task.get()].step as usize];
    let with = match (step.action, templates) {
        (Action::CheckReferences, _) => compared(plan, task),
        (Action::CheckConsistency, _) => common.slices.given(plan, task, &outputs.points),
        (_, true) => options_of(run, plan, task)?,
        (_, false) => step.with.clone(),
    };
    let needs = plan.tasks[task.get()].needs.iter();
    Ok(Call {
        run: run.clone(),
        attempt,
        idempotency_key: [run.as_str(), "/", key.as_str()].concat(),
        task: key,
        action: step.action,
        target_time: plan.target_time,
        site: site.map(|site| CallSite {
            id: site.id.clone(),
            attributes: site.attributes.clone(),
        }),
        store: step.store.clone(),
        shard: shard.map(|shard| shard.shard.clone()),
        companions: common.companions(plan, task),
        with,
        outputs: needs
            .filter_map(|need| {
                let output = outputs.values.get(need)?;
                Some((plan.key(*need), output.clone()))
            })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use reprise_sim::{Sample, plan};
    use serde_json::json;

    #[test]
    fn what_a_customer_wrote_names_no_secret() {
        let mut plan = plan(Sample {
            sites: 1,
            shards: 1,
            waves: 1,
            gates: false,
            halt_above: None,
        });
        let hook = plan
            .ixs()
            .find(|t| plan.step_of(*t).name.as_str() == "hook");
        let task = hook.unwrap();
        let options = json!({
            "command": ["{{ site.name }}"],
            "env": { "NAME": "{{ site.name }}", "KEY": "${TOKEN}" },
        });
        let step = plan.tasks[task.get()].step as usize;
        plan.steps[step].with = options.as_object().unwrap().clone();
        let name = ("name".to_owned(), "${TOKEN}".to_owned());
        plan.sites[0].attributes.extend([name]);
        let attempt = AttemptId { task, number: 1 };
        let common = Common::new(&plan);
        let run = RunId::new("r");
        let call = call_of(&run, &plan, attempt, &Outputs::default(), &common).unwrap();
        assert_eq!(call.with["command"], json!(["${TOKEN}"]));
        assert_eq!(
            call.with["env"],
            json!({ "NAME": "$${TOKEN}", "KEY": "${TOKEN}" })
        );
        assert_eq!(call.site.unwrap().attributes["name"], "${TOKEN}");
    }

    #[test]
    fn another_plan_finds_what_was_measured_and_not_what_is_done_again() {
        let measured = |at: usize| (TaskIx::at(at), Timestamp::from_micros(at as i64));
        let mut outputs = Outputs {
            values: BTreeMap::new(),
            points: BTreeMap::from([measured(0), measured(1), measured(2)]),
        };
        // Task 0 is gone, 1 comes first, 2 is done again.
        let before = [Some(TaskIx::at(1)), None, Some(TaskIx::at(2))];
        outputs.carry(&before, &[TaskIx::at(2)]);
        let expect = BTreeMap::from([(TaskIx::at(0), Timestamp::from_micros(1))]);
        assert_eq!(outputs.points, expect);
    }
}
