//! Who watches a run: displays, tests.

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
