//! The runner's observer: hands what it sees to the report crate's displays.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::ProgressDrawTarget;
use reprise_model::{AttemptId, Entry, Plan};
use reprise_ports::Progress;
use reprise_report::{Bars, Display, Fold, Lines, Monitor};
use reprise_runner::{Clock, Observer};

use crate::printer::Printer;
use crate::telemetry::Tree;

/// How often the screen is drawn anew.
const REFRESH_EVERY: Duration = Duration::from_millis(250);

pub struct Screen {
    monitor: Mutex<Monitor>,
    tree: Option<Arc<Tree>>,
}

impl Screen {
    /// Bars on a terminal, lines elsewhere, neither beside a log as JSON; and
    /// what watches from outside.
    pub fn new(
        plan: Arc<Plan>,
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
            monitor: Mutex::new(Monitor::new(plan, displays)),
            tree,
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
            let mut timer = tokio::time::interval(REFRESH_EVERY);
            loop {
                timer.tick().await;
                screen.lock().refresh(clock.now());
            }
        })
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
    }

    /// What has been before is recalled and not told again.
    fn history(&self, entries: Vec<Entry>) {
        self.lock().recall(&entries);
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
