//! A world in which every task costs nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use reprise_model::{Action, Fault, Outcome, StoreId};
use reprise_ports::{Call, Connector, Context, Inspect, Inspection, Probe};
use reprise_runner::World;
use serde_json::Value;

struct Noop;

pub fn world() -> World {
    let noop: Arc<dyn Connector> = Arc::new(Noop);
    let stores = BTreeMap::from([(StoreId::from("catalogue"), noop.clone())]);
    World::of(stores, noop.clone(), noop)
}

#[async_trait]
impl Connector for Noop {
    fn offers(&self) -> &'static [Action] {
        &[Action::Exec]
    }

    async fn inspect(&self, _: &Inspect) -> Inspection {
        Inspection::default()
    }

    async fn perform(&self, _: &Call, _: &dyn Context) -> Result<Outcome, Fault> {
        Ok(Outcome::default())
    }

    async fn probe(&self, _: &Call, _: Option<&Value>, _: &dyn Context) -> Result<Probe, Fault> {
        Ok(Probe::NotYet)
    }

    async fn close(&self) {}
}
