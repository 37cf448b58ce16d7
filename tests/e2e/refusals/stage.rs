//! An estate with an accident, on which requests are made that must be refused.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use reprise_lab::accident::Accident;
use reprise_lab::cluster::admin;
use reprise_lab::manifest::Manifest;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use crate::binaries;
use crate::estate::{Estate, Size};
use crate::journal::block_on;

pub const RUNBOOK: &str = "runbooks/restore-databases.yaml";

pub struct Stage {
    pub estate: Estate,
    accident: Accident,
}

/// What one command did.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Stage {
    /// A small estate in which two of eight sites have been deleted, and nobody writes.
    pub fn build() -> Self {
        let estate = Estate::of_size(Size {
            shards: 1,
            sites: 8,
            scale: 0.1,
            full: false,
        });
        estate.accident(2);
        let accident = Accident::find(&estate.layout())
            .expect("accident.json is readable")
            .expect("an accident has happened");
        Self { estate, accident }
    }

    /// One of the deleted sites.
    pub fn deleted(&self) -> String {
        self.accident.sites[0].to_string()
    }

    /// A site that nobody deleted.
    pub fn neighbour(&self) -> String {
        let id = (10_001..).find(|id| !self.accident.sites.contains(id));
        id.expect("ids do not end").to_string()
    }

    pub fn target_time(&self) -> String {
        self.accident.target_time.to_string()
    }

    pub fn newest_run(&self) -> String {
        let mut runs = self.estate.reprise("runs");
        let output = runs.arg("--json").output().expect("reprise runs");
        let runs: serde_json::Value =
            serde_json::from_slice(&output.stdout).expect("the list of runs is JSON");
        let newest = runs["runs"][0]["run"].as_str();
        newest.expect("there is a run").to_owned()
    }

    pub fn lab(&self, name: &str) -> PathBuf {
        self.estate.path("lab").join(name)
    }

    /// `plan`, `run` or `check` of this estate to the moment before the accident.
    pub fn request(&self, command: &str) -> Command {
        self.request_of(command, &self.lab("estate.yaml"), &self.target_time())
    }

    pub fn request_of(&self, command: &str, estate: &Path, at: &str) -> Command {
        let mut reprise = self.estate.reprise(command);
        reprise.arg("-e").arg(estate);
        reprise.args(["-r", RUNBOOK, "--at", at]);
        reprise
    }

    pub fn plan_of(&self, sites: &str) -> Command {
        let mut plan = self.request("plan");
        plan.args(["--sites", sites]);
        plan
    }

    /// The estate file with a piece of its text replaced, beside the original.
    pub fn altered_estate(&self, from: &str, to: &str) -> PathBuf {
        let text = fs::read_to_string(self.lab("estate.yaml")).expect("the lab has an estate");
        assert!(text.contains(from), "no {from:?} in\n{text}");
        let path = self.lab("altered.yaml");
        fs::write(&path, text.replace(from, to)).expect("the lab's folder can be written to");
        path
    }

    /// Runs the command, and holds it against exit code and snapshot; live
    /// must be afterwards as it was before.
    pub fn refused(&self, name: &str, mut command: Command, code: i32) {
        let before = self.live();
        let ended = Ended::of(&command.output().expect("reprise runs"));
        assert_eq!(ended.code, Some(code), "{name}: {ended}");
        self.assert_live(name, &before);
        self.snapshot(name, &ended.to_string());
    }

    /// Every row of every live table with its writer, and every sequence: also
    /// a row that was rewritten as it was would be seen.
    pub fn live(&self) -> BTreeMap<String, String> {
        let layout = self.estate.layout();
        let manifest = Manifest::load(&layout).expect("the lab has a manifest");
        block_on(async {
            let mut all = BTreeMap::new();
            for cluster in &manifest.clusters {
                let mut live = admin(&layout, cluster)
                    .await
                    .expect("the live server accepts connections");
                for (relation, found) in fingerprints(&mut live).await.expect("live can be read") {
                    all.insert(format!("{}: {relation}", cluster.name), found);
                }
            }
            all
        })
    }

    pub fn assert_live(&self, name: &str, before: &BTreeMap<String, String>) {
        assert!(before.len() > 50, "{name}: too little was looked at");
        let after = self.live();
        let changed: Vec<_> = before
            .iter()
            .filter(|(relation, found)| after.get(*relation) != Some(*found))
            .collect();
        assert!(changed.is_empty(), "{name} changed {changed:?}");
        assert_eq!(before.len(), after.len(), "{name} created a relation");
    }

    /// As the superuser of a live cluster.
    pub fn execute(&self, cluster: &str, sql: &'static str) {
        let layout = self.estate.layout();
        let manifest = Manifest::load(&layout).expect("the lab has a manifest");
        let entry = manifest.clusters.iter().find(|entry| entry.name == cluster);
        block_on(async {
            let mut live = admin(&layout, entry.expect("the cluster is one of the lab's"))
                .await
                .expect("the live server accepts connections");
            sqlx::raw_sql(sql)
                .execute(&mut live)
                .await
                .expect("the statement is valid");
        });
    }

    /// Compares with the snapshot of this name, with what differs from run to
    /// run put out of sight.
    pub fn snapshot(&self, name: &str, shown: &str) {
        let mut settings = insta::Settings::clone_current();
        let filters = [
            (self.estate.path("").display().to_string(), "[folder]/"),
            (
                binaries::workspace().display().to_string() + "/",
                "[workspace]/",
            ),
            (self.target_time(), "[T]"),
        ];
        for (found, shown) in filters {
            settings.add_filter(&found.replace('.', r"\."), shown);
        }
        for (found, shown) in [
            (r"\d{8}T\d{6}Z-[0-9a-f]{6}", "[run]"),
            (r"\b[0-9a-f]{12}\b", "[digest]"),
            (r"\b[0-9A-F]{24}\b", "[segment]"),
            (
                r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)",
                "[time]",
            ),
            (r"\b\d+ MB", "[size] MB"),
            (r"\d{8}T\d{6}\.\d{6}Z", "[T]"),
            // Only where a commit lies between the backup and the gap.
            (
                r"; without it nothing after about \[time\] can be reached",
                "",
            ),
            (r"process \d+ on \S+", "process [pid] on [host]"),
        ] {
            settings.add_filter(found, shown);
        }
        settings.set_prepend_module_to_snapshot(false);
        settings.bind(|| insta::assert_snapshot!(name, shown));
    }
}

