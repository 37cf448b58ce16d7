//! `exec`: any program as a task. The protocol is in `docs/design/exec.md`.
//!
//! If reprise dies, the kernel sends the program SIGTERM; a program it
//! started in turn may live on. There is no probe: after a crash the program
//! is run again with the same idempotency key.

mod listen;
mod process;
mod protocol;

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;
use reprise_model::{Action, Fault, Outcome};
use reprise_ports::{Call, Connector, Context, Inspect, Inspection, Probe};
use serde::Deserialize;
use serde_json::{Value, json};

pub use listen::hear;

use super::resolve::{Resolver, Secrets};

/// What a program gets of our own environment.
const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

pub struct ExecConnector {
    base: PathBuf,
    environment: BTreeMap<String, String>,
    resolver: Resolver,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    command: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
}

impl ExecConnector {
    /// Relative commands start from `base`, where programs run too. Of
    /// `environment`, they see `PATH`, `HOME`, `LANG` and `TZ`.
    pub fn new(
        base: PathBuf,
        environment: impl IntoIterator<Item = (String, String)>,
        resolver: Resolver,
    ) -> Self {
        let environment = environment
            .into_iter()
            .filter(|(name, _)| INHERITED.contains(&name.as_str()))
            .collect();
        Self {
            base,
            environment,
            resolver,
        }
    }

    fn job(&self, call: &Call) -> Result<process::Job, Fault> {
        let options: Options = serde_json::from_value(Value::Object(call.with.clone()))
            .map_err(|error| Fault::permanent(format!("the options of exec: {error}")))?;
        let Some((program, arguments)) = options.command.split_first() else {
            return Err(Fault::permanent("the options of exec: `command` is empty"));
        };
        let mut secrets = Secrets::default();
        let mut environment = self.environment.clone();
        for (name, text) in options.env {
            let value = secrets
                .fill(&text, &self.resolver)
                .map_err(|why| Fault::permanent(format!("env {name}: {why}")))?;
            environment.insert(name, value);
        }
        // As in a shell: a name alone is looked up in PATH.
        let path = match program.contains('/') {
            true => self.base.join(program),
            false => PathBuf::from(program),
        };
        Ok(process::Job {
            path,
            arguments: arguments.to_vec(),
            folder: self.base.clone(),
            environment,
            input: input(call),
            secrets,
        })
    }
}

/// The task as the program sees it.
fn input(call: &Call) -> Vec<u8> {
    let site = call
        .site
        .as_ref()
        .map(|site| json!({ "id": site.id, "attributes": site.attributes }));
    let input = json!({
        "version": 1,
        "run": call.run,
        "task": call.task,
        "site": site,
        "target_time": call.target_time,
        "attempt": call.attempt.number,
        "idempotency_key": call.idempotency_key,
        "outputs": call.outputs,
    });
    let mut bytes = serde_json::to_vec(&input).expect("a task is plain data");
    bytes.push(b'\n');
    bytes
}

#[async_trait]
impl Connector for ExecConnector {
    fn offers(&self) -> &'static [Action] {
        &[Action::Exec]
    }

    async fn inspect(&self, _inspect: &Inspect) -> Inspection {
        Inspection::default()
    }

    async fn perform(&self, call: &Call, context: &dyn Context) -> Result<Outcome, Fault> {
        process::run(self.job(call)?, context).await
    }

    async fn probe(
        &self,
        _call: &Call,
        _mark: Option<&Value>,
        _context: &dyn Context,
    ) -> Result<Probe, Fault> {
        Ok(Probe::Unknown {
            why: "a program cannot be asked whether it has done its work".to_owned(),
        })
    }

    async fn close(&self) {}
}

#[cfg(test)]
mod tests;
