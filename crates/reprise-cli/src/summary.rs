//! How a run stands, kept beside its journal by the process that runs it: so
//! `status` of a million tasks is one small row, not a fold of the journal.
//!
//! A summary is shown, and nothing is ever decided by it. It is taken for
//! what the journal says only where it is of the journal's last entry, or of a
//! moment ago from a coordinator that is alive; else the journal is folded.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reprise_model::{RunId, Seq, Timestamp};
use reprise_ports::{Journal, JournalError, OwnerState, RunRow, Summarised};
use reprise_report::{STATUS_VERSION, Status};
use reprise_runner::Clock;
use tokio::task::JoinHandle;

use crate::screen::Screen;

/// How often it is written while the run goes on.
const EVERY: Duration = Duration::from_secs(1);
/// Older than this it says too little of a run that is alive.
const FRESH: Duration = Duration::from_secs(5);
/// And how seldom at most, where making it is slow: well within `FRESH`.
const AT_MOST: Duration = Duration::from_secs(3);
/// Making it should take at most this share of the time.
const SHARE: u32 = 20;
/// How soon it is seen that the run has been taken up.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Writes the summary as soon as the run has been taken up, and then now and
/// again, until the handle is aborted.
pub fn keep(run: RunId, journal: Arc<dyn Journal>, screen: Arc<Screen>) -> JoinHandle<()> {
    let clock = Clock::start();
    tokio::spawn(async move {
        while !screen.has_begun() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        loop {
            let begun = Instant::now();
            write(&run, journal.as_ref(), &screen, clock.now()).await;
            let pause = begun.elapsed() * SHARE;
            tokio::time::sleep(pause.clamp(EVERY, AT_MOST)).await;
        }
    })
}

/// Writes it once. A summary that cannot be written is no reason to stop a
/// restore.
pub async fn write(run: &RunId, journal: &dyn Journal, screen: &Screen, now: Timestamp) {
    let Some((epoch, summary)) = screen.summary(run, now) else {
        return;
    };
    if let Err(error) = journal.summarise(run, epoch, &summary).await {
        tracing::debug!(%run, %error, "the summary was not written");
    }
}

/// A status that was not folded from the journal just now.
pub struct Noted {
    pub status: Status,
    /// When it was made, where entries may have come since.
    pub as_of: Option<Timestamp>,
}

/// The run's summary, where it says what a fold of the journal would.
pub async fn read(
    journal: &dyn Journal,
    row: &RunRow,
    now: Timestamp,
) -> Result<Option<Noted>, JournalError> {
    let alive = match row.owner {
        OwnerState::Alive(_) => true,
        OwnerState::Free => false,
    };
    let found = journal.summary(&row.id).await?;
    Ok(judge(found, &row.id, alive, now))
}

fn judge(found: Summarised, run: &RunId, alive: bool, now: Timestamp) -> Option<Noted> {
    let summary = found.summary?;
    let is_of_the_end = summary.next == found.journal_at;
    let is_fresh = now <= summary.at.saturating_add(FRESH);
    let was_possible = Seq(0) < summary.next && summary.next <= found.journal_at;
    if !was_possible || !(is_of_the_end || alive && is_fresh) {
        return None;
    }
    let status: Status = serde_json::from_str(&summary.body).ok()?;
    let ours = status.version == STATUS_VERSION && status.run == *run;
    ours.then_some(Noted {
        status,
        as_of: (!is_of_the_end).then_some(summary.at),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use reprise_ports::Summary;

    #[test]
    fn a_summary_is_shown_only_where_it_says_what_the_journal_does() {
        let run = RunId::from("r");
        let body = r#"{"version":1,"run":"r","state":"running","target_time":"2026-03-01T12:00:00Z",
            "started":null,"updated":null,"waves":[],"tasks":{"total":1,"done":0,"satisfied":0,
            "failed":0,"skipped":0,"cancelled":0,"running":1,"gated":0,"indeterminate":0,"pending":0},
            "rows":0,"bytes":0,"running":[],"gates":[],"waits_for":[],"estimate":null}"#;
        let at = Timestamp::from_micros(1_000_000);
        let check = |next, journal_at, alive, seconds, body: &str| {
            let summary = Summary {
                next: Seq(next),
                at,
                body: body.to_owned(),
            };
            let found = Summarised {
                journal_at: Seq(journal_at),
                summary: Some(summary),
            };
            let now = at.saturating_add(Duration::from_secs(seconds));
            judge(found, &run, alive, now).map(|noted| noted.as_of)
        };
        // Of the last entry: whoever lives, however old.
        assert_eq!(check(9, 9, true, 0, body), Some(None));
        assert_eq!(check(9, 9, false, 9_999, body), Some(None));
        // Entries have come since: a moment ago, and somebody goes on with it.
        assert_eq!(check(8, 9, true, 5, body), Some(Some(at)));
        assert_eq!(check(8, 9, true, 6, body), None);
        assert_eq!(check(8, 9, false, 0, body), None);
        // Of entries that are not there, or not to be read.
        assert_eq!(check(10, 9, true, 0, body), None);
        assert_eq!(check(0, 0, true, 0, body), None);
        assert_eq!(check(9, 9, true, 0, "{}"), None);
        let newer = body.replacen("\"version\":1", "\"version\":2", 1);
        assert_eq!(check(9, 9, true, 0, &newer), None);
        let other = body.replacen("\"run\":\"r\"", "\"run\":\"s\"", 1);
        assert_eq!(check(9, 9, true, 0, &other), None);
        let none = Summarised {
            journal_at: Seq(9),
            summary: None,
        };
        assert!(judge(none, &run, true, at).is_none());
    }
}
