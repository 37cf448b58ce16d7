//! The work on which engines are compared, through our engine, runner and
//! journal, and through a bare loop beside it: 30,058 tasks in 64 slots, every
//! outcome durable before what depends on it starts.
//!
//! `cargo run --release -p reprise-runner --example throughput_bench` has tasks
//! that take no time and tells tasks a second; with `--bound 20` they take their
//! time, and what counts is the makespan against the lower bound of 20 seconds.
//! `--rounds N`, `--folder DIR` (where the journals go), `--without-pools`.
//!
//! Each measurement is a process of its own, so that its peak memory is its own.

mod bare;
mod ours;
mod precise;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use reprise_sim::{SITES, Skew, Workload, WorkloadOptions, learned};

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

const USAGE: &str =
    "throughput_bench [--rounds N] [--bound SECONDS] [--without-pools] [--folder DIR]";

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    Ours,
    /// Ours, with what an earlier run of the same sites has taught.
    OursLearned,
    Bare,
}

impl Subject {
    const ALL: [Self; 3] = [Self::Ours, Self::OursLearned, Self::Bare];

    fn as_str(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::OursLearned => "ours-learned",
            Self::Bare => "bare",
        }
    }
}

#[derive(Clone)]
struct Options {
    rounds: usize,
    bound: Option<Duration>,
    pools: bool,
    folder: PathBuf,
    /// Set in the process that measures.
    subject: Option<Subject>,
}

impl Options {
    fn parse() -> Fallible<Self> {
        let mut options = Self {
            rounds: 7,
            bound: None,
            pools: true,
            folder: PathBuf::from("."),
            subject: None,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(USAGE);
            match word.as_str() {
                "--rounds" => options.rounds = value()?.parse()?,
                "--bound" => options.bound = Some(Duration::from_secs_f64(value()?.parse()?)),
                "--folder" => options.folder = value()?.into(),
                "--without-pools" => options.pools = false,
                "--subject" => {
                    let name = value()?;
                    let found = Subject::ALL.into_iter().find(|s| s.as_str() == name);
                    options.subject = Some(found.ok_or(USAGE)?);
                }
                _ => return Err(USAGE.into()),
            }
        }
        Ok(options)
    }

    fn workload(&self) -> Workload {
        Workload::new(WorkloadOptions {
            sites: SITES,
            pools: self.pools,
            bound: self.bound,
            skew: Skew::None,
            seed: 883,
        })
    }
}

/// One measurement.
struct Measured {
    seconds: f64,
    peak_mib: f64,
    commits: u64,
}

fn main() -> Fallible<()> {
    let options = Options::parse()?;
    match options.subject {
        Some(subject) => measure(subject, &options),
        None => compare(&options),
    }
}

/// In the process that measures: one line for the process that compares.
fn measure(subject: Subject, options: &Options) -> Fallible<()> {
    let work = options.workload();
    let folder = tempfile::tempdir_in(&options.folder)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let measured = match subject {
        Subject::Ours => runtime.block_on(ours::run(work, None, folder.path()))?,
        Subject::OursLearned => {
            let plan = learned(&work);
            runtime.block_on(ours::run(work, Some(plan), folder.path()))?
        }
        Subject::Bare => runtime.block_on(bare::run(work, folder.path()))?,
    };
    println!(
        "{} {} {}",
        measured.seconds, measured.peak_mib, measured.commits
    );
    Ok(())
}

fn compare(options: &Options) -> Fallible<()> {
    let work = options.workload();
    let tasks = work.plan.tasks.len() as f64;
    let subjects: &[Subject] = match options.bound {
        Some(_) => &Subject::ALL,
        None => &[Subject::Ours, Subject::Bare],
    };
    let mut rounds: Vec<Vec<Measured>> = subjects.iter().map(|_| Vec::new()).collect();
    for round in 1..=options.rounds {
        for (subject, measured) in subjects.iter().zip(&mut rounds) {
            measured.push(in_a_process(*subject, options)?);
        }
        eprintln!("round {round} of {}", options.rounds);
    }
    let seconds = |of: usize| median(rounds[of].iter().map(|m| m.seconds));
    match options.bound {
        None => println!(
            "{:<12} {:>9} {:>9} {:>9}",
            "", "tasks/s", "commits", "peak MiB"
        ),
        Some(_) => println!(
            "{:<12} {:>9} {:>9} {:>9}",
            "", "/ bound", "commits", "peak MiB"
        ),
    }
    for (at, subject) in subjects.iter().enumerate() {
        let figure = match options.bound {
            None => format!("{:.0}", tasks / seconds(at)),
            Some(_) => format!("{:.4}", seconds(at) / work.bound.as_secs_f64()),
        };
        println!(
            "{:<12} {figure:>9} {:>9.0} {:>9.1}",
            subject.as_str(),
            median(rounds[at].iter().map(|m| m.commits as f64)),
            median(rounds[at].iter().map(|m| m.peak_mib)),
        );
    }
    if options.bound.is_none() {
        let ratios = rounds[0].iter().zip(&rounds[1]);
        let ratio = median(ratios.map(|(ours, bare)| bare.seconds / ours.seconds));
        println!("ours / bare, median of the rounds: {ratio:.2} (goal: 0.5)");
    }
    Ok(())
}

fn in_a_process(subject: Subject, options: &Options) -> Fallible<Measured> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--subject", subject.as_str()]);
    command.arg("--folder").arg(&options.folder);
    if let Some(bound) = options.bound {
        command.args(["--bound", &bound.as_secs_f64().to_string()]);
    }
    if !options.pools {
        command.arg("--without-pools");
    }
    let output = command.stderr(std::process::Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{} ended with {}", subject.as_str(), output.status).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let figures: Vec<f64> = text
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let [seconds, peak_mib, commits] = figures[..] else {
        return Err(format!("not a measurement: {text}").into());
    };
    Ok(Measured {
        seconds,
        peak_mib,
        commits: commits as u64,
    })
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The most memory that this process has had so far, in MiB.
fn peak_mib() -> Fallible<f64> {
    let status = std::fs::read_to_string(Path::new("/proc/self/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.ok_or("no VmHWM")?.parse::<f64>()? / 1024.0)
}
