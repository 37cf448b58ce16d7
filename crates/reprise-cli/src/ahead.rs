//! The time left of a run, estimated beside it: the engine run ahead from where
//! the run stands, on a thread of its own and of lower priority, so that
//! neither the run nor the screen ever waits for it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use reprise_model::{Entry, Plan, PlannedStep, RunId, Seq, TaskIx, Timestamp};
use reprise_plan::learn;
use reprise_ports::Journal;
use reprise_report::{Display, Estimate, Fold};
use reprise_sim::{Ahead, Prospect, Spread};

use crate::inputs;
use crate::screen::Screen;

/// How often an estimate is made, at most.
const EVERY: Duration = Duration::from_secs(2);
/// Estimating takes at most this share of the time of one core.
const SHARE: u32 = 20;
/// After this long, no further rehearsal is begun for one estimate.
const BUDGET: Duration = Duration::from_millis(200);
const REHEARSALS: u32 = 40;
/// Larger plans cost more memory to follow than an estimate is worth.
const LARGEST: usize = 300_000;
/// How much more willingly than the run the thread gives way.
const NICE: i32 = 10;

/// Follows a run that is under way, beside the screen that shows it.
#[derive(Clone)]
pub struct Follower(Arc<Mutex<Ahead>>);

impl Follower {
    /// Absent for a plan that is too large to be followed.
    pub fn of(plan: &Arc<Plan>) -> Option<Self> {
        let ahead = (plan.tasks.len() <= LARGEST).then(|| Ahead::new(plan.clone(), is_guess));
        Some(Self(Arc::new(Mutex::new(ahead?))))
    }

    /// Gives the screen an estimate now and then, as long as it is there.
    pub fn keep(self, screen: &Arc<Screen>) {
        let screen = Arc::downgrade(screen);
        let work = move || self.work(&screen);
        // A run without an estimate is still a run.
        let _ = std::thread::Builder::new()
            .name("ahead".to_owned())
            .spawn(work);
    }

    fn work(&self, screen: &Weak<Screen>) {
        // Of the calling thread alone, on Linux.
        let _ = rustix::process::setpriority_process(None, NICE);
        let mut pause = EVERY;
        loop {
            std::thread::sleep(pause);
            let Some(screen) = screen.upgrade() else {
                return;
            };
            let begun = Instant::now();
            let prospect = self.lock().prospect();
            let progress = screen.look(progress);
            let made = prospect.map(|prospect| estimate(&prospect, inputs::now(), &progress));
            screen.estimated(made);
            pause = EVERY.max(begun.elapsed() * SHARE);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Ahead> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Display for Follower {
    fn recalled(&mut self, _: &Fold, entry: &Entry) {
        self.lock().feed(entry);
    }

    fn entry(&mut self, _: &Fold, entry: &Entry) {
        self.lock().feed(entry);
    }

    fn refresh(&mut self, _: &Fold, _: Timestamp) {}

    fn finish(&mut self, _: &Fold) {}
}

/// Of a run that somebody else has in hand, from its journal.
pub async fn of_journal(journal: &dyn Journal, run: &RunId, plan: &Arc<Plan>) -> Option<Estimate> {
    let follower = Follower::of(plan)?;
    let mut sink = |entries: Vec<Entry>| {
        let mut ahead = follower.lock();
        entries.iter().for_each(|entry| ahead.feed(entry));
        ControlFlow::Continue(())
    };
    journal.read(run, Seq(0), &mut sink).await.ok()?;
    let prospect = follower.lock().prospect()?;
    let work = move || estimate(&prospect, inputs::now(), &BTreeMap::new());
    tokio::task::spawn_blocking(work).await.ok()
}

/// How far attempts under way say they are.
fn progress(fold: &Fold) -> BTreeMap<TaskIx, f64> {
    let fraction = |task| {
        let progress = fold.record(task).progress.as_ref()?;
        Some((task, progress.fraction?))
    };
    fold.under_way().filter_map(fraction).collect()
}

fn estimate(prospect: &Prospect, now: Timestamp, progress: &BTreeMap<TaskIx, f64>) -> Estimate {
    let begun = Instant::now();
    let mut left = Vec::new();
    for number in 0..REHEARSALS {
        if number > 0 && begun.elapsed() > BUDGET {
            break;
        }
        left.push(prospect.seconds_left(now, progress, 1, number));
    }
    let several = left.len() > 2;
    let spread = Spread::of(left);
    let band = several.then(|| spread.band(90));
    Estimate {
        seconds_left: spread.median,
        rough: prospect.is_rough(),
        from_seconds: band.map(|band| band.from),
        to_seconds: band.map(|band| band.to),
        as_of: Some(now),
    }
}

/// Neither an earlier run nor the runbook's author said anything.
fn is_guess(step: &PlannedStep) -> bool {
    step.expected == learn::usual(step.action)
}
