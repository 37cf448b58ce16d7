//! The journal that `--state` names, and the run that is meant.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reprise_engine::{Engine, Options, Replay};
use reprise_model::{Digest, Entry, Exit, Plans, RunId, Seq};
use reprise_ports::{Journal, OwnerState, RunRow, Verified};
use reprise_report::Fold;
use reprise_runner::RunError;

use crate::failure::Failure;
use crate::hints;

/// Opens the journal; a SQLite file is created where there is none.
pub async fn open(state: &str) -> Result<Arc<dyn Journal>, Failure> {
    reprise_journal::open(state).await.map_err(hints::journal)
}

/// Whether there can be a journal: a file that is not there holds no runs.
pub fn exists(state: &str) -> bool {
    file_of(state).is_none_or(|path| path.exists())
}

/// Opens a journal that must be there already: looking creates nothing.
pub async fn open_existing(state: &str) -> Result<Arc<dyn Journal>, Failure> {
    match file_of(state) {
        Some(path) if !path.exists() => Err(Failure::usage(format!(
            "there is no journal at {}",
            path.display()
        ))
        .hint("`--state` names another place; runs are recorded there once `reprise run` has started one")),
        Some(_) | None => open(state).await,
    }
}

/// The file, where the journal is one.
fn file_of(state: &str) -> Option<PathBuf> {
    let path = state
        .strip_prefix("sqlite:")
        .map_or(state, |path| path.strip_prefix("//").unwrap_or(path));
    (!path.contains("://")).then(|| PathBuf::from(path))
}

/// The folder next to the journal in which shards are recovered: a resume
/// from the same journal finds them again.
pub fn scratch_root(state: &str) -> PathBuf {
    let folder = match file_of(state) {
        Some(file) => file.parent().map(Path::to_path_buf).unwrap_or_default(),
        None => PathBuf::from(".reprise"),
    };
    let scratch = folder.join("scratch");
    std::path::absolute(&scratch).unwrap_or(scratch)
}

/// The run with this id, else the newest.
pub async fn row(journal: &dyn Journal, run: Option<&str>) -> Result<RunRow, Failure> {
    let rows = journal.runs().await.map_err(hints::journal)?;
    let found = match run {
        Some(id) => rows.into_iter().find(|row| row.id.as_str() == id),
        None => rows.into_iter().next(),
    };
    found.ok_or_else(|| match run {
        Some(id) => hints::journal(reprise_ports::JournalError::NoSuchRun(RunId::new(id))),
        None => Failure::new(Exit::NothingToDo, "there is no run in this journal yet")
            .hint("`reprise run` starts one"),
    })
}

/// A run read back in one pass, and verified on the way.
pub struct History {
    pub row: RunRow,
    pub fold: Fold,
    pub head: Digest,
    /// Pages at the end that were left out.
    pub torn: u64,
}

impl History {
    pub async fn read(journal: &dyn Journal, row: RunRow) -> Result<Self, Failure> {
        let plans = journal.plans(&row.id).await.map_err(hints::journal)?;
        let mut fold = Fold::new(plans);
        let mut sink = |entries: Vec<Entry>| {
            for entry in &entries {
                fold.apply(entry);
            }
            ControlFlow::Continue(())
        };
        let read = journal.read(&row.id, Seq(0), &mut sink).await;
        let Verified { head, torn, .. } = read.map_err(hints::journal)?;
        Ok(Self {
            row,
            fold,
            head,
            torn,
        })
    }

    pub fn is_alive(&self) -> bool {
        match self.row.owner {
            OwnerState::Alive(_) => true,
            OwnerState::Free => false,
        }
    }
}

/// The engine of a run as its journal tells it. It decides nothing here.
pub async fn engine(journal: &dyn Journal, run: &RunId, plans: Plans) -> Result<Engine, Failure> {
    let mut replay = Replay::begin(plans, Options::default());
    let mut fault = None;
    let mut sink = |entries: Vec<Entry>| {
        fault = entries.iter().find_map(|entry| replay.feed(entry).err());
        match &fault {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    };
    journal
        .read(run, Seq(0), &mut sink)
        .await
        .map_err(hints::journal)?;
    let unreadable = |source| {
        hints::run(RunError::Replay {
            run: run.clone(),
            source,
        })
    };
    match fault {
        Some(fault) => Err(unreadable(fault)),
        None if replay.is_empty() => Err(Failure::new(Exit::NothingToDo, "the run has not begun")
            .hint(format!("`reprise resume {run}` begins it"))),
        None => replay.finish().map_err(unreadable),
    }
}
