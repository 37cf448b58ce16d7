//! A journal that ends the process at a given length.

use std::convert::Infallible;
use std::sync::Arc;

use async_trait::async_trait;
use reprise_model::{Command, Digest, Entry, Epoch, Owner, Plan, Plans, RunId, Seq, Timestamp};
use reprise_ports::{
    Claim, Journal, JournalError, NewRun, RunRow, Sink, Summarised, Summary, Verified,
};
use rustix::process::{Signal, getpid, kill_process};

pub struct Limited {
    inner: Arc<dyn Journal>,
    /// The number of entries that the journal may hold.
    limit: Option<u64>,
}

impl Limited {
    pub fn new(inner: Arc<dyn Journal>, limit: Option<u64>) -> Self {
        Self { inner, limit }
    }
}

/// Nothing more of this process happens: no destructor, no goodbye.
fn die() -> Infallible {
    loop {
        kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
    }
}

#[async_trait]
impl Journal for Limited {
    async fn append(
        &self,
        run: &RunId,
        claim: &mut Claim,
        entries: &[Entry],
    ) -> Result<(), JournalError> {
        let Some(limit) = self.limit else {
            return self.inner.append(run, claim, entries).await;
        };
        let room = usize::try_from(limit.saturating_sub(claim.next.0)).unwrap_or(usize::MAX);
        let written = &entries[..entries.len().min(room)];
        self.inner.append(run, claim, written).await?;
        if claim.next.0 >= limit {
            match die() {}
        }
        Ok(())
    }

    async fn create(&self, run: &NewRun<'_>) -> Result<(), JournalError> {
        self.inner.create(run).await
    }

    async fn runs(&self) -> Result<Vec<RunRow>, JournalError> {
        self.inner.runs().await
    }

    async fn plan(&self, run: &RunId) -> Result<Plan, JournalError> {
        self.inner.plan(run).await
    }

    async fn plans(&self, run: &RunId) -> Result<Plans, JournalError> {
        self.inner.plans(run).await
    }

    /// Both or neither: no group to cut. Nothing here puts another plan in force.
    async fn replan(
        &self,
        run: &RunId,
        claim: &mut Claim,
        plan: &Plan,
        entries: &[Entry],
    ) -> Result<(), JournalError> {
        self.inner.replan(run, claim, plan, entries).await
    }

    async fn claim(&self, run: &RunId, owner: &Owner) -> Result<Claim, JournalError> {
        self.inner.claim(run, owner).await
    }

    async fn release(&self, run: &RunId, claim: &Claim) {
        self.inner.release(run, claim).await;
    }

    async fn read(&self, run: &RunId, from: Seq, sink: Sink<'_>) -> Result<Verified, JournalError> {
        self.inner.read(run, from, sink).await
    }

    async fn cut_torn(&self, run: &RunId, claim: &Claim) -> Result<u64, JournalError> {
        self.inner.cut_torn(run, claim).await
    }

    async fn summarise(
        &self,
        run: &RunId,
        epoch: Epoch,
        summary: &Summary,
    ) -> Result<(), JournalError> {
        self.inner.summarise(run, epoch, summary).await
    }

    async fn summary(&self, run: &RunId) -> Result<Summarised, JournalError> {
        self.inner.summary(run).await
    }

    async fn head(&self, run: &RunId) -> Result<Digest, JournalError> {
        self.inner.head(run).await
    }

    async fn post(
        &self,
        run: &RunId,
        command: &Command,
        at: Timestamp,
    ) -> Result<u64, JournalError> {
        self.inner.post(run, command, at).await
    }

    async fn inbox(&self, run: &RunId, after: u64) -> Result<Vec<(u64, Command)>, JournalError> {
        self.inner.inbox(run, after).await
    }
}
