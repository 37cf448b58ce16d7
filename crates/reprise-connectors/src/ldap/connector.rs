//! The connector: hands each action to the part that does it.

use async_trait::async_trait;
use reprise_model::{Action, Fault, Outcome};
use reprise_ports::{Call, Connector, Context, Inspect, Inspection, Probe};
use serde_json::Value;

use super::LdapConfig;

/// One store of kind `ldap`.
pub struct LdapConnector {
    config: LdapConfig,
}

impl LdapConnector {
    pub fn new(config: LdapConfig) -> Self {
        Self { config }
    }

    fn not_offered(&self, action: Action) -> Fault {
        Fault::permanent(format!(
            "store `{}` of kind `ldap` does not offer `{}`",
            self.config.store,
            action.as_str()
        ))
    }
}

#[async_trait]
impl Connector for LdapConnector {
    fn offers(&self) -> &'static [Action] {
        &[]
    }

    async fn inspect(&self, _inspect: &Inspect) -> Inspection {
        Inspection::default()
    }

    async fn perform(&self, call: &Call, _context: &dyn Context) -> Result<Outcome, Fault> {
        Err(self.not_offered(call.action))
    }

    async fn probe(
        &self,
        call: &Call,
        _mark: Option<&Value>,
        _context: &dyn Context,
    ) -> Result<Probe, Fault> {
        Err(self.not_offered(call.action))
    }

    async fn close(&self) {}
}
