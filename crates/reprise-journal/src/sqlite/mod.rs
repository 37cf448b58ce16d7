//! SQLite: one file, nothing to install.
//!
//! One connection writes, a few read. WAL mode lets them run side by side;
//! full synchronous makes each commit durable before it returns.

mod append;
mod connect;
mod fault;
mod lock;
mod plans;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::TryStreamExt;
use reprise_model::{Command, Digest, Entry, Epoch, Owner, Plan, Plans, RunId, Seq, Timestamp};
use reprise_ports::{
    Claim, Journal, JournalError, NewRun, RunRow, Sink, Summarised, Summary, Verified,
};
use sqlx::{Connection, SqliteConnection, SqlitePool, query, query_as, query_scalar};

use crate::rows::{
    CommandRecord, OwnerRecord, PageRecord, PlanRecord, RunRecord, SummaryRecord, TipRecord,
    read_plans,
};
use connect::Identity;
use lock::RunLock;
use reprise_chain::{Chain, Tip, genesis};

pub(crate) struct SqliteJournal {
    path: PathBuf,
    identity: Identity,
    place: String,
    writer: tokio::sync::Mutex<Writer>,
    readers: SqlitePool,
    held: Mutex<BTreeMap<RunId, Held>>,
}

struct Writer {
    connection: SqliteConnection,
    /// Size of the last page: what to reserve for the next.
    last_bytes: usize,
    /// Whether an append was begun of which no end was seen.
    in_transaction: bool,
}

impl Writer {
    /// Ends an append that failed or was cut off.
    async fn roll_back(&mut self) {
        if self.in_transaction {
            // Where it left no transaction open, this is an error, and all is well.
            let _ = query("rollback").execute(&mut self.connection).await;
            self.in_transaction = false;
        }
    }
}

struct Held {
    claim: Claim,
    /// Held for its lock: closing it gives the run up.
    lock: RunLock,
}

impl SqliteJournal {
    pub(crate) async fn open(path: &Path) -> Result<Self, JournalError> {
        let place = path.display().to_string();
        let path = connect::prepare(path).map_err(|error| fault::of_file(&place, &error))?;
        let connection = connect::writer(&path, &place).await?;
        let identity = Identity::of(&path).map_err(|error| fault::of_file(&place, &error))?;
        Ok(Self {
            identity,
            readers: connect::readers(&path),
            path,
            place,
            writer: tokio::sync::Mutex::new(Writer {
                connection,
                last_bytes: 0,
                in_transaction: false,
            }),
            held: Mutex::default(),
        })
    }

    fn fault(&self, error: &sqlx::Error) -> JournalError {
        fault::of_sqlx(&self.place, error)
    }

    /// The one connection that writes, outside of any transaction.
    async fn writer(&self) -> tokio::sync::MutexGuard<'_, Writer> {
        let mut writer = self.writer.lock().await;
        writer.roll_back().await;
        writer
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<RunId, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An open file can be written long after it was deleted, and nobody will
    /// ever read it.
    fn still_there(&self) -> Result<(), JournalError> {
        match Identity::of(&self.path) {
            Ok(found) if found == self.identity => Ok(()),
            Ok(_) | Err(_) => Err(fault::of_lost_file(&self.place)),
        }
    }

    fn holds(&self, run: &RunId, claim: &Claim) -> bool {
        let held = self.held();
        held.get(run)
            .is_some_and(|held| held.claim.epoch == claim.epoch)
    }

    async fn owner(&self, run: &RunId) -> Result<Owner, JournalError> {
        let record: Option<OwnerRecord> = query_as(include_str!("queries/select_owner.sql"))
            .bind(run.as_str())
            .fetch_optional(&self.readers)
            .await
            .map_err(|error| self.fault(&error))?;
        let record = record.ok_or_else(|| JournalError::NoSuchRun(run.clone()))?;
        Ok(record.read())
    }

    async fn tip(&self, run: &RunId) -> Result<Tip, JournalError> {
        let mut reader = self.readers.acquire().await.map_err(|e| self.fault(&e))?;
        self.tip_on(run, &mut reader).await
    }

