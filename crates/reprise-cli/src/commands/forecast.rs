use std::path::PathBuf;

use clap::Args;
use reprise_model::{Exit, Plan, PoolName, Timestamp};
use reprise_report::format;

use crate::args::{Global, PlanOptions};
use crate::failure::Failure;
use crate::forecast::{self, Document, Scaled};
use crate::lessons::{self, Wanted};
use crate::printer::Printer;
use crate::{compile, inputs};

/// Rehearse a plan under virtual time: how long it will take, what binds it,
/// and what more slots would bring
///
/// The same engine as in a run, over durations that earlier runs, the runbook
/// or a guess suggest: many rehearsals, each with other durations. Nothing
/// fails in them, and people answer gates at once. A plan file needs no
/// connection to anything; with options the plan is compiled as `plan` does.
/// Ends with 0 also when the objective will probably be missed.
#[derive(Args, Debug)]
#[command(
    override_usage = "reprise forecast [OPTIONS] PLAN.json\n       reprise forecast [OPTIONS] -e FILE -r FILE --at T --sites SEL",
    after_help = "Examples:
  reprise forecast plan.json
  reprise forecast plan.json --pool load=16 --pool recover=4
  reprise forecast plan.json --sites 10000
  reprise forecast -e estate.yaml -r runbook.yaml --at 2026-03-01T12:00:00Z --sites @deleted.txt"
)]
pub struct ForecastCommand {
    /// The plan, as `reprise plan -o` wrote it
    #[arg(
        value_name = "PLAN.json",
        conflicts_with_all = ["estate", "runbook", "at", "incident_time", "recover"],
        required_unless_present = "estate"
    )]
    plan: Option<PathBuf>,
    /// The estate: stores, shards, backups, live ends
    #[arg(short, long, value_name = "FILE", requires_all = ["runbook", "at", "sites"])]
    estate: Option<PathBuf>,
    /// The runbook: the procedure
    #[arg(short, long, value_name = "FILE", requires = "estate")]
    runbook: Option<PathBuf>,
    /// T, the moment to restore to: RFC 3339 with `Z` or an offset
    #[arg(long, value_name = "T", requires = "estate")]
    at: Option<String>,
    /// The sites: @FILE, ID,ID,..., all, or KEY=VALUE,...; with PLAN.json, how
    /// many there would be of the same mix
    #[arg(long, value_name = "SEL|N")]
    sites: Option<String>,
    /// As if there were so many sites of the same mix
    #[arg(long, value_name = "N", conflicts_with = "plan")]
    scale: Option<u32>,
    /// When the damage was done; the objective counts from here
    #[arg(long, value_name = "T", requires = "estate")]
    incident_time: Option<String>,
    /// Bring every shard to T in scratch first, as `plan --recover` does
    #[arg(long, requires = "estate")]
    recover: bool,
    /// As if the pool had so many slots; may be given for several pools
    #[arg(long = "pool", value_name = "NAME=SLOTS")]
    pools: Vec<String>,
    /// As if so many attempts could be under way at once, over all pools
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    slots: Option<u32>,
    /// Decides about the rehearsals: the same seed, the same forecast
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

impl ForecastCommand {
    pub async fn perform(self, global: &Global, printer: &Printer) -> Result<Exit, Failure> {
        let changes = self.pools.iter().map(|text| pool_change(text));
        let changes = changes.collect::<Result<Vec<_>, _>>()?;
        let sites = self.wanted_sites()?;
        let mut plan = self.plan(global, printer).await?;
        let wanted = Wanted {
            estate: &plan.estate.name,
            runbook: &plan.runbook.name,
            drill: plan.drill,
        };
        let lessons = lessons::learn(&global.state, &wanted, printer).await;
        let (beliefs, durations) = forecast::beliefs(&plan, &lessons);
        for (pool, slots) in &changes {
            set_slots(&mut plan, pool, *slots)?;
        }
        plan.slots = self.slots.or(plan.slots);
        let from_incident = from_incident(&plan, inputs::now());
        let hash = plan.hash;
        let planned = Scaled {
            plan,
            beliefs,
            durations,
        };
        let scaled = match sites {
            Some(sites) => forecast::scale(planned, sites, self.seed, printer)?,
            None => planned,
        };
        let document = rehearse(scaled, self.seed, from_incident, hash).await?;
        printer.data(&document, || document.text());
        document.hints(printer);
        Ok(Exit::Success)
    }

    /// How many sites there would be, where another number is asked for.
    fn wanted_sites(&self) -> Result<Option<u32>, Failure> {
        let wanted = match (&self.plan, &self.sites) {
            (Some(_), Some(text)) => Some(text.parse().map_err(|_| {
                Failure::usage(format!("--sites {text}: a plan has its sites already"))
                    .hint("`--sites N` with a number forecasts as many sites of the same mix")
            })?),
            (Some(_) | None, _) => self.scale,
        };
        match wanted {
            Some(0) => Err(Failure::usage("there is nothing to forecast for no sites")),
            Some(_) | None => Ok(wanted),
        }
    }

    async fn plan(&self, global: &Global, printer: &Printer) -> Result<Plan, Failure> {
        if let Some(path) = &self.plan {
            return super::run::plan_file(path);
        }
        let required = || Failure::usage("neither a plan nor the options of one");
        let options = PlanOptions {
            estate: self.estate.clone().ok_or_else(required)?,
            runbook: self.runbook.clone().ok_or_else(required)?,
            at: self.at.clone().ok_or_else(required)?,
            sites: self.sites.clone().ok_or_else(required)?,
            incident_time: self.incident_time.clone(),
            keep_scratch: false,
            recover: self.recover,
        };
        let prepared = compile::from_options(&options, global, printer).await?;
        prepared.world.close().await;
        Ok(prepared.plan)
    }
}

/// Off the runtime's threads: it takes all cores for a while.
async fn rehearse(
    scaled: Scaled,
    seed: u64,
    from_incident: Option<f64>,
    hash: reprise_model::Digest,
) -> Result<Document, Failure> {
    let work = move || Document::new(&scaled, seed, from_incident, hash);
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Failure::internal("the rehearsal ended in a panic"))
}

/// What has passed since the incident, if it is known.
fn from_incident(plan: &Plan, now: Timestamp) -> Option<f64> {
    let incident = plan.incident_time?;
    Some(now.seconds_since(incident).max(0.0))
}

fn pool_change(text: &str) -> Result<(PoolName, u32), Failure> {
    let slots = |slots: &str| slots.parse().ok().filter(|slots| *slots > 0);
    let parsed = text.split_once('=');
    parsed
        .and_then(|(name, count)| Some((PoolName::new(name), slots(count)?)))
        .ok_or_else(|| {
            Failure::usage(format!(
                "--pool {text}: a name and a number of slots are wanted"
            ))
            .hint("`--pool load=16`")
        })
}

fn set_slots(plan: &mut Plan, name: &PoolName, slots: u32) -> Result<(), Failure> {
    if let Some(pool) = plan.pools.iter_mut().find(|pool| pool.name == *name) {
        pool.slots = slots;
        return Ok(());
    }
    let names: Vec<_> = plan.pools.iter().map(|pool| pool.name.as_str()).collect();
    let failure = Failure::usage(format!("--pool {name}={slots}: the plan has no such pool"));
    Err(match names.is_empty() {
        true => failure,
        false => failure.hint(format!(
            "it has {}: {}",
            format::plural(names.len() as u64, "pool"),
            names.join(", ")
        )),
    })
}
