//! `restore`: brings back each app that is missing or does not work, and
//! counts what it did when it cannot go on.

use std::collections::BTreeMap;

use reprise_model::{Fault, Outcome, Volume};
use reprise_ports::{Context, Progress};
use reqwest::StatusCode;
use serde_json::{Map, json};

use super::fault::Miss;
use super::listing::App;
use super::requests::{Health, Present, Requests};

/// Names of apps in a message, at most.
const NAMED: usize = 10;

/// What a restore did so far.
#[derive(Default)]
struct Tally {
    already: usize,
    installed: usize,
    reconnected: usize,
    /// Refused for good; the others go on.
    refused: Vec<(String, Fault)>,
}

impl Tally {
    fn back(&self) -> usize {
        self.already + self.installed + self.reconnected
    }
}

/// One request after another: the slots of the step's pool bound what the
/// vendor is asked at once.
pub(super) async fn restore(
    requests: &Requests<'_>,
    wanted: &BTreeMap<String, App>,
    key: &str,
    context: &dyn Context,
) -> Result<Outcome, Fault> {
    let mut tally = Tally::default();
    if wanted.is_empty() {
        return Ok(outcome(&tally));
    }
    let present = requests.list().await?;
    let mut left: Vec<(&String, &App)> = Vec::new();
    for (id, app) in wanted {
        match works(&present, id) {
            true => tally.already += 1,
            false => left.push((id, app)),
        }
    }
    let mut left = left.into_iter();
    while let Some((id, app)) = left.next() {
        tell(context, &tally, wanted.len());
        let listed = present.contains_key(id);
        match bring(requests, id, app, listed, key).await {
            Ok(()) if listed => tally.reconnected += 1,
            Ok(()) => tally.installed += 1,
            Err(miss) if miss.fault.kind.may_pass() || is_about_us(&miss) => {
                let rest = left.map(|(id, _)| id.as_str());
                let rest = [id.as_str()].into_iter().chain(rest).collect();
                return Err(stopped(requests, &tally, wanted.len(), rest, miss.fault));
            }
            Err(miss) => tally.refused.push((id.clone(), miss.fault)),
        }
    }
    match tally.refused.first() {
        None => Ok(outcome(&tally)),
        Some((_, fault)) => {
            let (fault, refused) = (fault.clone(), tally.refused.iter());
            let rest = refused.map(|(id, _)| id.as_str()).collect();
            Err(stopped(requests, &tally, wanted.len(), rest, fault))
        }
    }
}

/// Refused credentials concern every app.
fn is_about_us(miss: &Miss) -> bool {
    let status = miss.status.map(|status| status.as_u16());
    matches!(status, None | Some(401 | 403))
}

pub(super) fn works(present: &Present, id: &str) -> bool {
    present.get(id) == Some(&Health::Works)
}

/// Asks for one app. Where nobody can tell whether it happened, a listing
/// tells; only then may it be asked for again, by the next attempt.
async fn bring(
    requests: &Requests<'_>,
    id: &str,
    app: &App,
    listed: bool,
    key: &str,
) -> Result<(), Miss> {
    let apps = &requests.config.apps;
    // Another effect has another key: a vendor that knows the first would only
    // tell again what became of that.
    let (request, key) = match &apps.reconnect {
        Some(reconnect) if listed => (reconnect, format!("{key}/reconnect/{id}")),
        Some(_) | None => (&apps.install, format!("{key}/{id}")),
    };
    let Err(miss) = requests.effect(request, app, &key).await else {
        return Ok(());
    };
    if !miss.lost && miss.status != Some(StatusCode::CONFLICT) {
        return Err(miss);
    }
    match requests.list().await {
        Ok(present) if works(&present, id) => Ok(()),
        Ok(_) | Err(_) => Err(miss),
    }
}

fn tell(context: &dyn Context, tally: &Tally, all: usize) {
    context.progress(Progress {
        volume: volume(tally),
        fraction: Some(tally.back() as f64 / all as f64),
        phase: Some("asking for apps".to_owned()),
    });
}

fn volume(tally: &Tally) -> Volume {
    Volume {
        rows: tally.back() as u64,
        bytes: 0,
    }
}

fn outcome(tally: &Tally) -> Outcome {
    let mut output = Map::new();
    output.insert("installed".to_owned(), json!(tally.installed));
    output.insert("reconnected".to_owned(), json!(tally.reconnected));
    output.insert("already_there".to_owned(), json!(tally.already));
    Outcome {
        output,
        volume: volume(tally),
        ..Outcome::default()
    }
}

/// What is back stays; the fault says how much that is, and what is left.
fn stopped<'a>(
    requests: &Requests<'_>,
    tally: &'a Tally,
    all: usize,
    mut left: Vec<&'a str>,
    fault: Fault,
) -> Fault {
    for (id, _) in &tally.refused {
        if !left.contains(&id.as_str()) {
            left.push(id);
        }
    }
    let (count, back, site) = (left.len(), tally.back(), &requests.site.id);
    left.truncate(NAMED);
    let names = left.join(", ");
    let more = if count > NAMED { ", ..." } else { "" };
    Fault {
        message: format!(
            "site {site}: {back} of {all} apps are back, {count} left ({names}{more}): {}",
            fault.message
        ),
        ..fault
    }
}