    async fn tip_on(
        &self,
        run: &RunId,
        connection: &mut SqliteConnection,
    ) -> Result<Tip, JournalError> {
        let record: Option<TipRecord> = query_as(include_str!("queries/select_tip.sql"))
            .bind(run.as_str())
            .fetch_optional(connection)
            .await
            .map_err(|error| self.fault(&error))?;
        let record = record.ok_or_else(|| JournalError::NoSuchRun(run.clone()))?;
        record.read(run)
    }

    async fn insert(&self, run: &NewRun<'_>) -> Result<(), sqlx::Error> {
        let row = crate::row_of(run);
        let plan = serde_json::to_string(run.plan).expect("a plan is plain data");
        let mut writer = self.writer().await;
        let mut transaction = writer.connection.begin_with("begin immediate").await?;
        query(include_str!("queries/insert_run.sql"))
            .bind(run.id.as_str())
            .bind(row.plan_hash.as_bytes().as_slice())
            .bind(row.target_time.as_micros())
            .bind(row.created.as_micros())
            .bind(row.env_file)
            .bind(i64::from(row.sites))
            .bind(i64::from(row.tasks))
            .bind(genesis(&run.id).as_bytes().as_slice())
            .execute(&mut *transaction)
            .await?;
        query(include_str!("queries/insert_plan.sql"))
            .bind(run.id.as_str())
            .bind(Digest::of(plan.as_bytes()).as_bytes().as_slice())
            .bind(plan)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }
}

#[async_trait]
impl Journal for SqliteJournal {
    async fn create(&self, run: &NewRun<'_>) -> Result<(), JournalError> {
        self.insert(run)
            .await
            .map_err(|error| fault::of_create(&self.place, &run.id, &error))
    }

    async fn runs(&self) -> Result<Vec<RunRow>, JournalError> {
        let records: Vec<RunRecord> = query_as(include_str!("queries/select_runs.sql"))
            .fetch_all(&self.readers)
            .await
            .map_err(|error| self.fault(&error))?;
        let read = |record: RunRecord| {
            let alive = lock::is_held(&self.path, &record.id);
            record.read(alive)
        };
        records.into_iter().map(read).collect()
    }

    async fn plan(&self, run: &RunId) -> Result<Plan, JournalError> {
        let record: Option<PlanRecord> = query_as(include_str!("queries/select_plan.sql"))
            .bind(run.as_str())
            .fetch_optional(&self.readers)
            .await
            .map_err(|error| self.fault(&error))?;
        let record = record.ok_or_else(|| JournalError::NoSuchRun(run.clone()))?;
        record.read(run)
    }

    async fn plans(&self, run: &RunId) -> Result<Plans, JournalError> {
        let records = query_as(include_str!("queries/select_plans.sql"))
            .bind(run.as_str())
            .fetch_all(&self.readers)
            .await
            .map_err(|error| self.fault(&error))?;
        read_plans(run, records)
    }

    async fn claim(&self, run: &RunId, owner: &Owner) -> Result<Claim, JournalError> {
        // Before the lock, so that a mistyped name leaves no lock file behind.
        let last = self.owner(run).await?;
        let lock = RunLock::take(&self.path, run.as_str())
            .await
            .map_err(|error| fault::of_file(&self.place, &error))?;
        let Some(lock) = lock else {
            // Read again: the one seen above may have given up since.
            let owner = self.owner(run).await.unwrap_or(last);
            let run = run.clone();
            return Err(JournalError::Alive { run, owner });
        };
        let mut writer = self.writer().await;
        let record: TipRecord = query_as(include_str!("queries/take_over.sql"))
            .bind(run.as_str())
            .bind(&owner.host)
            .bind(i64::from(owner.pid))
            .bind(&owner.version)
            .fetch_one(&mut writer.connection)
            .await
            .map_err(|error| self.fault(&error))?;
        let Tip { epoch, next, head } = record.read(run)?;
        let claim = Claim { epoch, next, head };
        self.held().insert(run.clone(), Held { claim, lock });
        Ok(claim)
    }

    async fn release(&self, run: &RunId, claim: &Claim) {
        if self.holds(run, claim)
            && let Some(held) = self.held().remove(run)
        {
            held.lock.give_up();
        }
    }

