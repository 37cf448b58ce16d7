//! The runner's observer: hands what it sees to the report crate's displays.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::ProgressDrawTarget;
use reprise_model::{AttemptId, Entry, Epoch, Plans, RunId, Seq, Timestamp};
use reprise_ports::{Progress, Summary, Verified};
use reprise_report::{Bars, Display, Estimate, Fold, Lines, Monitor, Report};
use reprise_runner::{Clock, Observer};

use crate::printer::Printer;
use crate::telemetry::Tree;

/// How often the screen is drawn anew.
const REFRESH_EVERY: Duration = Duration::from_millis(250);
/// And how seldom at most, where drawing is slow.
const REFRESH_AT_MOST: Duration = Duration::from_secs(3);
/// Drawing should take at most this share of the time.
const SHARE: u32 = 20;

pub struct Screen {
    monitor: Mutex<Monitor>,
    tree: Option<Arc<Tree>>,
    printer: Printer,
    has_begun: AtomicBool,
}

impl Screen {
    /// Bars on a terminal, lines elsewhere, neither beside a log as JSON; and
    /// what watches from outside.
    pub fn new(
        plans: impl Into<Plans>,
        watchers: Vec<Box<dyn Display>>,
        tree: Option<Arc<Tree>>,
        printer: &Printer,
    ) -> Arc<Self> {
        let mut displays = watchers;
        if printer.is_terminal() {
            displays.push(Box::new(Bars::new(ProgressDrawTarget::stderr_with_hz(10))));
        } else if !printer.logs() {
            displays.push(Box::new(Lines::new(Box::new(std::io::stderr()))));
        }
        Arc::new(Self {
            monitor: Mutex::new(Monitor::new(plans, displays)),
            tree,
            printer: printer.clone(),
            has_begun: AtomicBool::new(false),
        })
    }

    /// Looks at how the run stands.
    pub fn look<R>(&self, look: impl FnOnce(&Fold) -> R) -> R {
        look(self.lock().fold())
    }

    /// Draws now and then, until the handle is aborted.
    pub fn keep_fresh(self: &Arc<Self>) -> tokio::task::JoinHandle<()> {
        let screen = self.clone();
        let clock = Clock::start();
        tokio::spawn(async move {
            loop {
                let begun = Instant::now();
                screen.lock().refresh(clock.now());
                let pause = begun.elapsed() * SHARE;
                tokio::time::sleep(pause.clamp(REFRESH_EVERY, REFRESH_AT_MOST)).await;
            }
        })
    }

    /// Whether its own coordinator has written anything yet.
    pub fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Relaxed)
    }

    /// How the run stands, for whoever asks from elsewhere; absent before a
    /// coordinator has it.
    pub fn summary(&self, run: &RunId, now: Timestamp) -> Option<(Epoch, Summary)> {
        let monitor = self.lock();
        let fold = monitor.fold();
        let epoch = fold.owner()?.epoch;
        let (next, status) = (Seq(fold.entries()), fold.status(run, now));
        drop(monitor);
        let body = serde_json::to_string(&status.cut_short()).expect("a status is plain data");
        let at = now;
        Some((epoch, Summary { next, at, body }))
    }

    /// The report of the entries up to `next`; absent when it is not those
    /// that were seen.
    pub fn report(&self, run: &RunId, verified: Verified) -> Option<Report> {
        let monitor = self.lock();
        let fold = monitor.fold();
        let all = fold.entries() == verified.next.0;
        all.then(|| fold.report(run, Some(verified.head)))
    }

    /// Takes the newest estimate of the time left.
    pub fn estimated(&self, estimate: Option<Estimate>) {
        self.lock().estimated(estimate);
    }

    pub fn finish(&self) {
        self.lock().finish();
    }

    /// A display that panicked is no reason to stop a restore.
    fn lock(&self) -> MutexGuard<'_, Monitor> {
        self.monitor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Screen {
    fn entries(&self, entries: &[Entry]) {
        self.lock().entries(entries);
        self.has_begun.store(true, Ordering::Relaxed);
    }

    /// What has been before is recalled and not told again.
    fn history(&self, entries: Vec<Entry>) {
        self.lock().recall(&entries);
    }

    fn torn(&self, pages: u64) {
        self.printer.torn(pages);
    }

    fn progress(&self, attempt: AttemptId, progress: &Progress) {
        self.lock().progress(
            attempt,
            progress.volume,
            progress.fraction,
            progress.phase.as_deref(),
        );
    }

    fn span(&self, attempt: AttemptId) -> tracing::Span {
        let tree = self.tree.as_ref();
        tree.map_or_else(tracing::Span::none, |tree| tree.attempt(attempt))
    }
}
