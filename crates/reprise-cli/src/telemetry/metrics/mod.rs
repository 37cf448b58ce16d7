//! Prometheus metrics of a run, on a loopback port.
//!
//! Counters and durations are of this process, as Prometheus expects them;
//! gauges are read from the state of the run when somebody asks. No label
//! names a site or a task: there are as many series for a million tasks as
//! for ten.

mod gauges;
mod journal;
mod server;
mod work;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use reprise_model::{Exit, Plan, RunId};
use reprise_ports::Journal;

use self::gauges::Gauges;
use self::journal::Metered;
pub use self::server::Server;
use self::work::Work;
use crate::failure::Failure;
use crate::screen::Screen;

/// A port that was asked for and is ours, before the run is known.
pub struct Port(TcpListener);

impl Port {
    /// None unless the option names one. The port is taken at once, so that a
    /// run does not start without it.
    pub fn take(option: Option<&str>) -> Result<Option<Self>, Failure> {
        let Some(option) = option else {
            return Ok(None);
        };
        let address = address(option)?;
        let taken = TcpListener::bind(address).and_then(|port| {
            port.set_nonblocking(true)?;
            Ok(port)
        });
        let port = taken.map_err(|error| {
            Failure::new(
                Exit::Refused,
                format!("metrics cannot be served at {address}: {error}"),
            )
            .hint("another run may be served there: name another port, or 0 for any that is free")
        })?;
        Ok(Some(Self(port)))
    }

    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// Whoever reaches the port may read what the run does, so that it is for
/// this machine alone.
fn address(option: &str) -> Result<SocketAddr, Failure> {
    let hint = "such as `--metrics 127.0.0.1:9464`; a proxy can make it known elsewhere";
    let address: SocketAddr = option.parse().map_err(|_| {
        Failure::usage(format!("--metrics: `{option}` is no address with a port")).hint(hint)
    })?;
    match address.ip().is_loopback() {
        true => Ok(address),
        false => Err(Failure::usage(format!(
            "--metrics: {} is not a loopback address, and metrics are served without a password",
            address.ip()
        ))
        .hint(hint)),
    }
}

/// The metrics of one run.
pub struct Metrics {
    registry: Registry,
    plan: Arc<Plan>,
}

impl Metrics {
    pub fn new(run: &RunId, plan: Arc<Plan>) -> Self {
        let mut registry = Registry::with_prefix("reprise");
        let info = Info::new([
            ("run", run.to_string()),
            ("runbook", plan.runbook.name.clone()),
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ]);
        registry.register("run", "The run that this process executes", info);
        let objectives = [
            (
                "rto",
                "Objective for the recovery time",
                plan.objectives.rto,
            ),
            ("rpo", "Objective for the loss", plan.objectives.rpo),
        ];
        for (name, help, objective) in objectives {
            if let Some(objective) = objective {
                let gauge: Gauge<f64, std::sync::atomic::AtomicU64> = Gauge::default();
                gauge.set(objective.0.as_secs_f64());
                registry.register_with_unit(name, help, Unit::Seconds, gauge);
            }
        }
        Self { registry, plan }
    }

    /// Counts what attempts come to.
    pub fn work(&mut self) -> Work {
        Work::register(self.plan.clone(), &mut self.registry)
    }

    /// The journal, with its commits counted.
    pub fn meter(&mut self, journal: Arc<dyn Journal>) -> Arc<dyn Journal> {
        Arc::new(Metered::register(journal, &mut self.registry))
    }

    /// Answers from now on, until it is dropped.
    pub fn serve(mut self, port: Port, screen: &Arc<Screen>) -> std::io::Result<Server> {
        let gauges = Gauges::new(&self.plan, screen);
        self.registry.register_collector(Box::new(gauges));
        Server::start(port.0, self.registry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_served() {
        let check = |option, expect: Result<&str, &str>| {
            let found = address(option).map(|address| address.to_string());
            let found = found.map_err(|failure| failure.message);
            match expect {
                Ok(expect) => assert_eq!(found.as_deref(), Ok(expect)),
                Err(part) => assert!(found.unwrap_err().contains(part), "{option}"),
            }
        };
        check("127.0.0.1:9464", Ok("127.0.0.1:9464"));
        check("[::1]:0", Ok("[::1]:0"));
        check("0.0.0.0:9464", Err("0.0.0.0 is not a loopback address"));
        check("[::]:9464", Err("not a loopback address"));
        check("192.0.2.7:9464", Err("not a loopback address"));
        check("9464", Err("no address with a port"));
    }
}
