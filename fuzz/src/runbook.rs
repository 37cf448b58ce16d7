//! `runbook.yaml`: any text is a runbook or a list of mistakes, and a plan of
//! one that was accepted is one that the engine can run.

use std::sync::Arc;

use reprise_plan::verify_plan;
use reprise_spec::{
    Environment, check_runbook_against, digest_of_runbook, missing_step_variables, parse_runbook,
};

use crate::choices::Choices;
use crate::{drive, sample, shown};

pub fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let runbook = match parse_runbook(text, sample::path()) {
        Ok(runbook) => runbook,
        Err(found) => {
            shown::diagnostics(&found);
            return;
        }
    };
    let _ = digest_of_runbook(&runbook);
    let none: [(&str, &str); 0] = [];
    let _ = missing_step_variables(&runbook, &Environment::new(none));
    if let Err(found) = check_runbook_against(&runbook, sample::estate(), text, sample::path()) {
        shown::diagnostics(&found);
    }
    if let Ok(plan) = sample::plan_of(sample::estate(), &runbook) {
        if let Err(fault) = verify_plan(&plan) {
            panic!("a plan was compiled that is not accepted: {fault}");
        }
        drive::run(&Arc::new(plan), &mut Choices::new(data));
    }
}
