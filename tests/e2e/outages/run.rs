//! A run of the whole runbook that is looked at from outside.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use reprise_model::{AttemptEnd, Event, FaultKind};
use serde_json::Value;

use crate::estate::Estate;
use crate::{journal, layers};

pub const DELETED: u32 = 6;

/// Nobody wants to wait half a minute between two attempts of a test.
pub fn hasty(text: String) -> String {
    text.replace(
        "attempts: 5, backoff: 1s..30s",
        "attempts: 4, backoff: 1s..1s",
    )
}

/// One run of the estate, with a journal of its own.
pub struct Run<'a> {
    pub estate: &'a Estate,
    pub name: &'static str,
}

impl<'a> Run<'a> {
    /// Plans, and runs until everything is recovered and nothing is written.
    pub fn to_the_gate(
        estate: &'a Estate,
        name: &'static str,
        change: impl Fn(String) -> String,
    ) -> Self {
        const BEGIN: &str = "scope: run, action: gate";
        const ASIDE: &str = "scope: run, action: aside";
        let runbook = layers::runbook(estate, |text| {
            assert!(text.contains(BEGIN), "{text}");
            let text = layers::without_gates(text.replace(BEGIN, ASIDE));
            // All sites at once: a wave would halt the next ones.
            let text = text.replace("waves: [1, 5%, 25%, rest]\n", "");
            change(text.replace(ASIDE, BEGIN))
        });
        estate.plan_with(&runbook);
        let run = Self { estate, name };
        run.begin(5);
        let mut approve = run.reprise("approve", &estate.path("lab/env"));
        let newest = journal::newest_run(&run.state_file()).to_string();
        let approved = approve.args([&newest, "begin"]).output();
        let approved = approved.expect("reprise approves");
        assert!(approved.status.success(), "{}", said(&approved));
        run
    }

    pub fn state_file(&self) -> PathBuf {
        self.estate.path(&format!("{}.db", self.name))
    }

    pub fn reprise(&self, command: &str, env: &Path) -> Command {
        self.estate.reprise_on(command, env, &self.state_file())
    }

    pub fn begin(&self, code: i32) -> Output {
        let mut run = self.reprise("run", &self.estate.path("lab/env"));
        run.arg(self.estate.path("plan.json"));
        run.args(["--confirm", &DELETED.to_string()]);
        let output = run.output().expect("reprise runs");
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        output
    }

    pub fn ends(&self, code: i32, env: &Path) -> String {
        let output = self.reprise("resume", env).output();
        let output = output.expect("reprise resumes");
        let told = said(&output);
        assert_eq!(output.status.code(), Some(code), "{told}");
        told
    }

    pub fn retry(&self, env: &Path) {
        let done = self.reprise("retry", env).output();
        let done = done.expect("reprise runs");
        assert!(done.status.success(), "{}", said(&done));
    }

    /// The cause is gone: what is left is done, and nothing else.
    pub fn goes_on(&self) {
        let env = self.estate.path("lab/env");
        self.retry(&env);
        self.ends(0, &env);
        self.is_whole();
    }

    pub fn is_whole(&self) {
        let entries = journal::entries(&self.state_file());
        journal::assert_no_finished_task_ran_again(&entries, self.name);
        let audit = self.estate.audit();
        assert_eq!(audit["ok"], true, "{}: {audit:#}", self.name);
    }

    pub fn report(&self) -> Value {
        let mut report = self.reprise("report", &self.estate.path("lab/env"));
        let output = report.arg("--json").output().expect("reprise reports");
        serde_json::from_slice(&output.stdout).expect("the report is JSON")
    }

    /// Those of which it is so, and the others.
    pub fn sites(&self, is_so: impl Fn(&Value) -> bool) -> (Vec<String>, Vec<String>) {
        let report = self.report();
        let sites = report["sites"].as_array().expect("a report has sites");
        let (yes, no): (Vec<&Value>, Vec<&Value>) = sites.iter().partition(|site| is_so(site));
        let ids = |sites: Vec<&Value>| {
            let ids = sites
                .into_iter()
                .map(|site| site["id"].as_str().expect("an id").to_owned());
            ids.collect()
        };
        (ids(yes), ids(no))
    }

    pub fn state(&self, site: &str) -> String {
        let report = self.report();
        let sites = report["sites"].as_array().expect("a report has sites");
        let site = sites.iter().find(|it| it["id"] == site).expect("the site");
        site["state"].as_str().expect("a state").to_owned()
    }

    /// How the failed attempts of a task ended.
    pub fn attempts(&self, task: &str) -> Vec<FaultKind> {
        let text = fs::read_to_string(self.estate.path("plan.json")).expect("the plan");
        let plan: reprise_model::Plan = serde_json::from_str(&text).expect("the plan is JSON");
        let entries = journal::entries(&self.state_file());
        let ends = entries.iter().filter_map(|entry| match &entry.event {
            Event::Ended {
                attempt,
                end: AttemptEnd::Failed(fault),
                ..
            } if plan.key(attempt.task).as_str() == task => Some(fault.kind),
            _ => None,
        });
        ends.collect()
    }
}

/// The tasks that are said to have failed.
pub fn failed(told: &str) -> Vec<&str> {
    let (_, told) = told.split_once("failed tasks\n").expect("some failed");
    let (told, _) = told.split_once("\n\n").expect("more follows");
    let tasks = told.lines().filter_map(|line| {
        let (task, _) = line.strip_prefix("  ")?.split_once(": ")?;
        (!task.starts_with(' ')).then_some(task)
    });
    tasks.collect()
}

/// What is said about a task that failed, and what to do about it.
pub fn why(told: &str, task: &str) -> String {
    let about = format!("  {task}: ");
    let mut lines = told.lines().skip_while(|line| !line.starts_with(&about));
    let first = lines.next();
    let first = first.unwrap_or_else(|| panic!("{task} is not explained: {told}"));
    let hints = lines.take_while(|line| line.starts_with("    hint: "));
    std::iter::once(first)
        .chain(hints)
        .collect::<Vec<_>>()
        .join("\n")
}

pub fn said(output: &Output) -> String {
    let said = [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said));
    said.join("\n")
}
