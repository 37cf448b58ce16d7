use std::path::PathBuf;

use clap::Args;
use reprise_model::{Exit, Timestamp};
use reprise_plan::Warning;
use reprise_ports::{Finding, Level};
use reprise_report::format;
use serde::Serialize;

use crate::args::Global;
use crate::failure::Failure;
use crate::printer::Printer;
use crate::{compile, inputs, survey};

/// Look at everything that can be known before starting, and change nothing
///
/// Files, connections, rights, backups that reach T, drift of the schema,
/// tables that nobody owns, space. Every finding says what was looked at; `-v`
/// and `--json` show those that are in order too. What only the recovered
/// shard can tell is said to come later.
/// Exit code 0: no error. 3: a file is invalid. 8: something would make the
/// restore fail, or could not be looked at.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  reprise check -e estate.yaml
  reprise check -e estate.yaml -r runbook.yaml --at 2026-03-01T12:00:00Z --json")]
pub struct Check {
    /// The estate: stores, shards, backups, live ends
    #[arg(short, long, value_name = "FILE")]
    estate: PathBuf,
    /// The runbook to hold against the estate
    #[arg(short, long, value_name = "FILE")]
    runbook: Option<PathBuf>,
    /// The moment that backups must reach: RFC 3339 with `Z` or an offset
    #[arg(long, value_name = "T")]
    at: Option<String>,
    /// Bring every shard to T in scratch, which proves the backups and shows
    /// drift of the schema; it takes as long as the recoveries do
    #[arg(long, requires = "at")]
    recover: bool,
}

#[derive(Serialize)]
struct Checked {
    version: u32,
    estate: String,
    target_time: Option<Timestamp>,
    findings: Vec<Finding>,
    lint: Vec<Warning>,
    errors: usize,
    unknown: usize,
    warnings: usize,
}

impl Check {
    pub async fn perform(self, global: &Global, printer: &Printer) -> Result<Exit, Failure> {
        let now = inputs::now();
        let target_time = self
            .at
            .as_deref()
            .map(|text| inputs::target_time("--at", text, now))
            .transpose()?;
        let file = inputs::estate(&self.estate)?;
        let lint = match &self.runbook {
            Some(path) => {
                let runbook = inputs::runbook(path, &file.estate)?;
                reprise_plan::lint(&runbook.runbook, &file.estate)
            }
            None => Vec::new(),
        };
        let environment = inputs::environment(global.env_file.as_deref())?;
        let world = survey::open_world(&file.estate, &environment, &global.state, false)?;
        let shards: Vec<_> = file
            .estate
            .stores
            .iter()
            .flat_map(survey::of_store)
            .collect();
        let recovered = match target_time {
            Some(at) if self.recover => {
                survey::recover(&world, &file.estate, at, &shards, printer).await
            }
            Some(_) | None => Ok(()),
        };
        let inspected = survey::inspect(&world, shards, target_time).await;
        world.close().await;
        recovered?;
        let checked = Checked {
            version: 1,
            estate: file.estate.name.clone(),
            target_time,
            errors: inspected.count(Level::Error),
            unknown: inspected.count(Level::Unknown),
            warnings: inspected.count(Level::Warning) + lint.len(),
            findings: inspected.findings,
            lint,
        };
        printer.data(&checked, || text(&checked, global.verbose > 0));
        compile::stop_at_errors(&checked.lint)?;
        Ok(if checked.errors + checked.unknown > 0 {
            Exit::Refused
        } else {
            Exit::Success
        })
    }
}

fn text(checked: &Checked, every: bool) -> String {
    let mut text = String::new();
    let mut rest = checked.findings.as_slice();
    while let Some(first) = rest.first() {
        let same =
            |finding: &&Finding| finding.store == first.store && finding.shard == first.shard;
        let (shard, others) = rest.split_at(rest.iter().take_while(same).count());
        of_shard(shard, every, &mut text);
        rest = others;
    }
    for warning in &checked.lint {
        line("runbook", warning.code, &warning.message, &mut text);
        hint(warning.hint.as_deref(), &mut text);
    }
    text.push_str(&format!(
        "{}: {}, {}, {} could not be looked at\n",
        checked.estate,
        format::plural(checked.errors as u64, "error"),
        format::plural(checked.warnings as u64, "warning"),
        checked.unknown,
    ));
    text
}

/// What is in order is named in one line, unless every finding is asked for.
fn of_shard(findings: &[Finding], every: bool, text: &mut String) {
    let Some(first) = findings.first() else {
        return;
    };
    text.push_str(&format!("{}@{}\n", first.store, first.shard));
    let mut fine: Vec<&str> = Vec::new();
    for finding in findings {
        let level = match finding.level {
            Level::Ok if !every => {
                fine.push(&finding.check);
                continue;
            }
            Level::Ok => "ok",
            Level::Later => "later",
            Level::Warning => "warning",
            Level::Unknown => "unknown",
            Level::Error => "error",
        };
        line(level, &finding.check, &finding.message, text);
        hint(finding.hint.as_deref(), text);
    }
    fine.dedup();
    if !fine.is_empty() {
        text.push_str(&format!("  ok       {}\n", fine.join(", ")));
    }
}

fn line(level: &str, check: &str, message: &str, text: &mut String) {
    text.push_str(&format!("  {level:<8} {check:<16} {message}\n"));
}

fn hint(hint: Option<&str>, text: &mut String) {
    if let Some(hint) = hint {
        text.push_str(&format!("           hint: {hint}\n"));
    }
}
