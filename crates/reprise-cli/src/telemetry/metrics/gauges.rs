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
        // Until a run is taken up, an earlier plan of it may be in force.
        let known = |task: &&TaskIx| task.get() < plan.tasks.len();
        let measured = self.recoveries.iter().filter(known).filter_map(|task| {
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
        (
            one("state", "outstanding"),
            all.saturating_sub(settled + failed),
        ),
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

#[cfg(test)]
mod tests {
    use clap::Parser;
    use prometheus_client::encoding::text;
    use prometheus_client::registry::Registry;
    use reprise_model::{
        AttemptEnd, AttemptId, Entry, Event, Outcome, RecoveryPoint, Seq, Timestamp,
    };
    use reprise_runner::Observer;
    use reprise_sim::{Sample, plan};

    use super::*;
    use crate::args::Cli;
    use crate::printer::Printer;

    fn screen(plan: Arc<Plan>) -> Arc<Screen> {
        let cli = Cli::try_parse_from(["reprise", "--log-format", "json", "runs"]).unwrap();
        Screen::new(plan, Vec::new(), None, &Printer::new(&cli.global))
    }

    fn page(registry: &Registry) -> String {
        let mut page = String::new();
        text::encode(&mut page, registry).unwrap();
        page
    }

    #[test]
    fn a_measured_recovery_point_has_an_age_and_a_run_that_is_over_says_nothing() {
        let plan = Arc::new(plan(Sample {
            sites: 2,
            shards: 1,
            waves: 1,
            gates: false,
            halt_above: None,
        }));
        let screen = screen(plan.clone());
        let mut registry = Registry::with_prefix("reprise");
        registry.register_collector(Box::new(Gauges::new(&plan, &screen)));
        let age = |page: &str| {
            let mut lines = page.lines();
            let line = lines.find(|line| line.starts_with("reprise_recovery_point_age_seconds{"));
            line.map(str::to_owned)
        };
        assert_eq!(age(&page(&registry)), None);

        let recovers = |task: &TaskIx| plan.step_of(*task).action == Action::Recover;
        let task = plan.ixs().find(recovers).unwrap();
        let attempt = AttemptId { task, number: 1 };
        let t = plan.target_time.as_micros();
        let outcome = Outcome {
            recovery_point: Some(RecoveryPoint {
                point: Timestamp::from_micros(t - 90_000_000),
                last_before: None,
                first_after: None,
                basis: "a test".to_owned(),
            }),
            ..Outcome::default()
        };
        let end = AttemptEnd::Done(outcome);
        let again = None;
        let events = [
            Event::Started { attempt },
            Event::Ended {
                attempt,
                end,
                again,
            },
        ];
        let entries: Vec<_> = (0..)
            .zip(events)
            .map(|(seq, event)| Entry {
                seq: Seq(seq),
                at: plan.target_time,
                event,
            })
            .collect();
        screen.entries(&entries);
        let shard = plan.shard_of(task).unwrap();
        let expect = format!(
            "reprise_recovery_point_age_seconds{{store=\"{}\",shard=\"{}\"}} 90.0",
            shard.store, shard.shard
        );
        assert_eq!(age(&page(&registry)), Some(expect));
        drop(screen);
        assert_eq!(page(&registry), "# EOF\n");
    }
}
