//! The world of an estate, and what is found out about it before a plan.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reprise_model::{Estate, Plan, ShardId, SiteId, Store, StoreId, Timestamp};
use reprise_plan::{ShardEstimate, SiteRow};
use reprise_ports::{Finding, Inspect, Level, Progress};
use reprise_runner::{Survey, World, WorldOptions};
use reprise_spec::Environment;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::hints;
use crate::printer::Printer;
use crate::state;

/// Connections at most to each shard's live end, so that neighbours keep theirs.
const LIVE_CONNECTIONS: u32 = 8;

pub fn open_world(
    estate: &Estate,
    environment: &Environment,
    state_url: &str,
    drill: bool,
) -> Result<World, Failure> {
    let folders = |name: &str| {
        std::env::var_os(name).map_or_else(Vec::new, |list| std::env::split_paths(&list).collect())
    };
    let here = PathBuf::from(".deps");
    let options = WorldOptions {
        scratch_root: state::scratch_root(state_url),
        temp: std::env::temp_dir(),
        deps: folders("REPRISE_DEPS")
            .into_iter()
            .next()
            .or_else(|| here.is_dir().then_some(here)),
        pg_bin: folders("REPRISE_PG_BIN"),
        path: std::env::var_os("PATH"),
        drill,
        live_connections: LIVE_CONNECTIONS,
    };
    World::open(estate, environment, &options).map_err(hints::world)
}

/// The sites as they were at T. The catalogue is recovered for it, which the
/// run then finds done.
pub async fn sites(
    world: &World,
    estate: &Estate,
    target_time: Timestamp,
    printer: &Printer,
) -> Result<Vec<SiteRow>, Failure> {
    ask(world, estate, target_time, printer)
        .sites()
        .await
        .map_err(hints::survey)
}

/// Brings shards to T before anything else is decided, one after another; the
/// run finds them there.
pub async fn recover(
    world: &World,
    estate: &Estate,
    target_time: Timestamp,
    shards: &[(StoreId, ShardId, Vec<SiteId>)],
    printer: &Printer,
) -> Result<(), Failure> {
    let survey = ask(world, estate, target_time, printer);
    for (store, shard, _) in shards {
        printer.talk(&format!(
            "recovering {store}@{shard} to {target_time} in scratch"
        ));
        survey.recover(store, shard).await.map_err(|fault| {
            let message = format!("{store}@{shard} cannot be brought to T; nothing was changed");
            let failure = Failure::refused(message).fact("cause", &fault.message);
            match fault.hint {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        })?;
    }
    Ok(())
}

/// What ids are that turned out not to be sites.
pub async fn identify(
    world: &World,
    estate: &Estate,
    target_time: Timestamp,
    ids: &[String],
    printer: &Printer,
) -> BTreeMap<String, String> {
    ask(world, estate, target_time, printer).identify(ids).await
}

fn ask<'a>(
    world: &'a World,
    estate: &'a Estate,
    target_time: Timestamp,
    printer: &'a Printer,
) -> Survey<'a> {
    Survey {
        world,
        estate,
        target_time,
        progress: progress_of(printer),
        cancel: CancellationToken::new(),
    }
}

/// Nobody waits long enough for this to need a screen of its own.
fn progress_of(_: &Printer) -> &'static (dyn Fn(&Progress) + Send + Sync) {
    &|progress| tracing::info!(phase = ?progress.phase, "recovering")
}

/// What inspecting the shards brought.
#[derive(Default)]
pub struct Inspected {
    pub findings: Vec<Finding>,
    pub estimates: BTreeMap<(StoreId, ShardId), ShardEstimate>,
}

impl Inspected {
    pub fn count(&self, level: Level) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.level == level)
            .count()
    }
}

/// All shards of a store, with no site named yet.
pub fn of_store(store: &Store) -> impl Iterator<Item = (StoreId, ShardId, Vec<SiteId>)> {
    let shards = store.shards.iter();
    shards.map(|shard| (store.id.clone(), shard.id.clone(), Vec::new()))
}

/// The shards that some task of the plan touches, each with the sites that
/// will be restored there.
pub fn shards_of(plan: &Plan) -> Vec<(StoreId, ShardId, Vec<SiteId>)> {
    let mut touched = vec![false; plan.shards.len()];
    for shard in plan.tasks.iter().filter_map(|task| task.shard) {
        touched[shard as usize] = true;
    }
    let mut sites = vec![Vec::new(); plan.shards.len()];
    for site in &plan.sites {
        for shard in &site.shards {
            sites[*shard as usize].push(site.id.clone());
        }
    }
    let shards = plan.shards.iter().zip(sites).zip(touched);
    shards
        .filter(|(_, touched)| *touched)
        .map(|((shard, sites), _)| (shard.store.clone(), shard.shard.clone(), sites))
        .collect()
}

/// Looks at shards without changing anything.
pub async fn inspect(
    world: &World,
    shards: Vec<(StoreId, ShardId, Vec<SiteId>)>,
    target_time: Option<Timestamp>,
) -> Inspected {
    let mut inspected = Inspected::default();
    for (store, shard, sites) in shards {
        let question = Inspect {
            shard: shard.clone(),
            target_time,
            sites,
        };
        match world.inspect(&store, &question).await {
            Ok(found) => {
                inspected.findings.extend(found.findings);
                let estimate = ShardEstimate {
                    per_site: found.estimate.per_site,
                    scratch_bytes: found.estimate.scratch_bytes,
                    live_sites: found.estimate.live_sites,
                };
                inspected.estimates.insert((store, shard), estimate);
            }
            Err(fault) => inspected.findings.push(Finding {
                check: "inspect".to_owned(),
                level: Level::Unknown,
                store,
                shard,
                message: fault.message,
                hint: fault.hint,
            }),
        }
    }
    inspected
}

/// Stops at what would make the restore fail; tells what the operator should know.
pub fn judge(inspected: &Inspected, printer: &Printer) -> Result<(), Failure> {
    for finding in &inspected.findings {
        match finding.level {
            Level::Ok | Level::Later | Level::Unknown | Level::Error => {}
            Level::Warning => printer.warning(&shown(finding), finding.hint.as_deref()),
        }
    }
    tell_unknown(&inspected.findings, printer);
    let errors: Vec<_> = inspected
        .findings
        .iter()
        .filter(|finding| finding.level == Level::Error)
        .collect();
    if errors.is_empty() {
        return Ok(());
    }
    let mut failure = Failure::refused("preconditions are not met; nothing was changed");
    for finding in errors {
        failure.facts.push((finding.check.clone(), shown(finding)));
        failure.hints.extend(finding.hint.clone());
    }
    failure.hints.sort();
    failure.hints.dedup();
    Err(failure)
}

/// One line for what could not be looked at on any number of shards.
fn tell_unknown(findings: &[Finding], printer: &Printer) {
    let mut shards: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for finding in findings {
        if finding.level == Level::Unknown {
            let place = format!("{}@{}", finding.store, finding.shard);
            let same = (finding.check.as_str(), finding.message.as_str());
            shards.entry(same).or_default().push(place);
        }
    }
    for ((check, message), places) in shards {
        let others = match places.len() {
            1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        printer.talk(&format!(
            "not looked at yet: {check} on {}{others}: {message}",
            places[0]
        ));
    }
}

fn shown(finding: &Finding) -> String {
    format!("{}@{}: {}", finding.store, finding.shard, finding.message)
}
