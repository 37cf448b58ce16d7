//! One small estate, and runs of one plan over it, each with a journal of its
//! own.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use reprise_model::{AttemptId, Entry, Event, Plan, TaskState};
use reprise_report::Fold;

use super::world::{self, Digests, Moment, World};
use crate::estate::{Estate, Size};
use crate::{binaries, journal};

const DELETED: u32 = 2;
const KILLED: i32 = 9;

pub struct Trial {
    estate: Estate,
    plan: Arc<Plan>,
}

/// A run, with the neighbours as they were before it.
pub struct Run<'a> {
    trial: &'a Trial,
    name: String,
    state: PathBuf,
    moment: Moment,
    neighbours: Digests,
}

/// What an undisturbed run leaves.
pub struct Undisturbed {
    entries: u64,
    states: Vec<TaskState>,
    restored: Digests,
}

impl Undisturbed {
    pub fn entries(&self) -> u64 {
        self.entries
    }
}

impl Trial {
    pub fn prepare() -> Self {
        let estate = Estate::of_size(Size {
            shards: 2,
            sites: 6,
            scale: 0.2,
            full: false,
        });
        estate.accident(DELETED);
        estate.plan_with(&binaries::workspace().join("tests/e2e/matrix/runbook.yaml"));
        let text = std::fs::read_to_string(estate.path("plan.json")).expect("there is a plan");
        let plan = serde_json::from_str(&text).expect("the plan is a plan");
        let plan = Arc::new(plan);
        Self { estate, plan }
    }

    /// One run from its beginning to its end, judged by the lab's own oracle.
    pub fn undisturbed(&self) -> Undisturbed {
        let run = self.run(0);
        assert!(!run.coordinate(None), "nothing was to kill it");
        let audit = self.estate.audit();
        assert_eq!(audit["ok"], true, "{audit:#}");
        let world = run.world();
        assert_eq!(world.older, run.neighbours, "neighbours");
        let entries = run.entries();
        let states = run.states(&entries);
        let ended = states.iter().all(|state| state.is_terminal());
        let failed = states.contains(&TaskState::Failed);
        assert!(
            ended && failed && !states.contains(&TaskState::Skipped),
            "{states:?}"
        );
        Undisturbed {
            entries: entries.len() as u64,
            states,
            restored: world.newer,
        }
    }

    pub fn accident_again(&self) {
        self.estate.accident_again();
    }

    pub fn drop_scratch(&self) {
        std::fs::remove_dir_all(self.estate.path("lab/scratch")).expect("there is a scratch");
    }

    /// A run that is to be cut at this length.
    pub fn run(&self, length: u64) -> Run<'_> {
        let layout = self.estate.layout();
        let moment = world::moment(&layout);
        Run {
            trial: self,
            name: format!("cut at entry {length}"),
            state: self.estate.path(&format!("state-{length}.db")),
            neighbours: World::since(&layout, &moment).older,
            moment,
        }
    }
}

impl Run<'_> {
    /// Begins the run or takes it up, and ends it by force at this length of
    /// its journal; says whether it came to that.
    pub fn dies_at(&self, length: u64) -> bool {
        let died = self.coordinate(Some(length));
        if died {
            let entries = self.entries().len() as u64;
            assert_eq!(entries, length, "{}", self.name);
        }
        died
    }

    fn coordinate(&self, length: Option<u64>) -> bool {
        let mut coordinator = Command::new(env!("CARGO_BIN_EXE_reprise-mortal"));
        coordinator
            .current_dir(binaries::workspace())
            .arg(self.trial.estate.path("plan.json"))
            .arg(self.trial.estate.path("lab/env"))
            .arg(&self.state)
            .args(length.map(|length| length.to_string()))
            .stdin(Stdio::null());
        let output = coordinator.output().expect("the coordinator runs");
        let killed = output.status.signal() == Some(KILLED);
        let talk = String::from_utf8_lossy(&output.stderr);
        assert!(killed || output.status.success(), "{}: {talk}", self.name);
        killed
    }

    /// The real binary takes over; a person answers each gate.
    pub fn resume_to_the_end(&self) {
        loop {
            let (code, talk) = self.reprise("resume", &[]);
            // A check does not pass, so that no end is a full success.
            assert!(
                matches!(code, Some(4..=7)),
                "{}: resume ended with {code:?}: {talk}",
                self.name
            );
            if self.fold(&self.entries()).open_gates().next().is_none() {
                return;
            }
            self.approve();
        }
    }

    fn approve(&self) {
        let run = journal::newest_run(&self.state);
        let (code, talk) = self.reprise("approve", &[run.as_str(), "handover"]);
        assert_eq!(code, Some(0), "{}: {talk}", self.name);
    }

    fn reprise(&self, command: &str, arguments: &[&str]) -> (Option<i32>, String) {
        let estate = &self.trial.estate;
        let output = estate
            .reprise_on(command, &estate.path("lab/env"), &self.state)
            .args(arguments)
            .output()
            .expect("reprise runs");
        let talk = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), talk)
    }

    /// The same end of every task, the same world, by a journal that no other
    /// coordinator could have written.
    pub fn is_like(&self, undisturbed: &Undisturbed) {
        let entries = self.entries();
        journal::assert_no_finished_task_ran_again(&entries, &self.name);
        self.assert_attempts_are_told_apart(&entries);
        assert_eq!(self.states(&entries), undisturbed.states, "{}", self.name);
        let now = self.world();
        assert_eq!(now.older, self.neighbours, "{}: neighbours", self.name);
        let differ: Vec<_> = now
            .newer
            .iter()
            .filter(|(relation, digest)| undisturbed.restored.get(*relation) != Some(*digest))
            .collect();
        assert!(differ.is_empty(), "{}: {differ:#?}", self.name);
        assert_eq!(now.newer.len(), undisturbed.restored.len(), "{}", self.name);
    }

    fn world(&self) -> World {
        World::since(&self.trial.estate.layout(), &self.moment)
    }

    /// No attempt begins twice, and none ends twice.
    fn assert_attempts_are_told_apart(&self, entries: &[Entry]) {
        let (mut begun, mut ended) = (BTreeSet::new(), BTreeSet::new());
        let once = |seen: &mut BTreeSet<AttemptId>, attempt: AttemptId, what: &str| {
            assert!(
                seen.insert(attempt),
                "{}: {attempt} {what} twice",
                self.name
            );
        };
        for entry in entries {
            match &entry.event {
                Event::Started { attempt } | Event::Probing { attempt } => {
                    once(&mut begun, *attempt, "began");
                }
                Event::Ended { attempt, .. } => {
                    once(&mut ended, *attempt, "ended");
                }
                _ => {}
            }
        }
        let known: Vec<_> = ended.difference(&begun).collect();
        assert!(known.is_empty(), "{}: {known:?} never began", self.name);
    }

    /// Reading verifies the chain.
    fn entries(&self) -> Vec<Entry> {
        journal::entries(&self.state)
    }

    /// Where each task ended; found done is as good as done.
    fn states(&self, entries: &[Entry]) -> Vec<TaskState> {
        let fold = self.fold(entries);
        let ended = |task| match fold.state(task) {
            TaskState::Satisfied => TaskState::Done,
            state => state,
        };
        self.trial.plan.ixs().map(ended).collect()
    }

    fn fold(&self, entries: &[Entry]) -> Fold {
        let mut fold = Fold::new(self.trial.plan.clone());
        for entry in entries {
            fold.apply(entry);
        }
        fold
    }
}
