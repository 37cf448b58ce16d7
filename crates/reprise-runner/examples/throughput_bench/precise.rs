//! Waits to within some ten microseconds: tokio's timer adds a millisecond.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// One thread that ends the waits of a whole run.
#[derive(Clone)]
pub struct Precise(Option<Sender<(Instant, oneshot::Sender<()>)>>);

impl Precise {
    /// A thread is started only if anything takes time.
    pub fn new(takes_time: bool) -> Self {
        Self(takes_time.then(|| {
            let (sender, waits) = channel();
            std::thread::spawn(move || ring(&waits));
            sender
        }))
    }

    pub async fn wait(&self, time: Duration) {
        if let Some(thread) = &self.0 {
            let (bell, rung) = oneshot::channel();
            let at = Instant::now() + time;
            thread
                .send((at, bell))
                .expect("the thread outlives its waits");
            let _ = rung.await;
        }
    }
}

fn ring(waits: &Receiver<(Instant, oneshot::Sender<()>)>) {
    // By the moment, then by arrival.
    let mut due: BTreeMap<(Instant, Reverse<u64>), oneshot::Sender<()>> = BTreeMap::new();
    let mut arrivals = 0;
    loop {
        let now = Instant::now();
        while let Some(first) = due.first_entry()
            && first.key().0 <= now
        {
            let _ = first.remove().send(());
        }
        let next = due.first_key_value().map(|((at, _), _)| *at);
        let wait = next.map_or(Duration::from_secs(3600), |at| at - now);
        match waits.recv_timeout(wait) {
            Ok((at, bell)) => {
                arrivals += 1;
                due.insert((at, Reverse(arrivals)), bell);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
