use std::path::{Path, PathBuf};

use clap::Args;
use reprise_model::{Exit, Plan};
use reprise_plan::graph;
use reprise_report::format;

use crate::args::{Global, PlanOptions};
use crate::failure::Failure;
use crate::printer::Printer;
use crate::{compile, confirm};

/// Compile estate, runbook, sites and T into one plan, and show it
///
/// The plan is a value: printed, written to a file, executed by `reprise run
/// PLAN.json` exactly as it is. Nothing is changed but scratch, where the
/// catalogue is recovered to T to read the list of sites as it was.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  reprise plan -e estate.yaml -r runbook.yaml --at 2026-03-01T12:00:00Z --sites @deleted.txt \\
               -o plan.json
  reprise plan -e estate.yaml -r runbook.yaml --at 2026-03-01T12:00:00Z --sites customer=acme \\
               --graph plan.svg")]
pub struct PlanCommand {
    #[command(flatten)]
    options: PlanOptions,
    /// Write the plan to this file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Draw the plan; the ending decides: .svg, .dot or .mmd
    #[arg(long, value_name = "FILE")]
    graph: Option<PathBuf>,
}

impl PlanCommand {
    pub async fn perform(self, global: &Global, printer: &Printer) -> Result<Exit, Failure> {
        let draw = self.graph.as_deref().map(drawing).transpose()?;
        let prepared = compile::from_options(&self.options, global, printer).await?;
        prepared.world.close().await;
        let plan = &prepared.plan;
        if let Some(path) = &self.output {
            write(
                path,
                &serde_json::to_string(plan).expect("a plan is plain data"),
            )?;
        }
        if let (Some(path), Some(draw)) = (&self.graph, draw) {
            write(path, &draw(plan))?;
        }
        printer.data(plan, || text(plan));
        match &self.output {
            Some(path) => printer.hint(&format!("`reprise run {}` executes it", path.display())),
            None => printer.hint("`-o plan.json` keeps it, `reprise run plan.json` executes it"),
        }
        Ok(Exit::Success)
    }
}

type Draw = fn(&Plan) -> String;

fn drawing(path: &Path) -> Result<Draw, Failure> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("svg") => Ok(graph::svg),
        Some("dot") => Ok(graph::dot),
        Some("mmd") => Ok(graph::mermaid),
        Some(_) | None => Err(Failure::usage(format!(
            "--graph {}: the ending is none of .svg, .dot, .mmd",
            path.display()
        ))),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text)
        .map_err(|error| Failure::refused(format!("{} cannot be written: {error}", path.display())))
}

/// Steps with their tasks, and what was left out and why.
fn text(plan: &Plan) -> String {
    let mut text = confirm::describe(plan);
    let width = plan
        .steps
        .iter()
        .map(|step| step.name.as_str().chars().count())
        .max();
    let width = width.unwrap_or(0).max(4);
    let mut counts = vec![0_u64; plan.steps.len()];
    for task in &plan.tasks {
        counts[task.step as usize] += 1;
    }
    text.push_str(&format!(
        "\n\n{:<width$}  {:>7}  {:<10}  {:<10}  needs",
        "step", "tasks", "action", "pool"
    ));
    for (step, count) in plan.steps.iter().zip(counts) {
        let needs: Vec<_> = step.needs.iter().map(|need| need.as_str()).collect();
        let pool = step.pool.as_ref().map_or("-", |pool| pool.as_str());
        let line = format!(
            "\n{:<width$}  {:>7}  {:<10}  {pool:<10}  {}",
            step.name,
            format::count(count),
            step.action.as_str(),
            needs.join(", ")
        );
        text.push_str(line.trim_end_matches(' '));
    }
    not_planned(plan, &mut text);
    text
}

/// Left-out tasks that are listed before the rest is counted.
const LISTED: usize = 20;

fn not_planned(plan: &Plan, text: &mut String) {
    if plan.not_planned.is_empty() {
        return;
    }
    text.push_str("\n\nnot planned");
    for left_out in plan.not_planned.iter().take(LISTED) {
        text.push_str(&format!("\n  {}: {}", left_out.task, left_out.why));
    }
    if plan.not_planned.len() > LISTED {
        text.push_str(&format!(
            "\n  ... and {} more",
            plan.not_planned.len() - LISTED
        ));
    }
}
