//! A journal that gives up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use reprise_journal::MemoryJournal;
use reprise_model::{Command, Digest, Entry, Epoch, Owner, Plan, Plans, RunId, Seq, Timestamp};
use reprise_ports::{
    Claim, Journal, JournalError, NewRun, RunRow, Sink, Summarised, Summary, Verified,
};

/// A journal that takes so many appends and then no more.
pub struct Failing {
    pub inner: Arc<MemoryJournal>,
    pub left: AtomicU32,
}

#[async_trait]
impl Journal for Failing {
    async fn append(
        &self,
        run: &RunId,
        claim: &mut Claim,
        entries: &[Entry],
    ) -> Result<(), JournalError> {
        let take = |left: u32| left.checked_sub(1);
        match self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
        {
            Ok(_) => self.inner.append(run, claim, entries).await,
            Err(_) => Err(JournalError::Unusable {
                place: "test".to_owned(),
                what: "disk full".to_owned(),
            }),
        }
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
}
