//! The twin in memory: the same pages, chain and fences, durable for as long
//! as one handle lives. For tests and dry runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use reprise_chain::Tape;
use reprise_model::{Command, Digest, Entry, Epoch, Owner, Plan, Plans, RunId, Seq, Timestamp};
use reprise_ports::{
    Claim, Journal, JournalError, NewRun, OwnerState, RunRow, Sink, Summarised, Summary, Verified,
};

/// One coordinator's handle. Dropping it is that coordinator's death: its
/// claims are free again.
pub struct MemoryJournal {
    /// Tells this handle's claims from those of its siblings.
    handle: Arc<()>,
    runs: Arc<Mutex<BTreeMap<RunId, Run>>>,
}

struct Run {
    row: RunRow,
    plans: Plans,
    tape: Tape,
    summary: Option<Summary>,
    holder: Option<Holder>,
}

struct Holder {
    handle: Arc<()>,
    owner: Owner,
}

impl MemoryJournal {
    pub fn new() -> Self {
        Self {
            handle: Arc::new(()),
            runs: Arc::default(),
        }
    }

    /// Another coordinator's handle to the same journal.
    pub fn sibling(&self) -> Self {
        Self {
            handle: Arc::new(()),
            runs: self.runs.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RunId, Run>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(
        &self,
        run: &RunId,
        act: impl FnOnce(&mut Run) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        match self.lock().get_mut(run) {
            Some(found) => act(found),
            None => Err(JournalError::NoSuchRun(run.clone())),
        }
    }

    fn holds(&self, run: &Run) -> bool {
        let holder = run.holder.as_ref();
        holder.is_some_and(|holder| Arc::ptr_eq(&holder.handle, &self.handle))
    }
}

impl Default for MemoryJournal {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for MemoryJournal {
    fn drop(&mut self) {
        for run in self.lock().values_mut() {
            if self.holds(run) {
                run.holder = None;
            }
        }
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn create(&self, run: &NewRun<'_>) -> Result<(), JournalError> {
        let mut runs = self.lock();
        if runs.contains_key(&run.id) {
            return Err(JournalError::Unusable {
                place: "memory".to_owned(),
                what: format!("run `{}` is in it already", run.id),
            });
        }
        let created = Run {
            row: crate::row_of(run),
            plans: Plans::new(Arc::new(run.plan.clone())),
            tape: Tape::new(run.id.clone()),
            summary: None,
            holder: None,
        };
        runs.insert(run.id.clone(), created);
        Ok(())
    }

    async fn runs(&self) -> Result<Vec<RunRow>, JournalError> {
        let mut rows: Vec<RunRow> = self
            .lock()
            .values()
            .map(|run| RunRow {
                owner: match &run.holder {
                    Some(holder) => OwnerState::Alive(holder.owner.clone()),
                    None => OwnerState::Free,
                },
                ..run.row.clone()
            })
            .collect();
        rows.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
        Ok(rows)
    }

    async fn plan(&self, run: &RunId) -> Result<Plan, JournalError> {
        self.with(run, |run| {
            let in_force = run.plans.find(run.row.plan_hash);
            Ok(Plan::clone(in_force.unwrap_or(run.plans.first())))
        })
    }

    async fn plans(&self, run: &RunId) -> Result<Plans, JournalError> {
        self.with(run, |run| Ok(run.plans.clone()))
    }

    async fn claim(&self, run: &RunId, owner: &Owner) -> Result<Claim, JournalError> {
        self.with(run, |found| {
            if let Some(holder) = &found.holder {
                return Err(JournalError::Alive {
                    run: run.clone(),
                    owner: holder.owner.clone(),
                });
            }
            let claim = found.tape.take_over();
            found.holder = Some(Holder {
                handle: self.handle.clone(),
                owner: Owner {
                    epoch: claim.epoch,
                    ..owner.clone()
                },
            });
            Ok(claim)
        })
    }

    async fn release(&self, run: &RunId, claim: &Claim) {
        let mut runs = self.lock();
        if let Some(found) = runs.get_mut(run)
            && self.holds(found)
            && found.tape.tip.epoch == claim.epoch
        {
            found.holder = None;
        }
    }

    async fn append(
        &self,
        run: &RunId,
        claim: &mut Claim,
        entries: &[Entry],
    ) -> Result<(), JournalError> {
        if entries.is_empty() {
            return Ok(());
        }
        self.with(run, |found| {
            if found.tape.tip.epoch == claim.epoch && !self.holds(found) {
                return Err(crate::not_held(run, "memory"));
            }
            found.tape.append(claim, entries)
        })
    }

    async fn replan(
        &self,
        run: &RunId,
        claim: &mut Claim,
        plan: &Plan,
        entries: &[Entry],
    ) -> Result<(), JournalError> {
        self.append(run, claim, entries).await?;
        self.with(run, |found| {
            found.plans.add(Arc::new(plan.clone()));
            found.row.plan_hash = plan.hash;
            (found.row.sites, found.row.tasks) = crate::size_of(plan);
            Ok(())
        })
    }

    async fn read(&self, run: &RunId, from: Seq, sink: Sink<'_>) -> Result<Verified, JournalError> {
        // As in the others, what is read is of one moment, and the sink may
        // take its time.
        let tape = self.with(run, |found| Ok(found.tape.clone()))?;
        tape.read(from, sink)
    }

    async fn cut_torn(&self, run: &RunId, claim: &Claim) -> Result<u64, JournalError> {
        self.with(run, |found| {
            let ours = (found.tape.tip.epoch, found.tape.tip.next) == (claim.epoch, claim.next);
            Ok(if ours { found.tape.mend() as u64 } else { 0 })
        })
    }

    async fn head(&self, run: &RunId) -> Result<Digest, JournalError> {
        self.with(run, |run| Ok(run.tape.tip.head))
    }

    async fn summarise(
        &self,
        run: &RunId,
        epoch: Epoch,
        summary: &Summary,
    ) -> Result<(), JournalError> {
        self.with(run, |run| {
            if run.tape.tip.epoch == epoch {
                run.summary = Some(summary.clone());
            }
            Ok(())
        })
    }

    async fn summary(&self, run: &RunId) -> Result<Summarised, JournalError> {
        self.with(run, |run| {
            Ok(Summarised {
                journal_at: run.tape.tip.next,
                summary: run.summary.clone(),
            })
        })
    }

    async fn post(
        &self,
        run: &RunId,
        command: &Command,
        _at: Timestamp,
    ) -> Result<u64, JournalError> {
        self.with(run, |run| Ok(run.tape.post(command.clone())))
    }

    async fn inbox(&self, run: &RunId, after: u64) -> Result<Vec<(u64, Command)>, JournalError> {
        self.with(run, |run| Ok(run.tape.inbox(after)))
    }
}
