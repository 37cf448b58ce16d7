//! A million tasks, from the compiler to the report: seconds and peak memory
//! of each phase, and how soon a killed run goes on.
//!
//! `cargo run --release -p reprise-cli --example scale_bench -- [--shape SITESxSTEPS]... [--folder DIR]`
//!
//! The binary `reprise` next to this example does what operators do: plan,
//! runs, status, resume, report. What needs a world in which tasks cost
//! nothing (the run until it is killed half way, the run to its end) is done
//! by this program with the same runner, journal and report. Each phase is a
//! process of its own, whose peak memory the system tells. `read + hash` and
//! `bare parse` are what no reader of the same bytes can do without.

mod child;
mod noop;
mod phases;
mod stage;

use std::error::Error;
use std::path::{Path, PathBuf};

use child::{Measured, reprise, with_self};
use stage::Stage;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// 100,000 sites of 10 steps; 29,412 sites of the 34 steps of W1.
const SHAPES: [&str; 2] = ["100000x10", "29412x34"];

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["--phase", phase, folder] = words[..] {
        return phases::perform(phase, &Stage::at(folder));
    }
    let options = |name: &str| {
        let pairs = words.windows(2).filter(|pair| pair[0] == name);
        pairs.map(|pair| pair[1].to_owned()).collect::<Vec<_>>()
    };
    let mut shapes = options("--shape");
    if shapes.is_empty() {
        shapes = SHAPES.map(str::to_owned).to_vec();
    }
    let parent = options("--folder").pop().map(PathBuf::from);
    let parent = parent.unwrap_or_else(std::env::temp_dir);
    for shape in shapes {
        let (sites, steps) = shape.split_once('x').ok_or("--shape is SITESxSTEPS")?;
        measure(&parent, sites.parse()?, steps.parse()?)?;
    }
    Ok(())
}

fn measure(parent: &Path, sites: u32, steps: u32) -> Outcome<()> {
    let folder = tempfile::tempdir_in(parent)?;
    let stage = Stage::at(folder.path());
    stage.write_inputs(sites, steps)?;
    let tasks = f64::from(sites) * f64::from(steps);
    println!("\n{sites} sites x {steps} steps = {tasks} tasks");
    println!("phase                        seconds   peak MiB   bytes a task");
    let tell = |name: &str, measured: &Measured| {
        let peak = measured.peak as f64;
        println!(
            "{name:<27} {:>8.2}   {:>8.0}   {:>12.0}",
            measured.seconds,
            peak / 1048576.0,
            peak / tasks
        );
    };
    let whole = |name: &str, words: &[&str]| -> Outcome<()> {
        tell(name, &reprise(&stage, words)?.until_ended()?);
        Ok(())
    };
    let inner = |name: &str, phase: &str| -> Outcome<()> {
        tell(name, &with_self(&stage, phase)?.until_ended()?);
        Ok(())
    };
    whole("compile (reprise plan)", &stage.plan_words())?;
    inner("  load + verify the plan", "verify")?;
    inner("  read + hash its bytes", "hash-plan")?;
    inner("  bare parse of it", "parse-plan")?;
    inner("create the run", "create")?;
    let half = with_self(&stage, "half")?.until_killed()?;
    tell("run to the half, killed", &half);
    inner("  read + hash the pages", "hash-pages")?;
    inner("  bare parse of them", "parse-pages")?;
    whole("status, owner dead", &["status"])?;
    whole("runs", &["runs"])?;
    resume(&stage, &tell)?;
    inner("run to the end", "finish")?;
    inner("  tasks run again, counted", "twice")?;
    print!(
        "  {}",
        std::fs::read_to_string(stage.folder().join("said.txt"))?
    );
    whole("status, at the end", &["status"])?;
    whole("report --json", &["report", "--json"])?;
    let mib = |path: &Path| std::fs::metadata(path).map_or(0.0, |m| m.len() as f64 / 1048576.0);
    println!(
        "on disk: plan {:.0} MiB, journal {:.0} MiB",
        mib(&stage.plan()),
        mib(&stage.journal())
    );
    Ok(())
}

/// `reprise resume` on a copy of the journal, until its first new task is
/// started; and the status beside it while it is alive.
fn resume(stage: &Stage, tell: &dyn Fn(&str, &Measured)) -> Outcome<()> {
    let aside = stage.aside()?;
    let mut running = reprise(&aside, &["resume"])?;
    let first = phases::first_new_start(&aside, &mut running)?;
    tell("resume to first new task", &first);
    // By then the first summary has been written.
    std::thread::sleep(std::time::Duration::from_millis(500));
    let beside = reprise(&aside, &["status"])?.until_ended()?;
    tell("status beside it", &beside);
    tell("  resume, when killed", &running.kill()?);
    aside.remove()
}
