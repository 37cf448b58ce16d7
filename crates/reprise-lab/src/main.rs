//! The binary `reprise-lab`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Parser, Subcommand};
use reprise_lab::accident::{self, Accident};
use reprise_lab::audit::{self, Sites, Summary};
use reprise_lab::layers::{LayerSummary, front, plant};
use reprise_lab::layout::Layout;
use reprise_lab::load::{self, parse_ids};
use reprise_lab::manifest::{Build, Store};
use reprise_lab::{Error, down, tamper, up, vendor};
use reprise_model::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Builds a real estate in a folder, lets neighbours write to it, deletes
/// sites from it, and judges how they were restored.
#[derive(Parser)]
#[command(name = "reprise-lab", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the estate, or start one that was built before.
    Up {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        build: Build,
    },
    /// Keep writing on all sites that the accident leaves alone.
    Load {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        options: load::Options,
    },
    /// Delete sites, one after another.
    Accident {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        options: accident::Options,
    },
    /// Delete the accident's sites once more, after a restore; the last good moment stays.
    AccidentAgain {
        #[command(flatten)]
        place: Place,
    },
    /// Compare live, row for row, with PostgreSQL's own recovery and the writers' ledger.
    Audit {
        #[command(flatten)]
        place: Place,
        /// The moment that was restored; the accident's by default.
        #[arg(long)]
        at: Option<Timestamp>,
        /// The restored sites, `@FILE` or `ID,ID`; all that were deleted by default.
        #[arg(long)]
        sites: Option<String>,
        /// Print only the JSON summary.
        #[arg(long)]
        json: bool,
    },
    /// Change two rows that nobody should have changed.
    #[command(hide = true)]
    Tamper {
        #[command(flatten)]
        place: Place,
    },
    /// Change one thing of a site that a verification must find.
    #[command(hide = true)]
    Plant {
        #[command(flatten)]
        place: Place,
        #[arg(value_enum)]
        fault: plant::Fault,
        #[arg(long)]
        site: i64,
    },
    /// Be a third-party vendor of apps on the loopback address, until a signal.
    Vendor {
        #[command(flatten)]
        options: vendor::Options,
    },
    /// Answer for the hosts of the sites, on the loopback address.
    #[command(hide = true)]
    Front {
        #[command(flatten)]
        place: Place,
        #[arg(long)]
        port: u16,
    },
    /// Stop the estate's servers.
    Down {
        #[command(flatten)]
        place: Place,
        /// Remove all that the lab wrote.
        #[arg(long)]
        purge: bool,
    },
}

