//! What can be known before anything is started: the segments, how far they
//! reach, the target and its offsets.

use reprise_model::{Fault, Timestamp};
use reprise_ports::{Finding, Inspect, Inspection, Level};

use super::config::{EventsConfig, EventsShard};
use super::event::Event;
use super::segments::{self, Met};
use super::target::Session;
use crate::rows::Options;

pub(super) async fn look(config: &EventsConfig, inspect: &Inspect) -> Inspection {
    let Some(shard) = config.shard(&inspect.shard) else {
        return Inspection::default();
    };
    let finding = |check: &str, found: Result<(Level, String), Fault>| {
        let (level, message, hint) = match found {
            Ok((level, message)) => (level, message, None),
            Err(fault) => (Level::Error, fault.message, fault.hint),
        };
        Finding {
            check: check.to_owned(),
            level,
            store: config.store.clone(),
            shard: shard.id.clone(),
            message,
            hint,
        }
    };
    let (own, fields) = (shard.clone(), config.events.fields.clone());
    let target = inspect.target_time;
    let reach = super::connector::blocking(move || reach(&own, &fields, target)).await;
    let mut findings = vec![finding("backup-reaches", reach)];
    if shard.live.is_some() && config.events.target.is_some() {
        let looked = match Session::open(config, shard, &Options::default()).await {
            Ok(mut session) => session.look(inspect.sites.first()).await,
            Err(fault) => Err(fault),
        };
        findings.push(finding(
            "connection",
            looked.map(|message| (Level::Ok, message)),
        ));
    }
    Inspection {
        findings,
        ..Inspection::default()
    }
}

/// Reads the newest segment alone; whether anything is missing before is what
/// `audit events` and `recover` find out.
fn reach(
    shard: &EventsShard,
    fields: &reprise_model::EventFields,
    target: Option<Timestamp>,
) -> Result<(Level, String), Fault> {
    let mut newest = None;
    let mut files = 0;
    for folder in shard.archive.copies() {
        let found = segments::list(folder)?;
        files += found.len();
        let Some(last) = found.last() else {
            let shown = folder.display();
            return Err(Fault::permanent(format!("{shown} holds no segments")));
        };
        segments::read(&folder.join(&last.name), |met| {
            if let Met::Line(_, text) = met
                && let Ok(event) = Event::read(text, fields)
            {
                newest = newest.max(Some(event.time));
            }
            Ok(())
        })?;
    }
    Ok(match (newest, target) {
        (None, _) => (
            Level::Warning,
            format!("{files} segments, and no event in the newest"),
        ),
        (Some(newest), Some(target)) if newest <= target => (
            Level::Warning,
            format!("{files} segments, the last event at {newest}: before the target time"),
        ),
        (Some(newest), _) => (
            Level::Ok,
            format!(
                "{files} segments, the last event at {newest}; gaps are found by `audit events`"
            ),
        ),
    })
}
