//! A store that is down, refuses credentials, or does not answer for a while,
//! in the middle of an estate whose other stores are well: what happened is
//! said, sites that do not need it come back, and the rest is done by a retry.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use reprise_model::{AttemptEnd, Event, FaultKind};
use serde_json::Value;

use crate::estate::Estate;
use crate::{journal, layers};

const DELETED: u32 = 6;

#[test]
fn a_store_that_is_down_slow_or_refuses_holds_up_its_own_sites_only() {
    let estate = Estate::full();
    estate.accident(DELETED);
    down(&estate);
    estate.accident_again();
    refuses(&estate);
    estate.accident_again();
    slow(&estate);
}

/// One shard's server is gone until somebody starts it.
fn down(estate: &Estate) {
    let run = Run::to_the_gate(estate, "down", hasty);
    signal(&cluster(estate, "s01"), "QUIT");
    let told = run.ends(7, &estate.path("lab/env"));
    let (held, back): (Vec<String>, Vec<String>) = run.sites(|site| on_shard(site, "s01"));
    assert!(!held.is_empty() && !back.is_empty(), "{told}");
    for site in &held {
        assert_eq!(run.state(site), "failed", "{told}");
        let why = told
            .lines()
            .find(|line| line.contains(&format!("product/{site}")));
        let why = why.unwrap_or_else(|| panic!("product/{site} is not explained: {told}"));
        assert!(why.contains("product/s01"), "{why}");
    }
    for site in &back {
        assert_eq!(run.state(site), "restored", "{told}");
    }
    // It was tried as often as the runbook says.
    let first = format!("product/{}", held[0]);
    assert_eq!(run.attempts(&first), [FaultKind::Temporary; 4], "{told}");
    // A run that begins now is refused before anything is touched.
    let other = Run {
        estate,
        name: "early",
    };
    let refused = said(&other.begin(8));
    let named = "product@s01: product/s01 live: connecting";
    assert!(refused.contains(named), "{refused}");
    estate.start();
    run.goes_on();
}

/// The password is not that of the server.
fn refuses(estate: &Estate) {
    const WRONG: &str = "none-of-its-passwords";
    let run = Run::to_the_gate(estate, "refused", hasty);
    let env = fs::read_to_string(estate.path("lab/env")).expect("the lab's variables");
    let spoilt = env
        .lines()
        .map(|line| match line.strip_prefix("WIKI_URL=") {
            None => format!("{line}\n"),
            Some(url) => {
                let (before, after) = url.split_once('@').expect("a URL with a password");
                let (user, password) = before.rsplit_once(':').expect("a user and a password");
                assert!(password.len() > 5, "the lab's server has a password");
                format!("WIKI_URL={user}:{WRONG}@{after}\n")
            }
        });
    let wrong = estate.path("wrong-env");
    fs::write(&wrong, spoilt.collect::<String>()).expect("it can be written");
    let told = run.ends(7, &wrong);
    let (all, _) = run.sites(|_| true);
    for site in &all {
        assert_eq!(run.state(site), "failed", "{told}");
        let why = told
            .lines()
            .find(|line| line.contains(&format!("wiki/{site}")));
        let why = why.unwrap_or_else(|| panic!("wiki/{site} is not explained: {told}"));
        assert!(
            why.contains("wiki/wiki live") && why.contains("Access denied"),
            "{why}"
        );
        // Asking again with the same password would lock the account.
        assert_eq!(run.attempts(&format!("wiki/{site}")).len(), 1, "{told}");
    }
    let journal = fs::read(run.state_file()).expect("the journal");
    let report = run.report().to_string();
    let password = |line: &str| Some(line.split_once('@')?.0.rsplit_once(':')?.1.to_owned());
    let secrets: Vec<String> = env.lines().filter_map(password).collect();
    assert!(secrets.len() > 3, "the lab's servers have passwords");
    for secret in secrets.iter().map(String::as_str).chain([WRONG]) {
        for place in [told.as_bytes(), &journal, report.as_bytes()] {
            let found = place
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!found, "a secret was told");
        }
    }
    run.goes_on();
}

