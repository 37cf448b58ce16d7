//! The plan file: any JSON is refused or is a plan that can be drawn, linted
//! and run to any end. The hash is made to fit, or nothing would get further.

use std::sync::Arc;

use reprise_model::Plan;
use reprise_plan::shape::{Shape, critical_path, lower_bound};
use reprise_plan::{graph, lint_plan, verify_plan};
use serde_json::Value;

use crate::choices::Choices;
use crate::mutate::mutate;
use crate::{drive, sample};

/// Beyond, only the layout of pictures gets slower.
const TASKS: usize = 300;

pub fn target(data: &[u8]) {
    // A file as somebody would hand it in, or choices that change a good one.
    let (file, choices) = match data.iter().position(|byte| *byte == b'\n') {
        Some(at) if data.starts_with(b"{") => {
            (serde_json::from_slice(&data[..at]).ok(), &data[at..])
        }
        Some(_) | None => (None, data),
    };
    let mut choices = Choices::new(choices);
    let mut file: Value =
        file.unwrap_or_else(|| serde_json::to_value(&*sample::plan()).expect("it is plain data"));
    mutate(&mut file, &mut choices);
    let Ok(plan) = serde_json::from_value::<Plan>(file) else {
        return;
    };
    let plan = plan.sealed();
    if plan.tasks.len() > TASKS || verify_plan(&plan).is_err() {
        return;
    }
    let _ = (Shape::of(&plan), critical_path(&plan), lower_bound(&plan));
    let _ = (graph::svg(&plan), graph::dot(&plan), graph::mermaid(&plan));
    let _ = lint_plan(&plan);
    drive::run(&Arc::new(plan), &mut choices);
}
