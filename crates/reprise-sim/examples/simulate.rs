//! Many simulated runs: `cargo run --release -p reprise-sim --example simulate
//! -- --runs 100000 [--seed S] [--jobs N] [--sites N]`. Each run has a seed of
//! its own, from S on, which draws the plan, the mix of faults and all that
//! happens. Prints what happened how often, and a failing seed with the
//! command that runs it alone. Without `--seed` the seeds are fresh ones.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use reprise_sim::{Coverage, Mishap, Report, SiteEnds, try_out};

/// With fewer runs a fault may by chance not have come up.
const RUNS_FOR_ALL: u64 = 1_000;

type Failure = String;

struct Options {
    runs: u64,
    seed: u64,
    jobs: usize,
    sites: u32,
}

#[derive(Default)]
struct Totals {
    runs: u64,
    owners: u64,
    inputs: u64,
    entries: u64,
    sites: SiteEnds,
    hours: f64,
    coverage: Coverage,
    failures: Vec<(u64, Failure)>,
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(why) => {
            eprintln!("{why}\nusage: simulate [--runs N] [--seed S] [--jobs N] [--sites N]");
            return ExitCode::from(2);
        }
    };
    println!("{} runs from seed {}", options.runs, options.seed);
    let begun = Instant::now();
    let totals = run_all(&options);
    print(&totals, begun.elapsed().as_secs_f64(), &options);
    let missing = totals.coverage.missing();
    let too_kind = totals.runs >= RUNS_FOR_ALL && !missing.is_empty();
    if too_kind {
        let names: Vec<_> = missing.iter().map(|mishap| mishap.as_str()).collect();
        println!("never happened: {}", names.join(", "));
    }
    match totals.failures.is_empty() && !too_kind {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// The first failure ends it: one is enough to look at.
fn run_all(options: &Options) -> Totals {
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let totals = Mutex::new(Totals::default());
    std::thread::scope(|scope| {
        for _ in 0..options.jobs {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= options.runs || stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let seed = options.seed.wrapping_add(at);
                    let tried = guarded(seed, options.sites);
                    stop.fetch_or(tried.is_err(), Ordering::Relaxed);
                    let mut totals = totals.lock().expect("nothing panics while it holds it");
                    totals.take(seed, tried);
                }
            });
        }
    });
    totals.into_inner().expect("all threads have ended")
}

/// A broken assertion of the engine is a violation like any other.
fn guarded(seed: u64, sites: u32) -> Result<Report, Failure> {
    match std::panic::catch_unwind(|| try_out(seed, sites)) {
        Ok(tried) => tried.map_err(|violation| violation.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            Err(format!("panicked: {}", text.unwrap_or_default()))
        }
    }
}

impl Totals {
    fn take(&mut self, seed: u64, tried: Result<Report, Failure>) {
        self.runs += 1;
        match tried {
            Ok(report) => {
                self.owners += report.owners;
                self.inputs += report.inputs;
                self.entries += report.tape.tip.next.0;
                self.sites.restored += report.sites.restored;
                self.sites.unproved += report.sites.unproved;
                self.sites.failed += report.sites.failed;
                self.hours += report.seconds / 3600.0;
                self.coverage.add(&report.coverage);
            }
            Err(violation) => self.failures.push((seed, violation)),
        }
        if self.runs.is_multiple_of(10_000) {
            println!("{:>8} runs", self.runs);
        }
    }
}

fn print(totals: &Totals, seconds: f64, options: &Options) {
    print!("{}", totals.coverage);
    let ends = totals.sites;
    println!(
        "{} runs, {} crashes, {} takeovers, {} inputs, {} entries, {:.0} virtual hours",
        totals.runs,
        totals.coverage.of(Mishap::Crash),
        totals.owners.saturating_sub(totals.runs),
        totals.inputs,
        totals.entries,
        totals.hours
    );
    println!(
        "sites: {} restored, {} unproved, {} failed",
        ends.restored, ends.unproved, ends.failed
    );
    println!(
        "{:.1} s with {} jobs: {:.0} runs a minute",
        seconds,
        options.jobs,
        totals.runs as f64 / seconds * 60.0
    );
    for (seed, violation) in &totals.failures {
        println!("VIOLATION with seed {seed}: {violation}");
        println!(
            "again: cargo run --release -p reprise-sim --example simulate -- --runs 1 --seed {seed} --sites {}",
            options.sites
        );
    }
}

fn options() -> Result<Options, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let mut options = Options {
        runs: 1_000,
        seed: now.map_or(0, |since| since.as_secs()) * 1_000_000,
        jobs: 1,
        sites: 50,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().and_then(|text| text.parse::<u64>().ok());
        let value = value.ok_or_else(|| format!("{name} wants a number"))?;
        match name.as_str() {
            "--runs" => options.runs = value,
            "--seed" => options.seed = value,
            "--jobs" => options.jobs = usize::try_from(value.clamp(1, 64)).unwrap_or(1),
            "--sites" => options.sites = u32::try_from(value.clamp(1, 10_000)).unwrap_or(50),
            _ => return Err(format!("{name} is not known")),
        }
    }
    Ok(options)
}
