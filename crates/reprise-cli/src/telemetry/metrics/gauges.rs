//! How the run stands, read when somebody asks.

use std::fmt;
use std::sync::{Arc, Weak};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, EncodeMetric,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use reprise_model::{Action, Plan, TaskIx, TaskState};
use reprise_report::Fold;

use crate::screen::Screen;

pub(super) struct Gauges {
    screen: Weak<Screen>,
    /// The tasks whose outcome tells a recovery point.
    recoveries: Vec<TaskIx>,
}

impl Gauges {
    pub fn new(plan: &Plan, screen: &Arc<Screen>) -> Self {
        let recovers = |task: &TaskIx| plan.step_of(*task).action == Action::Recover;
        Self {
            screen: Arc::downgrade(screen),
            recoveries: plan.ixs().filter(recovers).collect(),
        }
    }

    fn recovery_points(&self, fold: &Fold) -> Vec<([(&'static str, String); 2], f64)> {
        let plan = fold.plan();
        let measured = self.recoveries.iter().filter_map(|task| {
            let outcome = fold.record(*task).outcome.as_ref()?;
            let point = outcome.recovery_point.as_ref()?.point;
            let shard = plan.shard_of(*task)?;
            let labels = [
                ("store", shard.store.to_string()),
                ("shard", shard.shard.to_string()),
            ];
            Some((labels, plan.target_time.seconds_since(point)))
        });
        measured.collect()
    }

    fn encode(&self, fold: &Fold, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let tasks = TaskState::ALL.map(|state| (one("state", state.as_str()), fold.count(state)));
        family(encoder, "tasks", "Tasks by state", None, tasks)?;
        family(
            encoder,
            "sites",
            "Sites by how they stand",
            None,
            sites(fold),
        )?;
        let open = fold
            .waves()
            .iter()
            .filter(|wave| wave.open && wave.settled + wave.failed < wave.sites);
        let help = "Waves that are open and not through";
        single(encoder, "waves_open", help, open.count() as u64)?;
        let gates = fold.open_gates().count() as u64;
        single(encoder, "gates_open", "Gates that wait for a person", gates)?;
        let halted = u64::from(fold.halted().is_some());
        single(
            encoder,
            "halted",
            "1 when no further wave is started",
            halted,
        )?;
        pools(fold, encoder)?;
        family(
            encoder,
            "recovery_point_age",
            "How far before the target time a shard was recovered to, measured",
            Some(&Unit::Seconds),
            self.recovery_points(fold),
        )
    }
}

fn one(name: &'static str, value: &str) -> [(&'static str, String); 1] {
    [(name, value.to_owned())]
}

fn sites(fold: &Fold) -> [([(&'static str, String); 1], u32); 3] {
    let (mut settled, mut failed) = (0, 0);
    for wave in fold.waves() {
        settled += wave.settled;
        failed += wave.failed;
    }
    let all = u32::try_from(fold.plan().sites.len()).unwrap_or(u32::MAX);
    [
        (one("state", "outstanding"), all - settled - failed),
        (one("state", "settled"), settled),
        (one("state", "failed"), failed),
    ]
}

fn pools(fold: &Fold, encoder: &mut DescriptorEncoder) -> fmt::Result {
    let uses = fold.pools();
    let of = |number: fn(&reprise_report::PoolUse) -> u32| {
        uses.iter()
            .map(move |pool| (one("pool", pool.name.as_str()), number(pool)))
    };
    let slots = of(|pool| pool.slots);
    family(encoder, "pool_slots", "Slots of a pool", None, slots)?;
    let in_use = of(|pool| pool.in_use);
    let help = "Slots of a pool that an attempt holds";
    family(encoder, "pool_slots_in_use", help, None, in_use)?;
    let queued = of(|pool| pool.queued);
    let help = "Tasks that could start and want a slot, or wait for a retry";
    family(encoder, "pool_queued", help, None, queued)
}

fn single(encoder: &mut DescriptorEncoder, name: &str, help: &str, value: u64) -> fmt::Result {
    let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    ConstGauge::new(value).encode(metric)
}

fn family<L: EncodeLabelSet, V: EncodeGaugeValue>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    values: impl IntoIterator<Item = (L, V)>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
    for (labels, value) in values {
        metric.encode_family(&labels)?.encode_gauge(&value)?;
    }
    Ok(())
}

impl Collector for Gauges {
    /// A run that is over has nothing to say.
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let Some(screen) = self.screen.upgrade() else {
            return Ok(());
        };
        screen.look(|fold| self.encode(fold, &mut encoder))
    }
}

impl fmt::Debug for Gauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gauges").finish_non_exhaustive()
    }
}
