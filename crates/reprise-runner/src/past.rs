//! A run's journal so far, taken in as it is read.

use std::ops::ControlFlow;
use std::sync::Arc;

use reprise_engine::{Replay, ReplayError};
use reprise_model::Entry;

use crate::call::Outputs;
use crate::observer::Observer;
use crate::succession::note;

/// What earlier coordinators left, taken in as it is read.
pub(crate) struct Past {
    pub replay: Replay,
    pub outputs: Outputs,
    pub observer: Arc<dyn Observer>,
    pub fault: Option<ReplayError>,
}

impl Past {
    pub fn take(&mut self, entries: Vec<Entry>) -> ControlFlow<()> {
        for entry in &entries {
            let plan = self.replay.plan().clone();
            if let Err(fault) = self.replay.feed(entry) {
                self.fault = Some(fault);
                return ControlFlow::Break(());
            }
            note(&mut self.outputs, &plan, self.replay.plan(), entry);
        }
        self.observer.history(entries);
        ControlFlow::Continue(())
    }
}
