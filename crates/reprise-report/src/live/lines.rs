//! Plain lines, for logs and pipes: one for each event that matters, at a
//! bounded rate, and now and then how far the whole is.

use std::io::Write;

use reprise_model::{
    Action, AttemptEnd, Command, Entry, Event, Scope, TaskIx, TaskState, Timestamp,
};

use super::Display;
use crate::estimate::Estimate;
use crate::fold::{Fold, SiteProgress};
use crate::format;
use crate::report::TaskCounts;

/// Routine lines in any one second of the run; more are counted instead.
const ROUTINE_PER_SECOND: u32 = 10;

/// Seconds between two lines about the whole.
const SUMMARY_EVERY: f64 = 10.0;

/// Whether a line may be left out when there are many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tone {
    Routine,
    /// Somebody must act, or something was lost: always shown.
    Alarm,
}

pub struct Lines {
    out: Box<dyn Write + Send>,
    second: i64,
    shown: u32,
    left_out: u32,
    summarised: Option<Timestamp>,
}

impl Lines {
    pub fn new(out: Box<dyn Write + Send>) -> Self {
        Self {
            out,
            second: i64::MIN,
            shown: 0,
            left_out: 0,
            summarised: None,
        }
    }

    /// A pipe that is closed is no reason to stop a restore.
    fn put(&mut self, at: Timestamp, line: &str) {
        let _ = writeln!(self.out, "{at}  {line}");
    }

    fn may_show(&mut self, at: Timestamp) -> bool {
        let second = at.as_micros().div_euclid(1_000_000);
        if second != self.second {
            self.tell_left_out(at);
            self.second = second;
            self.shown = 0;
        }
        if self.shown < ROUTINE_PER_SECOND {
            self.shown += 1;
            true
        } else {
            self.left_out += 1;
            false
        }
    }

    fn tell_left_out(&mut self, at: Timestamp) {
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            self.put(
                at,
                &format!("... and {} more", format::plural(left_out.into(), "event")),
            );
        }
    }

    fn summary(&mut self, fold: &Fold, now: Timestamp) {
        let counts = TaskCounts::of(fold);
        let (sites, settled, failed) = fold.waves().iter().fold((0, 0, 0), |sum, wave| {
            (
                sum.0 + wave.sites,
                sum.1 + wave.settled,
                sum.2 + wave.failed,
            )
        });
        let moved = fold.moved();
        let line = format!(
            "{settled} of {} done, {failed} failed; {} of {} tasks; {} rows, {}; {}",
            format::plural(sites.into(), "site"),
            counts.ended(),
            counts.total,
            format::count(moved.rows),
            format::bytes(moved.bytes),
            Estimate::text(Estimate::of(fold, now)),
        );
        self.put(now, &line);
    }
}

impl Display for Lines {
    fn entry(&mut self, fold: &Fold, entry: &Entry) {
        match told(fold, entry) {
            Some((Tone::Alarm, line)) => self.put(entry.at, &line),
            Some((Tone::Routine, line)) if self.may_show(entry.at) => self.put(entry.at, &line),
            Some((Tone::Routine, _)) | None => {}
        }
        self.summarised.get_or_insert(entry.at);
    }

    fn refresh(&mut self, fold: &Fold, now: Timestamp) {
        let due = self
            .summarised
            .is_some_and(|last| now.seconds_since(last) >= SUMMARY_EVERY);
        if due {
            self.summarised = Some(now);
            self.summary(fold, now);
        }
    }

    fn finish(&mut self, fold: &Fold) {
        if let Some(at) = fold.last_at() {
            self.tell_left_out(at);
        }
        let _ = self.out.flush();
    }
}

/// What an entry says to people; nothing for what is mere bookkeeping.
pub fn told(fold: &Fold, entry: &Entry) -> Option<(Tone, String)> {
    let key = |task: &TaskIx| fold.plan().key(*task);
    let routine = |text: String| Some((Tone::Routine, text));
    let alarm = |text: String| Some((Tone::Alarm, text));
    match &entry.event {
        Event::Created { .. } | Event::Probing { .. } | Event::Marked { .. } => None,
        Event::Owned(owner) if fold.owners() > 1 => alarm(format!(
            "taken up again by process {} on {}",
            owner.pid, owner.host
        )),
        Event::Owned(_) => None,
        Event::WaveOpened { wave } => {
            let sites = fold
                .waves()
                .get(*wave as usize)
                .map_or(0, |wave| wave.sites);
            routine(format!(
                "wave {} opened: {}",
                wave + 1,
                format::plural(sites.into(), "site")
            ))
        }
        Event::Started { attempt } => match fold.plan().step_of(attempt.task).scope {
            Scope::Shard | Scope::Run => routine(format!("{} started", key(&attempt.task))),
            Scope::Site => None,
        },
        Event::Ended {
            attempt,
            end,
            again,
        } => ended(fold, attempt.task, end, *again),
        Event::Skipped { task, because, .. } => match fold.site_of(*task) {
            // The failure that made it so has been told.
            Some(_) => None,
            None => alarm(format!("{} skipped: {because}", key(task))),
        },
        Event::GateOpened { task } => alarm(format!("{} waits for an answer", key(task))),
        Event::Halted(halt) => alarm(format!(
            "halted: {} failed, {} allowed; no further wave is started",
            format::plural(halt.failed_sites.into(), "site"),
            halt.allowed
        )),
        Event::Commanded { command, .. } => alarm(commanded(fold, command)),
        Event::Replanned { plan, back, probe } => alarm(format!(
            "plan {} is in force: {} put back",
            plan.short(),
            format::plural((back.len() + probe.len()) as u64, "task")
        )),
        Event::Stopped(_) => routine(format!("the run is {}", fold.run_state().as_str())),
    }
}

