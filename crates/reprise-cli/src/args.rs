//! What every command takes.

use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};

use crate::commands::Command;

/// Bring deleted sites back to one moment, out of the backups of shared stores.
///
/// Everything is named by four things: an estate (which stores there are), a
/// runbook (the procedure), a selection of sites, and one moment T.
#[derive(Parser, Debug)]
#[command(
    name = "reprise",
    version,
    max_term_width = 100,
    after_help = "Examples:
  reprise check  -e estate.yaml -r runbook.yaml --at 2026-03-01T12:00:00Z
  reprise plan   -e estate.yaml -r runbook.yaml --at 2026-03-01T12:00:00Z --sites @deleted.txt \\
                 -o plan.json
  reprise run    plan.json
  reprise status --watch
  reprise report --html report.html

Exit codes are in docs/exit-codes.md: 0 restored and validated, 5 outstanding, 6 not validated, 7 sites failed."
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// Where runs are recorded: a SQLite file, or a postgres:// URL
    #[arg(
        long,
        global = true,
        value_name = "URL",
        default_value = ".reprise/state.db"
    )]
    pub state: String,
    /// File of KEY=value lines that ${NAME} references are read from first
    #[arg(long, global = true, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// One JSON document on standard output instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// Say more on standard error; twice for the details
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Form of the log on standard error
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Color {
    Auto,
    Always,
    Never,
}

/// Which plan: what `plan` and `run` are given alike.
#[derive(Args, Clone, Debug)]
pub struct PlanOptions {
    /// The estate: stores, shards, backups, live ends
    #[arg(short, long, value_name = "FILE")]
    pub estate: PathBuf,
    /// The runbook: the procedure
    #[arg(short, long, value_name = "FILE")]
    pub runbook: PathBuf,
    /// T, the moment to restore to: RFC 3339 with `Z` or an offset
    #[arg(long, value_name = "T")]
    pub at: String,
    /// The sites: @FILE, ID,ID,..., all, or KEY=VALUE,...
    #[arg(long, value_name = "SEL")]
    pub sites: String,
    /// When the damage was done; recovery time and loss are counted from here
    #[arg(long, value_name = "T")]
    pub incident_time: Option<String>,
    /// Leave the recovered shards on disk: steps that release them are not planned
    #[arg(long)]
    pub keep_scratch: bool,
    /// Bring every shard to T in scratch first: drift of the schema is known
    /// before the start, and the run finds the shards recovered
    #[arg(long)]
    pub recover: bool,
}

/// Who else is told of a run while it is under way.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Watching")]
pub struct Watching {
    /// Send spans to the OpenTelemetry collector at this address, by OTLP over
    /// HTTP; OTEL_EXPORTER_OTLP_ENDPOINT does the same
    #[arg(long, value_name = "URL")]
    pub otlp: Option<String>,
    /// Serve Prometheus metrics at this loopback address, such as 127.0.0.1:9464
    #[arg(long, value_name = "ADDRESS")]
    pub metrics: Option<String>,
}
