//! Who watches a run: displays, tests.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use reprise_model::{AttemptId, Entry};
use reprise_ports::Progress;
use tracing::Span;

/// Called from the coordinator and from its writer. Must not block.
pub trait Observer: Send + Sync {
    /// Entries that are durable now, in order, none left out, and before
    /// anything that waited for them is done.
    fn entries(&self, entries: &[Entry]);

    /// Entries of earlier coordinators, as the run is taken up again: before
    /// all others, in order, none left out.
    fn history(&self, entries: Vec<Entry>) {
        self.entries(&entries);
    }

    /// The journal's end was torn: pages that no writer was told to be durable
    /// have been cut.
    fn torn(&self, _pages: u64) {}

    /// How far an attempt is. May be thinned out.
    fn progress(&self, attempt: AttemptId, progress: &Progress);

    /// The span that an attempt's work is done in, its connector's logs
    /// included. None, unless somebody traces.
    fn span(&self, _attempt: AttemptId) -> Span {
        Span::none()
    }
}

/// Watches nothing.
#[derive(Debug)]
pub struct Silent;

impl Observer for Silent {
    fn entries(&self, _: &[Entry]) {}

    fn progress(&self, _: AttemptId, _: &Progress) {}
}

/// A watcher whose panics stay its own: who only looks on is no reason to stop
/// a restore. The panic hook has told of it by then.
pub(crate) struct Contained(pub Arc<dyn Observer>);

impl Contained {
    fn look<R>(&self, look: impl FnOnce(&dyn Observer) -> R) -> Option<R> {
        let look = AssertUnwindSafe(|| look(self.0.as_ref()));
        std::panic::catch_unwind(look).ok()
    }
}

impl Observer for Contained {
    fn entries(&self, entries: &[Entry]) {
        self.look(|it| it.entries(entries));
    }

    fn history(&self, entries: Vec<Entry>) {
        self.look(|it| it.history(entries));
    }

    fn torn(&self, pages: u64) {
        self.look(|it| it.torn(pages));
    }

    fn progress(&self, attempt: AttemptId, progress: &Progress) {
        self.look(|it| it.progress(attempt, progress));
    }

    fn span(&self, attempt: AttemptId) -> Span {
        self.look(|it| it.span(attempt)).unwrap_or_else(Span::none)
    }
}