#[derive(Args)]
struct Place {
    /// The lab's folder.
    #[arg(long, default_value = ".lab")]
    dir: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse().command).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                eprintln!("  because: {cause}");
                source = cause.source();
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<ExitCode, Error> {
    match command {
        Command::Up { place, build } => up_command(&place.dir, &build).await?,
        Command::Load { place, options } => load_command(&place.dir, options).await?,
        Command::Accident { place, options } => accident_command(&place.dir, options).await?,
        Command::AccidentAgain { place } => {
            let rows = accident::again(&Layout::at(&place.dir)?).await?;
            eprintln!("the sites are deleted once more, {rows} rows in all");
        }
        Command::Audit {
            place,
            at,
            sites,
            json,
        } => return audit_command(&place.dir, at, sites.as_deref(), json).await,
        Command::Tamper { place } => {
            let rows = tamper::tamper(&Layout::at(&place.dir)?).await?;
            eprintln!("tampered with {rows} rows");
        }
        Command::Plant { place, fault, site } => {
            let what = plant::plant(&Layout::at(&place.dir)?, fault, site).await?;
            eprintln!("planted: {what}");
        }
        Command::Vendor { options } => vendor_command(options).await?,
        Command::Front { place, port } => front::serve(Layout::at(&place.dir)?, port).await?,
        Command::Down { place, purge } => {
            let stopped = down::down(&Layout::at(&place.dir)?, purge)?;
            eprintln!("stopped {stopped} servers");
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn up_command(dir: &Path, build: &Build) -> Result<(), Error> {
    let start = Instant::now();
    let layout = Layout::at(dir)?;
    let manifest = up::up(&layout, build).await?;
    let shards = manifest
        .clusters
        .iter()
        .filter(|c| c.store == Store::Product)
        .count();
    eprintln!(
        "the estate in {} is up: {} sites on {shards} product shards, a catalogue, an identity store ({:.1} s)",
        dir.display(),
        build.sites,
        start.elapsed().as_secs_f64()
    );
    let clusters = manifest.clusters.iter().map(|it| (&it.name, &it.port));
    for (name, port) in clusters.chain(&manifest.ports) {
        eprintln!("  {name:<18} 127.0.0.1:{port}");
    }
    Ok(())
}

/// Its address is the one line on stdout.
async fn vendor_command(options: vendor::Options) -> Result<(), Error> {
    let mut server = vendor::Server::start(options)
        .await
        .map_err(|error| Error::Refused(format!("the vendor has no port: {error}")))?;
    println!("{}", server.url());
    let mut term =
        signal(SignalKind::terminate()).map_err(|error| Error::Worker(error.to_string()))?;
    tokio::select! {
        () = server.ended() => {}
        _ = term.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(())
}

async fn load_command(dir: &Path, options: load::Options) -> Result<(), Error> {
    let (tell, stop) = watch::channel(false);
    tokio::spawn(async move {
        let signals = (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
        );
        if let (Ok(mut term), Ok(mut int)) = signals {
            tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
            // The writers may have ended by themselves.
            let _ = tell.send(true);
        }
    });
    let tally = load::load(&Layout::at(dir)?, options, stop).await?;
    eprintln!(
        "neighbours committed {} transactions ({} had no effect)",
        tally.committed, tally.without_effect
    );
    Ok(())
}

async fn accident_command(dir: &Path, options: accident::Options) -> Result<(), Error> {
    let accident = accident::accident(&Layout::at(dir)?, options).await?;
    let rows: u64 = accident.deleted.values().sum();
    eprintln!(
        "{} sites are deleted, {rows} rows in all; the last good moment is {}",
        accident.sites.len(),
        accident.target_time
    );
    println!("{}", accident.target_time);
    Ok(())
}

async fn audit_command(
    dir: &Path,
    at: Option<Timestamp>,
    sites: Option<&str>,
    json: bool,
) -> Result<ExitCode, Error> {
    let layout = Layout::at(dir)?;
    let accident = Accident::find(&layout)?;
    let at = at
        .or(accident.as_ref().map(|accident| accident.target_time))
        .ok_or_else(|| Error::Refused("no accident has happened here: give --at".to_owned()))?;
    let deleted: BTreeSet<i64> = accident
        .into_iter()
        .flat_map(|accident| accident.sites)
        .collect();
    let restored = match sites {
        Some(selection) => select(selection)?,
        None => deleted.clone(),
    };
    let gone = deleted.difference(&restored).copied().collect();
    let summary = audit::audit(&layout, at, &Sites { restored, gone }).await?;
    print_audit(&summary, json);
    Ok(match summary.ok {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn select(selection: &str) -> Result<BTreeSet<i64>, Error> {
    match selection.strip_prefix('@') {
        Some(file) => {
            let path = Path::new(file);
            let text = fs::read_to_string(path).map_err(Error::io("read", path))?;
            Ok(parse_ids(&text))
        }
        None => Ok(parse_ids(&selection.replace(',', "\n"))),
    }
}

fn print_audit(summary: &Summary, json: bool) {
    let text = serde_json::to_string_pretty(summary).expect("a summary is plain data");
    println!("{text}");
    if json {
        return;
    }
    let verdict = match summary.ok {
        true => "audit passed",
        false => "AUDIT FAILED",
    };
    let items = |of: fn(&LayerSummary) -> u64| match summary.layers.is_empty() {
        true => String::new(),
        false => format!(" and {} items", summary.layers.iter().map(of).sum::<u64>()),
    };
    eprintln!(
        "{verdict}: {} rows{} of {} restored sites, {} rows{} of neighbours, {} differences",
        summary.restored_rows,
        items(|layer| layer.restored_items),
        summary.sites,
        summary.neighbour_rows,
        items(|layer| layer.neighbour_items),
        summary.differences
    );
}
