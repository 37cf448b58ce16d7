//! How long a plan will take, from many rehearsals of it.
//!
//! Each rehearsal is one possible world: every task's duration is drawn from
//! what is thought of it ([`belief`]), and the engine runs the plan through
//! that world. The same worlds are used for every question of the kind "what
//! if", so that two answers differ by what was changed and by nothing else
//! (common random numbers). Nothing fails in a rehearsal, people answer gates
//! at once, and tasks are believed to take as long as ever however many run
//! side by side: a forecast is of the machine's part, undisturbed.

mod band;
mod belief;
mod binding;
mod scale;
mod worlds;

use reprise_model::{Plan, PoolName, SiteId};
use serde::Serialize;

pub use band::{Band, Spread};
pub use belief::{Belief, Beliefs};
pub(crate) use belief::{Chance, duration};
pub use binding::{Binding, Share};
pub use scale::{proportional, scaled};

use worlds::Worlds;

/// Rehearsals, where the plan is not too large for so many.
const WORLDS: u32 = 200;

/// Rehearsals at least, and for each question of what a change would bring.
const FEWEST: u32 = 12;
const FOR_CHANGES: u32 = 24;

/// Tasks that are rehearsed for the bands, and for each change: a bound on
/// the time that a forecast takes, of a few seconds.
const TASKS_AT_MOST: usize = 8_000_000;
const TASKS_FOR_A_CHANGE: usize = 2_000_000;

/// What many rehearsals of a plan came to. Seconds count from the start.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Forecast {
    /// Rehearsals behind the bands.
    pub rehearsals: u32,
    /// Until the last site is handed over.
    pub recovery: Spread,
    /// Until the last task has ended: dropped scratch included.
    pub whole: Spread,
    /// Share of the rehearsals within the objective, where there is one.
    pub within_rto: Option<f64>,
    pub waves: Vec<WaveForecast>,
    pub sites: Vec<SiteForecast>,
    /// Where the time goes, in the rehearsal with the median recovery time.
    pub bound_by: Vec<Share>,
    /// The same rehearsal, pool by pool.
    pub pools: Vec<PoolForecast>,
    /// What changes would bring, the best first.
    pub changes: Vec<Gain>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct WaveForecast {
    pub wave: u32,
    pub sites: u32,
    /// Until its last site is handed over.
    pub done: Spread,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SiteForecast {
    pub site: SiteId,
    pub wave: u32,
    pub handover: Spread,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct PoolForecast {
    pub pool: PoolName,
    pub slots: u32,
    pub rate_per_second: Option<f64>,
    pub tasks: u32,
    /// Of the slots' time until the last hand-over, how much was used: 0 to 1.
    pub busy: f64,
    /// Seconds that a task waited for it, on average.
    pub waited: f64,
}

/// One change to the plan.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// Twice the slots of a pool.
    Pool { pool: PoolName, slots: u32 },
    /// Twice the rate of a pool.
    Rate {
        pool: PoolName,
        rate_per_second: f64,
    },
    /// Twice the slots over all pools.
    Slots { slots: u32 },
    /// Everything in one wave.
    NoWaves,
}

/// What a change brings, on average over the same worlds.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Gain {
    #[serde(flatten)]
    pub change: Change,
    /// Seconds of recovery time that it saves.
    pub seconds: f64,
    /// Of the recovery time without it, from 0 to 1.
    pub share: f64,
}

