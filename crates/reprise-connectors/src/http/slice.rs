//! A site's apps at the vendor against those that it had at T.

use std::collections::BTreeMap;

use reprise_model::{Check, Fault, FaultKind, Outcome, Verdict, Volume};
use serde_json::{Value, json};

use super::effects::works;
use super::listing::App;
use super::requests::{Health, Present, Requests};

/// Samples of each kind of difference in the evidence.
const SAMPLES: usize = 10;

/// What differs; empty where all is as it was.
#[derive(Default)]
struct Differences {
    missing: Vec<String>,
    extra: Vec<String>,
    /// The app, and the state that it is in.
    broken: Vec<(String, String)>,
}

impl Differences {
    fn between(wanted: &BTreeMap<String, App>, present: &Present) -> Self {
        let mut differences = Self::default();
        for id in wanted.keys() {
            match present.get(id) {
                None => differences.missing.push(id.clone()),
                Some(Health::Broken(state)) => differences.broken.push((id.clone(), state.clone())),
                Some(Health::Works) => {}
            }
        }
        let extra = present.keys().filter(|id| !wanted.contains_key(*id));
        differences.extra = extra.cloned().collect();
        differences
    }

    fn words(&self, extra_allowed: bool) -> Vec<String> {
        let broken: Vec<String> = self
            .broken
            .iter()
            .map(|(id, state)| format!("{id}: {state}"))
            .collect();
        let extra = if extra_allowed { &[][..] } else { &self.extra };
        [
            ("missing", &self.missing[..]),
            ("broken", &broken),
            ("not known at T", extra),
        ]
        .into_iter()
        .filter(|(_, ids)| !ids.is_empty())
        .map(|(what, ids)| {
            let names = ids[..ids.len().min(SAMPLES)].join(", ");
            format!("{} {what} ({names})", ids.len())
        })
        .collect()
    }
}

/// Whether there is nothing to be asked for.
pub(super) async fn is_back(
    requests: &Requests<'_>,
    wanted: &BTreeMap<String, App>,
) -> Result<bool, Fault> {
    if wanted.is_empty() {
        return Ok(true);
    }
    let present = requests.list().await?;
    Ok(wanted.keys().all(|id| works(&present, id)))
}

/// Believes the vendor's listing, and its check of each app where one is declared.
pub(super) async fn verify(
    requests: &Requests<'_>,
    wanted: &BTreeMap<String, App>,
) -> Result<Outcome, Fault> {
    let mut present = requests.list().await?;
    for (id, app) in wanted
        .iter()
        .filter(|(id, _)| works(&present, id))
        .collect::<Vec<_>>()
    {
        let health = requests.check(app).await?;
        present.insert(id.clone(), health);
    }
    let differences = Differences::between(wanted, &present);
    let words = differences.words(requests.config.apps.extra_allowed);
    let verdict = match words.is_empty() {
        true => Verdict::Pass,
        false => Verdict::Fail,
    };
    let check = Check {
        name: "apps".to_owned(),
        verdict,
        evidence: evidence(requests, wanted.len(), present.len(), &differences),
    };
    if verdict == Verdict::Pass {
        return Ok(Outcome {
            volume: Volume {
                rows: wanted.len() as u64,
                bytes: 0,
            },
            checks: vec![check],
            ..Outcome::default()
        });
    }
    let message = format!("the apps differ: {}", words.join("; "));
    let mut fault = Fault::new(FaultKind::Validation, message);
    fault.checks.push(check);
    Err(fault)
}

fn evidence(requests: &Requests<'_>, apps: usize, listed: usize, found: &Differences) -> Value {
    let sampled =
        |ids: &[String]| json!({ "count": ids.len(), "samples": ids[..ids.len().min(SAMPLES)] });
    let broken: Vec<Value> = found
        .broken
        .iter()
        .take(SAMPLES)
        .map(|(id, state)| json!({ "app": id, "state": state }))
        .collect();
    json!({
        "store": requests.config.store,
        "site": requests.site.id,
        "vendor": requests.vendor.shown,
        "apps": apps,
        "listed": listed,
        "checked_each": requests.config.apps.check.is_some(),
        "missing": sampled(&found.missing),
        "extra": sampled(&found.extra),
        "extra_allowed": requests.config.apps.extra_allowed,
        "broken": { "count": found.broken.len(), "samples": broken },
    })
}