/// A server that takes connections and says nothing, for longer than a step has.
fn slow(estate: &Estate) {
    let run = Run::to_the_gate(estate, "slow", |text| {
        let before =
            "store: directory, action: restore, needs: [site-record], pool: load, timeout: 10m";
        assert!(text.contains(before), "{text}");
        text.replace(before, &before.replace("10m", "3s"))
    });
    let pid = service(estate, "directory");
    signal(&pid, "STOP");
    let again = pid.clone();
    let later = thread::spawn(move || {
        thread::sleep(Duration::from_secs(12));
        signal(&again, "CONT");
    });
    let told = run.ends(0, &estate.path("lab/env"));
    later.join().expect("the server goes on");
    let (all, _) = run.sites(|_| true);
    let kinds: Vec<FaultKind> = all
        .iter()
        .flat_map(|site| run.attempts(&format!("directory/{site}")))
        .collect();
    assert!(kinds.contains(&FaultKind::TimedOut), "{kinds:?}: {told}");
    run.is_whole();
}

/// Nobody wants to wait half a minute between two attempts of a test.
fn hasty(text: String) -> String {
    text.replace(
        "attempts: 5, backoff: 1s..30s",
        "attempts: 4, backoff: 1s..1s",
    )
}

fn on_shard(site: &Value, shard: &str) -> bool {
    let stores = site["stores"].as_array().expect("a site has stores");
    stores.iter().any(|store| store["shard"] == shard)
}

/// One run of the estate, with a journal of its own.
struct Run<'a> {
    estate: &'a Estate,
    name: &'static str,
}

impl<'a> Run<'a> {
    /// Plans, and runs until everything is recovered and nothing is written.
    fn to_the_gate(
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

    fn state_file(&self) -> PathBuf {
        self.estate.path(&format!("{}.db", self.name))
    }

    fn reprise(&self, command: &str, env: &Path) -> Command {
        self.estate.reprise_on(command, env, &self.state_file())
    }

    fn begin(&self, code: i32) -> Output {
        let mut run = self.reprise("run", &self.estate.path("lab/env"));
        run.arg(self.estate.path("plan.json"));
        run.args(["--confirm", &DELETED.to_string()]);
        let output = run.output().expect("reprise runs");
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        output
    }

    fn ends(&self, code: i32, env: &Path) -> String {
        let output = self.reprise("resume", env).output();
        let output = output.expect("reprise resumes");
        let told = said(&output);
        assert_eq!(output.status.code(), Some(code), "{told}");
        told
    }

    /// The cause is gone: what is left is done, and nothing else.
    fn goes_on(&self) {
        for command in ["retry", "resume"] {
            let done = self.reprise(command, &self.estate.path("lab/env")).output();
            let done = done.expect("reprise runs");
            assert!(done.status.success(), "{command}: {}", said(&done));
        }
        self.is_whole();
    }

    fn is_whole(&self) {
        let entries = journal::entries(&self.state_file());
        journal::assert_no_finished_task_ran_again(&entries, self.name);
        let audit = self.estate.audit();
        assert_eq!(audit["ok"], true, "{}: {audit:#}", self.name);
    }

    fn report(&self) -> Value {
        let mut report = self.reprise("report", &self.estate.path("lab/env"));
        let output = report.arg("--json").output().expect("reprise reports");
        serde_json::from_slice(&output.stdout).expect("the report is JSON")
    }

    /// Those of which it is so, and the others.
    fn sites(&self, is_so: impl Fn(&Value) -> bool) -> (Vec<String>, Vec<String>) {
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

    fn state(&self, site: &str) -> String {
        let report = self.report();
        let sites = report["sites"].as_array().expect("a report has sites");
        let site = sites.iter().find(|it| it["id"] == site).expect("the site");
        site["state"].as_str().expect("a state").to_owned()
    }

    /// How the failed attempts of a task ended.
    fn attempts(&self, task: &str) -> Vec<FaultKind> {
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

fn said(output: &Output) -> String {
    let said = [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said));
    said.join("\n")
}

/// The process of a PostgreSQL server of the lab.
fn cluster(estate: &Estate, name: &str) -> String {
    let folder = estate.layout().cluster(name);
    let places = [
        folder.join("postmaster.pid"),
        folder.join("data/postmaster.pid"),
    ];
    let text = places
        .iter()
        .find_map(|place| fs::read_to_string(place).ok());
    let text = text.unwrap_or_else(|| panic!("{places:?} are not there"));
    text.lines().next().expect("a process").to_owned()
}

/// The process of another server of the lab.
fn service(estate: &Estate, name: &str) -> String {
    let path = estate.layout().service(name).join("process.json");
    let text = fs::read_to_string(&path).expect("the server runs");
    let known: Value = serde_json::from_str(&text).expect("it is JSON");
    known["pid"].to_string()
}

fn signal(pid: &str, name: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), pid])
        .status();
    assert!(
        sent.is_ok_and(|sent| sent.success()),
        "{name} was not sent to {pid}"
    );
}
