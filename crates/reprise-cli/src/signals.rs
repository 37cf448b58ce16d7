//! Ctrl-C and SIGTERM: the first ends what runs in order, the second stops at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reprise_runner::Signals;
use tokio::signal::unix::{SignalKind, signal};

use crate::printer::Printer;

/// Listens until it is dropped.
pub struct Listener {
    task: tokio::task::JoinHandle<()>,
    seen: Arc<AtomicBool>,
}

impl Listener {
    pub fn start(signals: Signals, printer: &Printer) -> std::io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let seen = Arc::new(AtomicBool::new(false));
        let (flag, printer) = (seen.clone(), printer.clone());
        let task = tokio::spawn(async move {
            for count in 0.. {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                flag.store(true, Ordering::SeqCst);
                if count == 0 {
                    printer.talk("ending what runs, in order; once more stops at once");
                    signals.cancel.cancel();
                } else {
                    signals.abort.cancel();
                }
            }
        });
        Ok(Self { task, seen })
    }

    /// Whether a signal has come.
    pub fn has_seen(&self) -> bool {
        self.seen.load(Ordering::SeqCst)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}