/// Rehearses the plan; `seed` decides about the worlds. `from_incident` is
/// what has passed since the incident and counts against the objective.
pub fn forecast(plan: &Plan, beliefs: &Beliefs, seed: u64, from_incident: f64) -> Forecast {
    let worlds = Worlds::new(beliefs, seed);
    let rehearsals = affordable(plan, TASKS_AT_MOST, WORLDS);
    let outcomes = worlds.rehearse(plan, rehearsals);
    let recovery: Vec<f64> = outcomes.iter().map(|outcome| outcome.recovery).collect();
    let rto = plan.objectives.rto.map(|rto| rto.0.as_secs_f64());
    let within = |rto: f64| {
        let met = recovery.iter().filter(|took| **took + from_incident <= rto);
        met.count() as f64 / recovery.len() as f64
    };
    let median = worlds::nearest(&recovery, Spread::of(recovery.clone()).median);
    let course = worlds.course(plan, median);
    Forecast {
        rehearsals,
        within_rto: rto.map(within),
        whole: Spread::of(outcomes.iter().map(|outcome| outcome.makespan).collect()),
        waves: (0..plan.waves.len())
            .map(|wave| WaveForecast {
                wave: u32::try_from(wave).expect("few waves"),
                sites: plan.waves[wave],
                done: Spread::of(outcomes.iter().map(|one| one.waves[wave]).collect()),
            })
            .collect(),
        sites: (0..plan.sites.len())
            .map(|site| SiteForecast {
                site: plan.sites[site].id.clone(),
                wave: plan.sites[site].wave,
                handover: Spread::of(outcomes.iter().map(|one| one.site(site)).collect()),
            })
            .collect(),
        bound_by: binding::shares(plan, &course),
        pools: worlds::pools(plan, &course),
        changes: gains(plan, &worlds, &recovery),
        recovery: Spread::of(recovery),
    }
}

/// As many rehearsals as the bound on tasks allows.
fn affordable(plan: &Plan, tasks: usize, most: u32) -> u32 {
    let fit = tasks / plan.tasks.len().max(1);
    u32::try_from(fit).unwrap_or(u32::MAX).clamp(FEWEST, most)
}

/// Every single change, in the first of the worlds.
fn gains(plan: &Plan, worlds: &Worlds<'_>, recovery: &[f64]) -> Vec<Gain> {
    let few = affordable(plan, TASKS_FOR_A_CHANGE, FOR_CHANGES);
    let without = &recovery[..recovery.len().min(few as usize)];
    let mut gains: Vec<_> = changes(plan)
        .into_iter()
        .map(|(change, changed)| {
            let outcomes = worlds.rehearse(&changed, few);
            let saved = without.iter().zip(&outcomes);
            let saved: f64 = saved.map(|(without, with)| without - with.recovery).sum();
            Gain {
                change,
                seconds: saved / without.len().max(1) as f64,
                share: saved / without.iter().sum::<f64>().max(f64::MIN_POSITIVE),
            }
        })
        .collect();
    gains.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    gains
}

fn changes(plan: &Plan) -> Vec<(Change, Plan)> {
    let mut changes = Vec::new();
    let used = |pool: &PoolName| {
        plan.steps
            .iter()
            .any(|step| step.pool.as_ref() == Some(pool))
    };
    for (place, pool) in plan.pools.iter().enumerate() {
        if !used(&pool.name) {
            continue;
        }
        let name = || pool.name.clone();
        let slots = pool.slots.saturating_mul(2);
        let mut changed = plan.clone();
        changed.pools[place].slots = slots;
        changes.push((
            Change::Pool {
                pool: name(),
                slots,
            },
            changed,
        ));
        if let Some(rate) = pool.rate_per_second {
            let rate_per_second = rate * 2.0;
            let mut changed = plan.clone();
            changed.pools[place].rate_per_second = Some(rate_per_second);
            let pool = name();
            let change = Change::Rate {
                pool,
                rate_per_second,
            };
            changes.push((change, changed));
        }
    }
    if let Some(slots) = plan.slots {
        let slots = slots.saturating_mul(2);
        let mut changed = plan.clone();
        changed.slots = Some(slots);
        changes.push((Change::Slots { slots }, changed));
    }
    if plan.waves.len() > 1 {
        let mut changed = plan.clone();
        changed.waves = vec![plan.waves.iter().sum()];
        changed.sites.iter_mut().for_each(|site| site.wave = 0);
        changes.push((Change::NoWaves, changed));
    }
    changes
}