    async fn append(
        &self,
        run: &RunId,
        claim: &mut Claim,
        entries: &[Entry],
    ) -> Result<(), JournalError> {
        self.append_with(run, claim, None, entries).await
    }

    async fn replan(
        &self,
        run: &RunId,
        claim: &mut Claim,
        plan: &Plan,
        entries: &[Entry],
    ) -> Result<(), JournalError> {
        self.append_with(run, claim, Some(plan), entries).await
    }

    async fn read(&self, run: &RunId, from: Seq, sink: Sink<'_>) -> Result<Verified, JournalError> {
        // One read transaction: the run's row and its pages are of one moment.
        let fault = |error| self.fault(&error);
        let mut snapshot = self.readers.begin().await.map_err(fault)?;
        let tip = self.tip_on(run, &mut snapshot).await?;
        let mut chain = Chain::start(run, tip);
        {
            let mut pages = query_as::<_, PageRecord>(include_str!("queries/select_pages.sql"))
                .bind(run.as_str())
                .fetch(&mut *snapshot);
            loop {
                let next = pages.try_next().await;
                let next = next.map_err(|error| match fault::is_damage(&error) {
                    true => chain.broken(fault::of_sqlx(&self.place, &error).to_string()),
                    false => fault(error),
                });
                let Some(record) = next? else { break };
                let entries = chain.follow(&record.read(run)?, from)?;
                if !entries.is_empty() && sink(entries).is_break() {
                    return Ok(chain.verified());
                }
            }
        }
        snapshot.commit().await.map_err(fault)?;
        chain.finish()
    }

    async fn cut_torn(&self, run: &RunId, claim: &Claim) -> Result<u64, JournalError> {
        let mut writer = self.writer().await;
        let cut = query(include_str!("queries/cut_torn.sql"))
            .bind(run.as_str())
            .bind(claim.epoch.0.cast_signed())
            .bind(claim.next.0.cast_signed())
            .execute(&mut writer.connection)
            .await
            .map_err(|error| self.fault(&error))?;
        Ok(cut.rows_affected())
    }

    async fn head(&self, run: &RunId) -> Result<Digest, JournalError> {
        Ok(self.tip(run).await?.head)
    }

    async fn summarise(
        &self,
        run: &RunId,
        epoch: Epoch,
        summary: &Summary,
    ) -> Result<(), JournalError> {
        let mut writer = self.writer().await;
        query(include_str!("queries/upsert_summary.sql"))
            .bind(run.as_str())
            .bind(epoch.0.cast_signed())
            .bind(summary.next.0.cast_signed())
            .bind(summary.at.as_micros())
            .bind(&summary.body)
            .execute(&mut writer.connection)
            .await
            .map_err(|error| self.fault(&error))?;
        Ok(())
    }

    async fn summary(&self, run: &RunId) -> Result<Summarised, JournalError> {
        let record: Option<SummaryRecord> = query_as(include_str!("queries/select_summary.sql"))
            .bind(run.as_str())
            .fetch_optional(&self.readers)
            .await
            .map_err(|error| self.fault(&error))?;
        let record = record.ok_or_else(|| JournalError::NoSuchRun(run.clone()))?;
        Ok(record.read())
    }

    async fn post(
        &self,
        run: &RunId,
        command: &Command,
        at: Timestamp,
    ) -> Result<u64, JournalError> {
        self.tip(run).await?;
        let body = serde_json::to_string(command).expect("a command is plain data");
        let mut writer = self.writer().await;
        let number: i64 = query_scalar(include_str!("queries/insert_command.sql"))
            .bind(run.as_str())
            .bind(at.as_micros())
            .bind(body)
            .fetch_one(&mut writer.connection)
            .await
            .map_err(|error| self.fault(&error))?;
        Ok(number.cast_unsigned())
    }

    async fn inbox(&self, run: &RunId, after: u64) -> Result<Vec<(u64, Command)>, JournalError> {
        let records: Vec<CommandRecord> = query_as(include_str!("queries/select_commands.sql"))
            .bind(run.as_str())
            .bind(after.cast_signed())
            .fetch_all(&self.readers)
            .await
            .map_err(|error| self.fault(&error))?;
        let read = |record: CommandRecord| record.read(&self.place);
        records.into_iter().map(read).collect()
    }
}
