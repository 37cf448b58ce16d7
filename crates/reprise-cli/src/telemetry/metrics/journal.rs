//! A journal whose commits are counted.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use reprise_model::{Command, Digest, Entry, Epoch, Owner, Plan, Plans, RunId, Seq, Timestamp};
use reprise_ports::{
    Claim, Journal, JournalError, NewRun, RunRow, Sink, Summarised, Summary, Verified,
};

pub struct Metered {
    journal: Arc<dyn Journal>,
    commits: Counter,
    entries: Counter,
    durations: Histogram,
}

impl Metered {
    pub(super) fn register(journal: Arc<dyn Journal>, registry: &mut Registry) -> Self {
        let metered = Self {
            journal,
            commits: Counter::default(),
            entries: Counter::default(),
            // From 0.1 ms to 1.6 s, by twos.
            durations: Histogram::new(exponential_buckets(0.0001, 2.0, 15)),
        };
        registry.register(
            "journal_commits",
            "Commits of the journal, each durable",
            metered.commits.clone(),
        );
        registry.register(
            "journal_entries",
            "Entries written to the journal",
            metered.entries.clone(),
        );
        registry.register_with_unit(
            "journal_commit_duration",
            "From handing entries over to their being durable",
            Unit::Seconds,
            metered.durations.clone(),
        );
        metered
    }
}

#[async_trait]
impl Journal for Metered {
    async fn append(
        &self,
        run: &RunId,
        claim: &mut Claim,
        entries: &[Entry],
    ) -> Result<(), JournalError> {
        let start = Instant::now();
        self.journal.append(run, claim, entries).await?;
        self.durations.observe(start.elapsed().as_secs_f64());
        self.commits.inc();
        self.entries.inc_by(entries.len() as u64);
        Ok(())
    }

    async fn create(&self, run: &NewRun<'_>) -> Result<(), JournalError> {
        self.journal.create(run).await
    }

    async fn runs(&self) -> Result<Vec<RunRow>, JournalError> {
        self.journal.runs().await
    }

    async fn plan(&self, run: &RunId) -> Result<Plan, JournalError> {
        self.journal.plan(run).await
    }

    async fn plans(&self, run: &RunId) -> Result<Plans, JournalError> {
        self.journal.plans(run).await
    }

    async fn replan(
        &self,
        run: &RunId,
        claim: &mut Claim,
        plan: &Plan,
        entries: &[Entry],
    ) -> Result<(), JournalError> {
        self.journal.replan(run, claim, plan, entries).await?;
        self.commits.inc();
        self.entries.inc_by(entries.len() as u64);
        Ok(())
    }

    async fn claim(&self, run: &RunId, owner: &Owner) -> Result<Claim, JournalError> {
        self.journal.claim(run, owner).await
    }

    async fn release(&self, run: &RunId, claim: &Claim) {
        self.journal.release(run, claim).await;
    }

    async fn read(&self, run: &RunId, from: Seq, sink: Sink<'_>) -> Result<Verified, JournalError> {
        self.journal.read(run, from, sink).await
    }

    async fn cut_torn(&self, run: &RunId, claim: &Claim) -> Result<u64, JournalError> {
        self.journal.cut_torn(run, claim).await
    }

    async fn summarise(
        &self,
        run: &RunId,
        epoch: Epoch,
        summary: &Summary,
    ) -> Result<(), JournalError> {
        self.journal.summarise(run, epoch, summary).await
    }

    async fn summary(&self, run: &RunId) -> Result<Summarised, JournalError> {
        self.journal.summary(run).await
    }

    async fn head(&self, run: &RunId) -> Result<Digest, JournalError> {
        self.journal.head(run).await
    }

    async fn post(
        &self,
        run: &RunId,
        command: &Command,
        at: Timestamp,
    ) -> Result<u64, JournalError> {
        self.journal.post(run, command, at).await
    }

    async fn inbox(&self, run: &RunId, after: u64) -> Result<Vec<(u64, Command)>, JournalError> {
        self.journal.inbox(run, after).await
    }
}