async fn fingerprints(live: &mut PgConnection) -> Result<Vec<(String, String)>, sqlx::Error> {
    let relations: Vec<(String, bool)> = sqlx::query_as(
        "select c.oid::regclass::text, c.relkind = 'S' from pg_class c
         where c.relkind in ('r', 'S') and c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)'",
    )
    .fetch_all(&mut *live)
    .await?;
    let mut found = Vec::new();
    for (relation, is_sequence) in relations {
        let sql = match is_sequence {
            true => format!("select last_value || ' ' || is_called from {relation}"),
            false => format!(
                "select count(*) || ' ' || coalesce(sum(hashtextextended(t.xmin::text || t::text, 0)), 0)
                 from {relation} t"
            ),
        };
        let fingerprint: String = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut *live)
            .await?;
        found.push((relation, fingerprint));
    }
    Ok(found)
}

impl Ended {
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// Of a run's report only what failed and why: the rest is full of times.
    pub fn failures(&self) -> String {
        let from = self.stdout.find("failed tasks").unwrap_or_default();
        let failures = &self.stdout[from..];
        let failures = failures.split("\n\n").next().unwrap_or_default();
        format!("exit code: {}\n{failures}", self.shown_code())
    }

    fn shown_code(&self) -> String {
        self.code.map_or("none".to_owned(), |code| code.to_string())
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "exit code: {}", self.shown_code())?;
        writeln!(f, "--- stdout\n{}", self.stdout)?;
        write!(f, "--- stderr\n{}", self.stderr)
    }
}
