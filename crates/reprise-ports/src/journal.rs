//! The journal: append-only events of each run, keyed (run, seq), hash-chained.

use std::ops::ControlFlow;

use async_trait::async_trait;
use reprise_model::{Command, Digest, Entry, Epoch, Owner, Plan, Plans, RunId, Seq, Timestamp};

/// A run to be created, with the plan it executes.
#[derive(Clone, Debug)]
pub struct NewRun<'a> {
    pub id: RunId,
    pub plan: &'a Plan,
    pub created: Timestamp,
    /// Where `${NAME}` references were resolved from, so that `resume` finds it again.
    pub env_file: Option<String>,
}

/// A run, as the list of runs shows it.
#[derive(Clone, PartialEq, Debug)]
pub struct RunRow {
    pub id: RunId,
    /// The plan in force.
    pub plan_hash: Digest,
    pub target_time: Timestamp,
    pub created: Timestamp,
    pub env_file: Option<String>,
    pub sites: u32,
    pub tasks: u32,
    pub owner: OwnerState,
}

/// Whether a coordinator has the run in its hands right now: decided by a
/// lock that the operating system or the server drops when the coordinator
/// dies, never by a clock.
#[derive(Clone, PartialEq, Debug)]
pub enum OwnerState {
    /// Nobody has it, or its last owner is gone.
    Free,
    Alive(Owner),
}

/// The right to write to a run's journal, until it is dropped or superseded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    pub epoch: Epoch,
    /// The seq that the next entry must have.
    pub next: Seq,
    /// The chain's digest up to `next`.
    pub head: Digest,
}

/// Takes the entries of one page after another, in order; `Break` ends the
/// reading there.
pub type Sink<'a> = &'a mut (dyn FnMut(Vec<Entry>) -> ControlFlow<()> + Send);

/// How far a journal was read and found to be whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verified {
    /// The seq after the last one read.
    pub next: Seq,
    /// The chain's digest up to there.
    pub head: Digest,
    /// Pages past the run's own record, which were left out: their append was
    /// never answered, so nothing that follows from them was ever done. See [`Journal::cut_torn`].
    pub torn: u64,
}

/// How a run stood at some moment, for people to see. Made by the run's own
/// coordinator, derived from the entries before `next`, and never a ground
/// for any decision: only the entries are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    pub next: Seq,
    pub at: Timestamp,
    /// What whoever shows it has put in.
    pub body: String,
}

/// A run's newest summary, and the seq that its journal has come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summarised {
    pub journal_at: Seq,
    pub summary: Option<Summary>,
}

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("there is no run `{0}` in this journal")]
    NoSuchRun(RunId),
    #[error("run `{run}` is in the hands of process {} on {} (epoch {})", owner.pid, owner.host, owner.epoch.0)]
    Alive { run: RunId, owner: Owner },
    #[error("run `{run}` has been taken over: this coordinator's epoch is {}, the journal's is {}", ours.0, theirs.0)]
    Superseded {
        run: RunId,
        ours: Epoch,
        theirs: Epoch,
    },
    #[error("run `{run}`: entry {} was expected next, the journal is at {}", ours.0, theirs.0)]
    OutOfStep { run: RunId, ours: Seq, theirs: Seq },
    #[error("run `{run}`: the journal does not verify at entry {}: {what}", seq.0)]
    Corrupt { run: RunId, seq: Seq, what: String },
    #[error("the journal has schema version {found}, this reprise knows up to {known}")]
    Newer { found: i64, known: i64 },
    #[error("the journal at {place} cannot be used: {what}")]
    Unusable { place: String, what: String },
    /// Nothing of what could not be written is there.
    #[error("the journal at {place} cannot be written: its disk is full ({what})")]
    NoRoom { place: String, what: String },
}

/// One journal holds many runs. Implementations must make `append` durable
/// before it returns, and must refuse a writer whose epoch or seq is not the
/// journal's.
#[async_trait]
pub trait Journal: Send + Sync {
    async fn create(&self, run: &NewRun<'_>) -> Result<(), JournalError>;

    /// Newest first.
    async fn runs(&self) -> Result<Vec<RunRow>, JournalError>;

    /// The plan in force.
    async fn plan(&self, run: &RunId) -> Result<Plan, JournalError>;

    /// All plans that the run has had, the one of its creation first.
    async fn plans(&self, run: &RunId) -> Result<Plans, JournalError>;

    /// Becomes the run's only writer. Refused while another coordinator is
    /// alive. `owner.epoch` is ignored; the claim holds the new one.
    async fn claim(&self, run: &RunId, owner: &Owner) -> Result<Claim, JournalError>;

    /// Gives the run up, so that another may claim it.
    async fn release(&self, run: &RunId, claim: &Claim);

    /// Appends entries whose seqs continue `claim.next`, all or none, and
    /// moves the claim on. Durable when it returns.
    async fn append(
        &self,
        run: &RunId,
        claim: &mut Claim,
        entries: &[Entry],
    ) -> Result<(), JournalError>;

    /// Like `append`, for entries that put another plan in force: the plan is
    /// stored with them, both or neither.
    async fn replan(
        &self,
        run: &RunId,
        claim: &mut Claim,
        plan: &Plan,
        entries: &[Entry],
    ) -> Result<(), JournalError>;

    /// Gives all entries from `from` on to the sink, page by page, the chain
    /// verified from the very first one and, unless the sink ends the reading,
    /// its end against the run's own record. Pages wholly before `from` are
    /// verified and not parsed. The sink is called for verified pages only; an
    /// error may still come after them, and then nothing of it is to be used.
    async fn read(&self, run: &RunId, from: Seq, sink: Sink<'_>) -> Result<Verified, JournalError>;

    /// All entries from `from` on at once: for tests, and for what is known
    /// to be small.
    async fn read_all(&self, run: &RunId, from: Seq) -> Result<Vec<Entry>, JournalError> {
        let mut all = Vec::new();
        let mut sink = |entries: Vec<Entry>| {
            all.extend(entries);
            ControlFlow::Continue(())
        };
        self.read(run, from, &mut sink).await?;
        Ok(all)
    }

    /// Removes pages past the run's own record, so that an append finds their
    /// places free. Only for a claim under which the journal was read and
    /// found whole up to `claim.next`: a record that is itself wrong would
    /// take good pages with it. Returns how many there were.
    async fn cut_torn(&self, run: &RunId, claim: &Claim) -> Result<u64, JournalError>;

    /// The digest of the whole chain as it stands.
    async fn head(&self, run: &RunId) -> Result<Digest, JournalError>;

    /// Replaces the run's summary; does nothing once another coordinator has
    /// taken the run over.
    async fn summarise(
        &self,
        run: &RunId,
        epoch: Epoch,
        summary: &Summary,
    ) -> Result<(), JournalError>;

    /// The newest summary, read without the entries.
    async fn summary(&self, run: &RunId) -> Result<Summarised, JournalError>;

    /// Puts an operator's command into the run's inbox.
    async fn post(
        &self,
        run: &RunId,
        command: &Command,
        at: Timestamp,
    ) -> Result<u64, JournalError>;

    /// Commands posted after number `after`, with their numbers, in order.
    async fn inbox(&self, run: &RunId, after: u64) -> Result<Vec<(u64, Command)>, JournalError>;
}
