//! `check.consistency`: holds the recovery points of all of a site's slices
//! against the target time. It looks at nothing but what the runner hands it
//! from the journal, and so it needs no store.

use async_trait::async_trait;
use reprise_model::{Action, Check, Fault, FaultKind, Moment, Outcome, SlicePoint, Verdict};
use reprise_ports::{Call, Connector, Context, Inspect, Inspection, Probe};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug)]
pub struct ConsistencyConnector;

/// What the runner puts into the options of the call: the step has none.
#[derive(Deserialize)]
struct Given {
    moment: Moment,
    slices: Vec<SlicePoint>,
}

fn examine(call: &Call) -> Result<Outcome, Fault> {
    let site = call.site.as_ref().ok_or_else(|| {
        Fault::permanent("check.consistency is about one site, and this task has none")
    })?;
    let given = Value::Object(call.with.clone());
    let given: Given = serde_json::from_value(given)
        .map_err(|error| Fault::permanent(format!("the recovery points of the site: {error}")))?;
    let (verdict, evidence) = given.moment.judge(&given.slices);
    let differences = match evidence.differences.as_slice() {
        [] => "nothing of it was restored or verified before".to_owned(),
        differences => differences.join("; "),
    };
    let check = Check {
        name: "consistency".to_owned(),
        verdict,
        evidence: json!(evidence),
    };
    if verdict == Verdict::Pass {
        return Ok(Outcome {
            checks: vec![check],
            ..Outcome::default()
        });
    }
    let what = match verdict {
        Verdict::Unknown => "is not known to be at one moment",
        Verdict::Fail | Verdict::Pass => "is not at one moment",
    };
    let message = format!("site {} {what}: {differences}", site.id);
    let mut fault = Fault::new(FaultKind::Validation, message);
    fault.checks = vec![check];
    Err(fault.hint("plan the site again at a time that every one of its stores reaches"))
}

#[async_trait]
impl Connector for ConsistencyConnector {
    fn offers(&self) -> &'static [Action] {
        &[Action::CheckConsistency]
    }

    async fn inspect(&self, _inspect: &Inspect) -> Inspection {
        Inspection::default()
    }

    async fn perform(&self, call: &Call, _context: &dyn Context) -> Result<Outcome, Fault> {
        examine(call)
    }

    /// To look again costs nothing.
    async fn probe(
        &self,
        _call: &Call,
        _mark: Option<&Value>,
        _context: &dyn Context,
    ) -> Result<Probe, Fault> {
        Ok(Probe::NotYet)
    }

    async fn close(&self) {}
}
