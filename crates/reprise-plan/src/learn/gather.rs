//! From the stories of runs to lessons.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use reprise_model::{StepName, Volume};

use super::fit::{self, Predictor};
use super::register::{Register, Subject};
use super::{Lessons, StepLesson, Story};

/// Samples of a step that lines are laid through: more would not move them.
const MOST_POINTS: usize = 2_000;
/// How much a task differs from its own last time, where none was done twice.
const USUAL_OWN_SIGMA: f64 = 0.3;
/// Tasks of a step that tell how long it takes now. Machines and data change:
/// where the newest runs have as many, older ones are not asked.
const ENOUGH_NOW: usize = 10;
/// Tasks that must have been done twice before their difference is believed.
const ENOUGH_TWICE: usize = 8;

/// Gathers the stories of runs, the newest first.
#[derive(Debug, Default)]
pub struct Learner {
    runs: u32,
    register: Register,
    steps: BTreeMap<StepName, Samples>,
    sites: BTreeMap<Subject, Known>,
}

/// Seconds of a step's tasks.
#[derive(Debug, Default)]
struct Samples {
    last: BTreeMap<Subject, f32>,
    /// Of the newest runs, as many as were needed to have enough.
    recent: BTreeMap<Subject, f32>,
    /// The run that was the last of those.
    enough_in: Option<u32>,
    /// Logarithms of how much longer a task took than the time before.
    changes: Vec<f64>,
}

/// The newest that is known of a site.
#[derive(Debug)]
struct Known {
    attributes: BTreeMap<String, String>,
    size: Option<Volume>,
}

impl Samples {
    fn add(&mut self, run: u32, subject: Subject, seconds: f32) {
        if self.enough_in.is_none_or(|enough| run <= enough) {
            self.recent.entry(subject).or_insert(seconds);
            if self.recent.len() >= ENOUGH_NOW {
                self.enough_in = Some(run);
            }
        }
        match self.last.entry(subject) {
            Entry::Vacant(place) => {
                place.insert(seconds);
            }
            Entry::Occupied(newer) if self.changes.len() < MOST_POINTS => {
                self.changes.push(f64::from(*newer.get() / seconds).ln());
            }
            Entry::Occupied(_) => {}
        }
    }
}

impl Learner {
    /// Of the same task, the story that was added first is believed.
    pub fn add(&mut self, story: &Story) {
        let plan = &story.plan;
        self.register.enrol(plan);
        let mut taught = false;
        for (task, seconds) in story.done_tasks() {
            taught = true;
            let Some(subject) = self.register.subject(plan, task) else {
                continue;
            };
            let step = &plan.step_of(task).name;
            if !self.steps.contains_key(step) {
                self.steps.insert(step.clone(), Samples::default());
            }
            if let Some(samples) = self.steps.get_mut(step) {
                samples.add(self.runs, subject, seconds);
            }
        }
        self.runs += u32::from(taught);
        self.measure_sites(story);
    }

    fn measure_sites(&mut self, story: &Story) {
        let mut sizes: BTreeMap<u32, Volume> = BTreeMap::new();
        for (task, volume) in &story.volumes {
            if let Some(site) = story.plan.tasks[task.get()].site {
                *sizes.entry(site).or_default() += *volume;
            }
        }
        for (at, site) in (0u32..).zip(&story.plan.sites) {
            let Some(subject) = self.register.site(&site.id) else {
                continue;
            };
            let fresh = || Known {
                attributes: site.attributes.clone(),
                size: None,
            };
            let known = self.sites.entry(subject).or_insert_with(fresh);
            known.size = known.size.or(sizes.get(&at).copied());
        }
    }

    pub fn finish(self) -> Lessons {
        let sites = &self.sites;
        let lesson = |(step, samples)| Some((step, lesson(samples, sites)?));
        Lessons {
            runs: self.runs,
            steps: self.steps.into_iter().filter_map(lesson).collect(),
            sizes: sites
                .iter()
                .filter_map(|(subject, known)| Some((*subject, known.size?)))
                .collect(),
            register: self.register,
        }
    }
}

fn lesson(samples: Samples, sites: &BTreeMap<Subject, Known>) -> Option<StepLesson> {
    let recent = samples.recent.values();
    let seconds: Vec<f64> = recent.map(|seconds| fit::measured(*seconds)).collect();
    let whole = fit::whole(&seconds)?;
    let own_sigma = match samples.changes.len() {
        ENOUGH_TWICE.. => fit::spread(samples.changes)?,
        _ => whole.sigma.min(USUAL_OWN_SIGMA),
    };
    Some(StepLesson {
        whole,
        moments: fit::moments(&seconds),
        fits: fit::fits(points(&samples.recent, sites), whole.sigma),
        last: samples.last,
        own_sigma,
    })
}

/// For each thing that could tell a site's size: size and seconds of those
/// tasks whose sites have it.
fn points(
    last: &BTreeMap<Subject, f32>,
    sites: &BTreeMap<Subject, Known>,
) -> BTreeMap<Predictor, Vec<(f64, f64)>> {
    let mut points: BTreeMap<Predictor, Vec<(f64, f64)>> = BTreeMap::new();
    let stride = last.len().div_ceil(MOST_POINTS).max(1);
    for (subject, seconds) in last.iter().step_by(stride) {
        let Some(Known { attributes, size }) = sites.get(subject) else {
            continue;
        };
        let named = attributes.keys().cloned();
        let all = [Predictor::Rows, Predictor::Bytes];
        for predictor in all.into_iter().chain(named.map(Predictor::Attribute)) {
            if let Some(size) = predictor.size(attributes, size.as_ref()) {
                let list = points.entry(predictor).or_default();
                list.push((size, fit::measured(*seconds)));
            }
        }
    }
    points
}