fn ended(
    fold: &Fold,
    task: TaskIx,
    end: &AttemptEnd,
    again: Option<Timestamp>,
) -> Option<(Tone, String)> {
    let key = fold.plan().key(task);
    match end {
        AttemptEnd::Done(_) | AttemptEnd::Satisfied(_) => {
            finished(fold, task).map(|line| (Tone::Routine, line))
        }
        AttemptEnd::NotYet => None,
        AttemptEnd::Unknown { why } => Some((
            Tone::Alarm,
            format!("{key}: nobody knows whether it was done: {why}"),
        )),
        AttemptEnd::Failed(fault) => Some(match again {
            Some(again) => (
                Tone::Routine,
                format!("{key} failed, tried again at {again}: {fault}"),
            ),
            None if fold.state(task) == TaskState::Cancelled => {
                (Tone::Routine, format!("{key} interrupted"))
            }
            None => (Tone::Alarm, format!("{key} failed: {fault}")),
        }),
    }
}

/// A shard that is there, or a site whose last task this was.
fn finished(fold: &Fold, task: TaskIx) -> Option<String> {
    let plan = fold.plan();
    let record = fold.record(task);
    match fold.site_of(task) {
        None => {
            let took = record.last_seconds().map(format::seconds);
            let point = record
                .outcome
                .as_ref()
                .filter(|_| plan.step_of(task).action == Action::Recover)
                .and_then(|outcome| outcome.recovery_point.as_ref());
            let point = point.map(|point| format!(", recovered to {}", point.point));
            Some(format!(
                "{} done in {}{}",
                plan.key(task),
                took.unwrap_or_else(|| "0s".to_owned()),
                point.unwrap_or_default()
            ))
        }
        Some(site) => (fold.site_progress(site) == SiteProgress::Settled)
            .then(|| format!("site {} is through", plan.sites[site].id)),
    }
}

fn commanded(fold: &Fold, command: &Command) -> String {
    match command {
        Command::Answer {
            task, approved, by, ..
        } => {
            let what = if *approved { "approved" } else { "rejected" };
            let tasks = fold.plan().tasks.len();
            let key = if task.get() < tasks {
                fold.plan().key(*task).to_string()
            } else {
                format!("task {}", task.0)
            };
            format!("{key} {what} by {by}")
        }
        Command::Pause { by } => format!("paused by {by}"),
        Command::Continue { by } => format!("continued by {by}"),
        Command::Cancel { by } => format!("cancelled by {by}"),
        Command::Retry { tasks, by } => {
            format!(
                "{} tried again by {by}",
                format::plural(tasks.len() as u64, "task")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use reprise_model::{FaultKind, RunEnd};

    use super::*;
    use crate::Monitor;
    use crate::fixture::{Story, at, failed, plan, recovered};

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("nobody panics here").extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Page {
        fn text(&self) -> String {
            let bytes = self.0.lock().expect("nobody panics here");
            String::from_utf8_lossy(&bytes).into_owned()
        }
    }

    fn shown(story: &Story, sites: u32) -> String {
        let page = Page::default();
        let lines = Box::new(Lines::new(Box::new(page.clone())));
        let mut monitor = Monitor::new(Arc::new(plan(sites)), vec![lines]);
        monitor.entries(&story.entries);
        // The same entries again say nothing new.
        monitor.entries(&story.entries);
        monitor.refresh(at(100_000));
        monitor.finish();
        page.text()
    }

    #[test]
    fn each_event_that_matters_is_told_once() {
        let mut story = Story::begin();
        story.run(0, recovered(2)).site(0).stop(RunEnd::Finished);
        insta::assert_snapshot!(shown(&story, 2));
    }

    #[test]
    fn routine_is_bounded_and_alarms_are_not() {
        let mut story = Story::begin();
        story.run(0, recovered(2));
        for site in 0..100 {
            let attempt = story.start(3 * site + 1);
            let again = Some(at(500));
            story.end(attempt, failed(FaultKind::Temporary), again);
        }
        for site in 0..30 {
            let attempt = story.start(3 * site + 1);
            story.end(attempt, failed(FaultKind::Permanent), None);
        }
        let text = shown(&story, 100);
        let lines = |needle: &str| text.lines().filter(|line| line.contains(needle)).count();
        assert_eq!(lines("failed: table"), 30, "{text}");
        let routine = lines("tried again at");
        assert!(routine <= 10, "{routine} routine lines");
        assert_eq!(lines("... and "), 1, "{text}");
    }
}
