//! Rows as the queries of both databases return them, and what they mean.

use std::sync::Arc;

use reprise_model::{Command, Digest, Epoch, Owner, Plan, Plans, RunId, Seq, Timestamp};
use reprise_ports::{JournalError, OwnerState, RunRow, Summarised, Summary};
use sqlx::FromRow;

use reprise_chain::{Page, Tip, corrupt};

/// `select_tip.sql`, `take_over.sql`
#[derive(FromRow)]
pub(crate) struct TipRecord {
    epoch: i64,
    next_seq: i64,
    head: Vec<u8>,
}

impl TipRecord {
    pub(crate) fn read(self, run: &RunId) -> Result<Tip, JournalError> {
        let next = Seq(self.next_seq.cast_unsigned());
        Ok(Tip {
            epoch: Epoch(self.epoch.cast_unsigned()),
            next,
            head: digest(run, next, &self.head)?,
        })
    }
}

/// `select_pages.sql`
#[derive(FromRow)]
pub(crate) struct PageRecord {
    first_seq: i64,
    last_seq: i64,
    epoch: i64,
    hash: Vec<u8>,
    body: String,
}

impl PageRecord {
    pub(crate) fn read(self, run: &RunId) -> Result<Page, JournalError> {
        let first = Seq(self.first_seq.cast_unsigned());
        Ok(Page {
            first,
            last: Seq(self.last_seq.cast_unsigned()),
            epoch: Epoch(self.epoch.cast_unsigned()),
            hash: digest(run, first, &self.hash)?,
            body: self.body,
        })
    }
}

/// `select_plan.sql`, `select_plans.sql`
#[derive(FromRow)]
pub(crate) struct PlanRecord {
    digest: Vec<u8>,
    body: String,
}

impl PlanRecord {
    pub(crate) fn read(self, run: &RunId) -> Result<Plan, JournalError> {
        let start = Seq(0);
        if Digest::of(self.body.as_bytes()) != digest(run, start, &self.digest)? {
            return Err(corrupt(run, start, "the stored plan was changed"));
        }
        serde_json::from_str(&self.body).map_err(|error| {
            let what = format!("the stored plan cannot be parsed: {error}");
            corrupt(run, start, what)
        })
    }
}

/// `select_summary.sql`: the run's own record, and its summary where it has one.
#[derive(FromRow)]
pub(crate) struct SummaryRecord {
    journal_at: i64,
    next_seq: Option<i64>,
    at_us: Option<i64>,
    body: Option<String>,
}

impl SummaryRecord {
    pub(crate) fn read(self) -> Summarised {
        let summary = match (self.next_seq, self.at_us, self.body) {
            (Some(next), Some(at), Some(body)) => Some(Summary {
                next: Seq(next.cast_unsigned()),
                at: Timestamp::from_micros(at),
                body,
            }),
            _ => None,
        };
        Summarised {
            journal_at: Seq(self.journal_at.cast_unsigned()),
            summary,
        }
    }
}

/// The plans of a run in the order in which they were put in force.
pub(crate) fn read_plans(run: &RunId, records: Vec<PlanRecord>) -> Result<Plans, JournalError> {
    let mut records = records.into_iter();
    let first = records.next();
    let first = first.ok_or_else(|| JournalError::NoSuchRun(run.clone()))?;
    let mut plans = Plans::new(Arc::new(first.read(run)?));
    for later in records {
        plans.add(Arc::new(later.read(run)?));
    }
    Ok(plans)
}

/// `select_commands.sql`
#[derive(FromRow)]
pub(crate) struct CommandRecord {
    number: i64,
    body: String,
}

impl CommandRecord {
    pub(crate) fn read(self, place: &str) -> Result<(u64, Command), JournalError> {
        let command = serde_json::from_str(&self.body).map_err(|error| JournalError::Unusable {
            place: place.to_owned(),
            what: format!("command {} cannot be parsed: {error}", self.number),
        })?;
        Ok((self.number.cast_unsigned(), command))
    }
}

/// `select_owner.sql`: the newest owner, alive or not.
#[derive(FromRow)]
pub(crate) struct OwnerRecord {
    epoch: i64,
    owner_host: Option<String>,
    owner_pid: Option<i64>,
    owner_version: Option<String>,
}

impl OwnerRecord {
    pub(crate) fn read(self) -> Owner {
        Owner {
            epoch: Epoch(self.epoch.cast_unsigned()),
            host: self.owner_host.unwrap_or_else(|| "?".to_owned()),
            pid: self.owner_pid.map_or(0, clamped),
            version: self.owner_version.unwrap_or_default(),
        }
    }
}

/// `select_runs.sql`
#[derive(FromRow)]
pub(crate) struct RunRecord {
    pub id: String,
    plan_hash: Vec<u8>,
    target_us: i64,
    created_us: i64,
    env_file: Option<String>,
    sites: i64,
    tasks: i64,
    #[sqlx(flatten)]
    owner: OwnerRecord,
}

impl RunRecord {
    pub(crate) fn read(self, alive: bool) -> Result<RunRow, JournalError> {
        let id = RunId::from(self.id);
        Ok(RunRow {
            plan_hash: digest(&id, Seq(0), &self.plan_hash)?,
            id,
            target_time: Timestamp::from_micros(self.target_us),
            created: Timestamp::from_micros(self.created_us),
            env_file: self.env_file,
            sites: clamped(self.sites),
            tasks: clamped(self.tasks),
            owner: if alive {
                OwnerState::Alive(self.owner.read())
            } else {
                OwnerState::Free
            },
        })
    }
}

fn digest(run: &RunId, seq: Seq, bytes: &[u8]) -> Result<Digest, JournalError> {
    let bytes: [u8; 32] = bytes
        .try_into()
        .map_err(|_| corrupt(run, seq, format!("a digest has {} bytes", bytes.len())))?;
    Ok(Digest::from_bytes(bytes))
}

fn clamped(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}
