//! How long tasks took in earlier runs of the same runbook over the same
//! estate, from the journal that `--state` names.
//!
//! It only makes the order of starts and the forecast better, so nothing here
//! ever fails: what cannot be read is a warning, and what is not there is
//! nothing learned.

use std::ops::ControlFlow;

use reprise_model::{Entry, Plan, RunId, Seq};
use reprise_plan::learn::{Learner, Lessons, Sources, Story};
use reprise_ports::{Journal, JournalError, OwnerState};

use crate::printer::Printer;
use crate::state;

/// The newest runs that are looked at to find earlier ones.
const LOOKED_AT: usize = 12;
/// Runs that are learned from: a task's last time counts, older ones only
/// fill gaps and tell how far it may be off.
const LEARNED_FROM: usize = 3;
/// Entries that are read of all of them: about a second.
const ENTRIES: usize = 1_000_000;

/// Which runs there is something to learn from.
pub struct Wanted<'a> {
    pub estate: &'a str,
    pub runbook: &'a str,
    pub drill: bool,
}

pub async fn learn(state_url: &str, wanted: &Wanted<'_>, printer: &Printer) -> Lessons {
    if !state::exists(state_url) {
        return Lessons::default();
    }
    let warn = |why: &str| {
        let message = format!("nothing is learned from earlier runs: {why}");
        printer.warning(&message, None);
    };
    match state::open_existing(state_url).await {
        Ok(journal) => match from_journal(&*journal, wanted).await {
            Ok(lessons) => lessons,
            Err(error) => {
                warn(&error.to_string());
                Lessons::default()
            }
        },
        Err(failure) => {
            warn(&failure.message);
            Lessons::default()
        }
    }
}

/// Drills are learned from for drills and real runs for real runs; the other
/// kind only where there is nothing else.
async fn from_journal(journal: &dyn Journal, wanted: &Wanted<'_>) -> Result<Lessons, JournalError> {
    let mut reading = Reading::default();
    let mut other_kind = Vec::new();
    for row in journal.runs().await?.into_iter().take(LOOKED_AT) {
        if matches!(row.owner, OwnerState::Alive(_)) || reading.is_enough() {
            continue;
        }
        let plan = journal.plan(&row.id).await?;
        if plan.estate.name != wanted.estate || plan.runbook.name != wanted.runbook {
            continue;
        }
        if plan.drill == wanted.drill {
            reading.read(journal, &row.id, plan).await?;
        } else {
            other_kind.push(row.id);
        }
    }
    if reading.stories == 0 {
        for id in other_kind {
            if !reading.is_enough() {
                let plan = journal.plan(&id).await?;
                reading.read(journal, &id, plan).await?;
            }
        }
    }
    Ok(reading.learner.finish())
}

#[derive(Default)]
struct Reading {
    learner: Learner,
    stories: usize,
    entries: usize,
}

impl Reading {
    fn is_enough(&self) -> bool {
        self.stories >= LEARNED_FROM || self.entries >= ENTRIES
    }

    /// Adds the run, once its journal was found to be whole.
    async fn read(
        &mut self,
        journal: &dyn Journal,
        id: &RunId,
        plan: Plan,
    ) -> Result<(), JournalError> {
        let mut story = Story::of(plan);
        let mut left = ENTRIES.saturating_sub(self.entries);
        let mut sink = |entries: Vec<Entry>| {
            left = left.saturating_sub(entries.len());
            entries.iter().for_each(|entry| story.feed(entry));
            match left {
                0 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        };
        journal.read(id, Seq(0), &mut sink).await?;
        self.entries = ENTRIES - left;
        self.learner.add(&story);
        self.stories += 1;
        Ok(())
    }
}

/// One line about where the plan's expectations come from; nothing where no
/// earlier run taught anything.
pub fn told(sources: &Sources) -> Option<String> {
    if sources.learned == 0 {
        return None;
    }
    let plural = |count: u32| if count == 1 { "" } else { "s" };
    let mut line = format!(
        "expected durations: {} step{} learned from {} earlier run{}",
        sources.learned,
        plural(sources.learned),
        sources.runs,
        plural(sources.runs),
    );
    if sources.written > 0 {
        line.push_str(&format!(", {} from the runbook", sources.written));
    }
    if sources.guessed > 0 {
        line.push_str(&format!(", {} guessed", sources.guessed));
    }
    Some(line)
}

#[cfg(test)]
mod tests;
