//! PostgreSQL: a journal that several machines can reach.
//!
//! Each claim has a connection of its own. It holds the run's advisory lock
//! and is the only one that appends: when it is lost, so is the right to
//! write, at the server's end as at ours.

mod connect;
mod fault;
mod held;
mod plans;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt;
use reprise_model::{Command, Digest, Entry, Epoch, Owner, Plan, Plans, RunId, Seq, Timestamp};
use reprise_ports::{
    Claim, Journal, JournalError, NewRun, RunRow, Sink, Summarised, Summary, Verified,
};
use sqlx::postgres::PgConnectOptions;
use sqlx::{PgConnection, PgPool, query, query_as, query_scalar};
use tokio::sync::Mutex;

use crate::rows::{
    CommandRecord, OwnerRecord, PageRecord, PlanRecord, RunRecord, SummaryRecord, TipRecord,
    read_plans,
};
use held::{Held, lock_key};
use reprise_chain::{Chain, Tip, compose, conflict, genesis};

pub(crate) struct PostgresJournal {
    place: String,
    options: PgConnectOptions,
    pool: PgPool,
    held: Mutex<BTreeMap<RunId, Arc<Mutex<Held>>>>,
}

impl PostgresJournal {
    pub(crate) async fn open(
        options: PgConnectOptions,
        place: String,
    ) -> Result<Self, JournalError> {
        let options = connect::ours(options);
        connect::migrate(&options, &place).await?;
        Ok(Self {
            pool: connect::pool(&options),
            place,
            options,
            held: Mutex::default(),
        })
    }

    fn fault(&self, error: &sqlx::Error) -> JournalError {
        fault::of_sqlx(&self.place, error)
    }

    async fn owner(&self, run: &RunId) -> Result<Owner, JournalError> {
        let record: Option<OwnerRecord> = query_as(include_str!("queries/select_owner.sql"))
            .bind(run.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| self.fault(&error))?;
        let record = record.ok_or_else(|| JournalError::NoSuchRun(run.clone()))?;
        Ok(record.read())
    }

    async fn tip(&self, run: &RunId) -> Result<Tip, JournalError> {
        let mut reader = self.pool.acquire().await.map_err(|e| self.fault(&e))?;
        self.tip_on(run, &mut reader).await
    }

