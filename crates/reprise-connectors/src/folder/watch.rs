//! Work on files happens on threads; this is what ends it, and how far it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use reprise_model::{Fault, FaultKind, Volume};
use reprise_ports::{Context, Progress};

/// How often it is told how far it is.
const TOLD: Duration = Duration::from_millis(250);

#[derive(Debug, Default)]
pub struct Watch {
    stop: AtomicBool,
    pub files: AtomicU64,
    pub bytes: AtomicU64,
}

impl Watch {
    /// To be asked between two pieces of work.
    pub fn go_on(&self) -> Result<(), Fault> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(Fault::new(FaultKind::Cancelled, "cancelled during files")),
            false => Ok(()),
        }
    }
}

/// A future that is dropped leaves no thread at work for long.
struct Stop(Arc<Watch>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

/// Runs `work` on a thread of its own until it ends or is cancelled. The
/// thread has `alone` as long as it works, also when the future is dropped: a
/// repeat begins when it is gone.
pub async fn blocking<T: Send + 'static>(
    context: &dyn Context,
    phase: &str,
    alone: &Arc<tokio::sync::Mutex<()>>,
    work: impl FnOnce(&Watch) -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let watch = Arc::new(Watch::default());
    let stop = Stop(Arc::clone(&watch));
    let own = Arc::clone(&watch);
    let alone = Arc::clone(alone).lock_owned().await;
    let mut working = tokio::task::spawn_blocking(move || {
        let _alone = alone;
        work(&own)
    });
    let mut told = tokio::time::interval(TOLD);
    loop {
        tokio::select! {
            ended = &mut working => {
                return ended.unwrap_or_else(|error| {
                    Err(Fault::permanent(format!("the work on files ended: {error}")))
                });
            }
            // It ends soon after, with nothing half done.
            () = context.cancelled().cancelled() => stop.0.stop.store(true, Ordering::Relaxed),
            _ = told.tick() => context.progress(Progress {
                volume: Volume {
                    rows: watch.files.load(Ordering::Relaxed),
                    bytes: watch.bytes.load(Ordering::Relaxed),
                },
                fraction: None,
                phase: Some(phase.to_owned()),
            }),
        }
        if stop.0.stop.load(Ordering::Relaxed) {
            return working.await.unwrap_or_else(|error| {
                Err(Fault::permanent(format!(
                    "the work on files ended: {error}"
                )))
            });
        }
    }
}

/// `work` for each item, by several threads, in the items' order. The first
/// fault ends it.
pub fn each<I: Sync, T: Send>(
    items: &[I],
    threads: usize,
    watch: &Watch,
    work: impl Fn(&I) -> Result<T, Fault> + Sync,
) -> Result<Vec<T>, Fault> {
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let (next, failed, work) = (&next, &failed, &work);
    let one = || {
        let mut done = Vec::new();
        while !failed.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { break };
            match watch.go_on().and_then(|()| work(item)) {
                Ok(result) => done.push((at, result)),
                Err(fault) => {
                    failed.store(true, Ordering::Relaxed);
                    return Err(fault);
                }
            }
        }
        Ok(done)
    };
    let mut all = std::thread::scope(|scope| {
        let threads = threads.min(items.len()).max(1);
        let working: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        let mut all = Vec::with_capacity(items.len());
        for thread in working {
            all.extend(thread.join().expect("work on a file does not panic")?);
        }
        Ok::<_, Fault>(all)
    })?;
    all.sort_unstable_by_key(|(at, _): &(usize, T)| *at);
    Ok(all.into_iter().map(|(_, result)| result).collect())
}
