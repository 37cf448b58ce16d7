//! What watches a run from outside: the log, spans for tracing systems,
//! metrics. All of it follows the journal's entries as the screen does, and
//! none of it can hold the run up.

mod events;
pub mod log;
mod metrics;
mod otlp;
mod tree;

use std::sync::Arc;

use reprise_model::{Plan, RunId};
use reprise_ports::Journal;
use reprise_report::{Display, SpanSink, Spans};

use crate::args::Watching;
use crate::failure::Failure;
use crate::printer::Printer;
use crate::screen::Screen;
use events::Events;
use metrics::{Metrics, Port};
use otlp::{Collector, Export};
use tree::Gardener;
pub use tree::Tree;

/// What was asked for, found to be possible before the run starts.
#[derive(Default)]
pub struct Telemetry {
    collector: Option<Collector>,
    port: Option<Port>,
}

impl Telemetry {
    pub fn prepare(watching: &Watching, printer: &Printer) -> Result<Self, Failure> {
        Ok(Self {
            collector: Collector::find(watching.otlp.as_deref(), printer)?,
            port: Port::take(watching.metrics.as_deref())?,
        })
    }

    /// Begins to watch a run.
    pub fn watch(self, run: &RunId, plan: &Arc<Plan>, printer: &Printer) -> Watch {
        let mut sinks: Vec<Box<dyn SpanSink>> = Vec::new();
        let mut displays: Vec<Box<dyn Display>> = Vec::new();
        let tree = Tree::grow(run.clone(), plan.clone());
        if let Some(tree) = &tree {
            displays.push(Box::new(Events::new(tree.clone(), printer.logs())));
            sinks.push(Box::new(Gardener(tree.clone())));
        }
        let export = self.collector.map(|collector| {
            let (export, sender) = collector.open(run.clone(), plan.clone());
            sinks.push(Box::new(sender));
            export
        });
        let metrics = self.port.map(|port| {
            let mut metrics = Metrics::new(run, plan.clone());
            sinks.push(Box::new(metrics.work()));
            (metrics, port)
        });
        // After the events, which are told inside the spans.
        if !sinks.is_empty() {
            displays.push(Box::new(Spans::new(sinks)));
        }
        Watch {
            displays,
            tree,
            metrics,
            export,
        }
    }
}

/// A run under watch, before its screen is there.
pub struct Watch {
    pub displays: Vec<Box<dyn Display>>,
    pub tree: Option<Arc<Tree>>,
    metrics: Option<(Metrics, Port)>,
    export: Option<Export>,
}

impl Watch {
    /// The journal to be used, which may be counted.
    pub fn meter(&mut self, journal: Arc<dyn Journal>) -> Arc<dyn Journal> {
        match &mut self.metrics {
            Some((metrics, _)) => metrics.meter(journal),
            None => journal,
        }
    }

    /// Serves what was asked for.
    pub fn serve(self, screen: &Arc<Screen>, printer: &Printer) -> Served {
        let server = self.metrics.and_then(|(metrics, port)| {
            let address = port.address();
            let served = metrics.serve(port, screen);
            match (served, address) {
                (Ok(server), Ok(address)) => {
                    printer.talk(&format!("metrics at http://{address}/metrics"));
                    Some(server)
                }
                (Err(error), _) | (_, Err(error)) => {
                    printer.warning(&format!("metrics are not served: {error}"), None);
                    None
                }
            }
        });
        Served {
            server,
            export: self.export,
        }
    }
}

/// What goes on beside the run.
pub struct Served {
    server: Option<metrics::Server>,
    export: Option<Export>,
}

impl Served {
    /// `at_once` waits for nobody.
    pub async fn finish(self, at_once: bool, printer: &Printer) {
        drop(self.server);
        if let Some(export) = self.export {
            export.finish(at_once, printer).await;
        }
    }
}
