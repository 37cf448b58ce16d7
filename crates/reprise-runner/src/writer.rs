//! The one who appends to the run's journal, beside the coordinator: while a
//! page is being committed the coordinator goes on taking inputs and deciding,
//! and all that it has journalled meanwhile goes into the next commit.
//!
//! | event | effect |
//! |---|---|
//! | a page is durable | observers are given its entries, then the coordinator is told; it performs what waited for it |
//! | an append fails | the coordinator is told and ends; nothing is appended after it |
//! | the coordinator ends | what it has journalled is still written, then the claim comes back |
//! | the process dies | pages that were not committed are lost, and nothing that waited for them was done |

use std::sync::Arc;

use reprise_model::{Entry, RunId};
use reprise_ports::{Claim, Journal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::dispatch::Message;
use crate::observer::Observer;

/// Entries in one page at most: bounds the memory of those who read it.
const PAGE_AT_MOST: usize = 8192;

/// Where a writer writes to, and whom it tells.
pub(crate) struct Desk {
    pub run: RunId,
    pub journal: Arc<dyn Journal>,
    pub observer: Arc<dyn Observer>,
    pub outbox: mpsc::UnboundedSender<Message>,
}

pub(crate) struct Writer {
    queue: mpsc::UnboundedSender<Vec<Entry>>,
    /// Absent once it was seen to be over.
    job: Option<JoinHandle<Claim>>,
}

impl Writer {
    pub fn start(desk: Desk, claim: Claim) -> Self {
        let (queue, entries) = mpsc::unbounded_channel();
        let job = tokio::spawn(desk.write(claim, entries));
        Self {
            queue,
            job: Some(job),
        }
    }

    /// Hands entries over; a message will tell that they are durable, or that
    /// there was an error.
    pub fn write(&self, entries: Vec<Entry>) {
        let _ = self.queue.send(entries);
    }

    /// Returns when the writer is gone, and only then: it must not outlive a
    /// coordinator that waits for it. Goes on with its panic.
    pub async fn gone(&mut self) {
        let Some(job) = &mut self.job else { return };
        let ended = job.await;
        self.job = None;
        if let Err(error) = ended
            && let Ok(panic) = error.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }

    /// Writes what is left, and gives the claim back.
    pub async fn close(self) -> Option<Claim> {
        drop(self.queue);
        self.job?.await.ok()
    }
}

impl Desk {
    async fn write(
        self,
        mut claim: Claim,
        mut queue: mpsc::UnboundedReceiver<Vec<Entry>>,
    ) -> Claim {
        let mut pending = Vec::new();
        while let Some(entries) = queue.recv().await {
            pending.extend(entries);
            while pending.len() < PAGE_AT_MOST
                && let Ok(entries) = queue.try_recv()
            {
                pending.extend(entries);
            }
            for page in pending.chunks(PAGE_AT_MOST) {
                if let Err(error) = self.journal.append(&self.run, &mut claim, page).await {
                    let _ = self.outbox.send(Message::Unwritten(error));
                    return claim;
                }
                self.observer.entries(page);
                let _ = self.outbox.send(Message::Durable(claim.next));
            }
            pending.clear();
        }
        claim
    }
}