    async fn tip_on(
        &self,
        run: &RunId,
        connection: &mut PgConnection,
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
        let mut transaction = self.pool.begin().await?;
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

    async fn put(&self, run: &RunId, command: &Command, at: Timestamp) -> Result<i64, sqlx::Error> {
        let body = serde_json::to_string(command).expect("a command is plain data");
        let mut transaction = self.pool.begin().await?;
        query(include_str!("queries/lock_inbox.sql"))
            .bind(held::inbox_key(run))
            .execute(&mut *transaction)
            .await?;
        let number = query_scalar(include_str!("queries/insert_command.sql"))
            .bind(run.as_str())
            .bind(at.as_micros())
            .bind(body)
            .fetch_one(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(number)
    }

    /// Appends, and puts a plan in force where one is given.
    async fn append_with(
        &self,
        run: &RunId,
        claim: &mut Claim,
        plan: Option<&Plan>,
        entries: &[Entry],
    ) -> Result<(), JournalError> {
        if entries.is_empty() {
            return Ok(());
        }
        let page = compose(run, claim, entries, 0)?;
        let found = self.held.lock().await.get(run).cloned();
        let Some(held) = found else {
            return Err(self.refusal(run, claim).await);
        };
        let mut held = held.lock().await;
        if held.epoch != claim.epoch {
            return Err(self.refusal(run, claim).await);
        }
        let moved = page.moved(claim);
        match held.append(run, claim, plan, page).await {
            Ok(true) => {
                *claim = moved;
                Ok(())
            }
            Ok(false) => Err(conflict(
                run,
                claim,
                self.tip_on(run, &mut held.connection).await?,
            )),
            Err(error) => {
                // Whether the page is in is not known, and the lock may be
                // gone: this claim is over. A new one reads what is there.
                self.held.lock().await.remove(run);
                Err(self.fault(&error))
            }
        }
    }

    /// Why a claim is not, or no longer, good for an append.
    async fn refusal(&self, run: &RunId, claim: &Claim) -> JournalError {
        match self.tip(run).await {
            Ok(tip) if (tip.epoch, tip.next) == (claim.epoch, claim.next) => {
                crate::not_held(run, &self.place)
            }
            Ok(tip) => conflict(run, claim, tip),
            Err(error) => error,
        }
    }
}

#[async_trait]
impl Journal for PostgresJournal {
    async fn create(&self, run: &NewRun<'_>) -> Result<(), JournalError> {
        self.insert(run)
            .await
            .map_err(|error| fault::of_create(&self.place, &run.id, &error))
    }

    async fn runs(&self) -> Result<Vec<RunRow>, JournalError> {
        let fault = |error| self.fault(&error);
        let records: Vec<RunRecord> = query_as(include_str!("queries/select_runs.sql"))
            .fetch_all(&self.pool)
            .await
            .map_err(fault)?;
        let held: Vec<i64> = query_scalar(include_str!("queries/held_locks.sql"))
            .fetch_all(&self.pool)
            .await
            .map_err(fault)?;
        let read = |record: RunRecord| {
            let alive = held.contains(&lock_key(&record.id));
            record.read(alive)
        };
        records.into_iter().map(read).collect()
    }

    async fn plan(&self, run: &RunId) -> Result<Plan, JournalError> {
        let record: Option<PlanRecord> = query_as(include_str!("queries/select_plan.sql"))
            .bind(run.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| self.fault(&error))?;
        let record = record.ok_or_else(|| JournalError::NoSuchRun(run.clone()))?;
        record.read(run)
    }

    async fn plans(&self, run: &RunId) -> Result<Plans, JournalError> {
        let records = query_as(include_str!("queries/select_plans.sql"))
            .bind(run.as_str())
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.fault(&error))?;
        read_plans(run, records)
    }

    async fn claim(&self, run: &RunId, owner: &Owner) -> Result<Claim, JournalError> {
        let fault = |error| self.fault(&error);
        let last = self.owner(run).await?;
        let Some(mut connection) = held::lock(&self.options, run).await.map_err(fault)? else {
            // Read again: the one seen above may have given up since.
            let owner = self.owner(run).await.unwrap_or(last);
            let run = run.clone();
            return Err(JournalError::Alive { run, owner });
        };
        let record: TipRecord = query_as(include_str!("queries/take_over.sql"))
            .bind(run.as_str())
            .bind(&owner.host)
            .bind(i64::from(owner.pid))
            .bind(&owner.version)
            .fetch_one(&mut connection)
            .await
            .map_err(fault)?;
        let Tip { epoch, next, head } = record.read(run)?;
        let held = Held { epoch, connection };
        let mut all = self.held.lock().await;
        all.insert(run.clone(), Arc::new(Mutex::new(held)));
        Ok(Claim { epoch, next, head })
    }

    async fn release(&self, run: &RunId, claim: &Claim) {
        let found = self.held.lock().await.get(run).cloned();
        let Some(held) = found else { return };
        let mut held = held.lock().await;
        if held.epoch == claim.epoch {
            self.held.lock().await.remove(run);
            held.give_up(run).await;
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
        // One snapshot: the run's row and its pages are of one moment.
        let fault = |error| self.fault(&error);
        let begin = "begin transaction isolation level repeatable read, read only";
        let mut snapshot = self.pool.begin_with(begin).await.map_err(fault)?;
        let tip = self.tip_on(run, &mut snapshot).await?;
        let mut chain = Chain::start(run, tip);
        {
            let mut pages = query_as::<_, PageRecord>(include_str!("queries/select_pages.sql"))
                .bind(run.as_str())
                .fetch(&mut *snapshot);
            while let Some(record) = pages.try_next().await.map_err(fault)? {
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
        let cut = query(include_str!("queries/cut_torn.sql"))
            .bind(run.as_str())
            .bind(claim.epoch.0.cast_signed())
            .bind(claim.next.0.cast_signed())
            .execute(&self.pool)
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
        query(include_str!("queries/upsert_summary.sql"))
            .bind(run.as_str())
            .bind(epoch.0.cast_signed())
            .bind(summary.next.0.cast_signed())
            .bind(summary.at.as_micros())
            .bind(&summary.body)
            .execute(&self.pool)
            .await
            .map_err(|error| self.fault(&error))?;
        Ok(())
    }

    async fn summary(&self, run: &RunId) -> Result<Summarised, JournalError> {
        let record: Option<SummaryRecord> = query_as(include_str!("queries/select_summary.sql"))
            .bind(run.as_str())
            .fetch_optional(&self.pool)
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
        let number = self.put(run, command, at).await;
        Ok(number.map_err(|error| self.fault(&error))?.cast_unsigned())
    }

    async fn inbox(&self, run: &RunId, after: u64) -> Result<Vec<(u64, Command)>, JournalError> {
        let records: Vec<CommandRecord> = query_as(include_str!("queries/select_commands.sql"))
            .bind(run.as_str())
            .bind(after.cast_signed())
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.fault(&error))?;
        let read = |record: CommandRecord| record.read(&self.place);
        records.into_iter().map(read).collect()
    }
}
