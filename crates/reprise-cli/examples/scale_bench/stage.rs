//! The folder of one measurement: inputs that the real compiler reads, the
//! plan and the journal.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use reprise_model::RunId;

use crate::Outcome;

pub struct Stage {
    folder: PathBuf,
}

const ESTATE: &str = "version: 1
name: scale
sites: { from: sites.csv }
stores:
  catalogue:
    kind: postgres
    layer: metadata
    placement: \"{{ site.shard }}\"
    tenant: { table: sites, key: id }
    shards:
";

impl Stage {
    pub fn at(folder: impl AsRef<Path>) -> Self {
        Self {
            folder: folder.as_ref().to_path_buf(),
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn plan(&self) -> PathBuf {
        self.folder.join("plan.json")
    }

    pub fn journal(&self) -> PathBuf {
        self.folder.join("state.db")
    }

    /// How often each task was performed, a byte each.
    pub fn tally(&self) -> PathBuf {
        self.folder.join("tally")
    }

    pub fn run(&self) -> RunId {
        RunId::from("scale")
    }

    /// Each step needs the one before it and the one half as far: two edges a
    /// task, as in W1. Waves as an operator would cut them.
    pub fn write_inputs(&self, sites: u32, steps: u32) -> Outcome<()> {
        let mut estate = ESTATE.to_owned();
        let mut rows = "id,name,shard,tier\n".to_owned();
        for shard in 0..12 {
            writeln!(
                estate,
                "      s{shard:02}:\n        live: postgres://nobody@127.0.0.1:9/s{shard}\n        \
                 backup: {{ kind: basebackup, base: base/{shard}, wal: wal/{shard} }}"
            )?;
        }
        for site in 0..sites {
            writeln!(
                rows,
                "{site},site-{site}.example,s{:02},standard",
                site % 12
            )?;
        }
        let mut runbook = "version: 1\nname: scale\nwaves: [1, 5%, 25%, rest]\n\
                           pools: { all: 64 }\nsteps:\n"
            .to_owned();
        for step in 0..steps {
            let needs = match step {
                0 => String::new(),
                1 => "s0".to_owned(),
                _ => format!("s{}, s{}", step - 1, (step - 1) / 2),
            };
            writeln!(
                runbook,
                "  s{step}: {{ scope: site, action: exec, pool: all, needs: [{needs}], \
                 with: {{ command: [sleep, '9'] }} }}"
            )?;
        }
        std::fs::write(self.folder.join("estate.yaml"), estate)?;
        std::fs::write(self.folder.join("runbook.yaml"), runbook)?;
        std::fs::write(self.folder.join("sites.csv"), rows)?;
        Ok(())
    }

    pub fn plan_words(&self) -> Vec<&'static str> {
        // A moment in the past, whenever this is run.
        let mut words = vec!["plan", "--at", "2026-01-01T00:00:00Z", "--sites", "all"];
        let leak = |path: PathBuf| -> &'static str { path.display().to_string().leak() };
        words.extend(["-e", leak(self.folder.join("estate.yaml"))]);
        words.extend(["-r", leak(self.folder.join("runbook.yaml"))]);
        words.extend(["-o", leak(self.plan())]);
        words
    }

    /// A copy of the journal in a folder of its own.
    pub fn aside(&self) -> Outcome<Self> {
        let aside = Self::at(self.folder.join("aside"));
        std::fs::create_dir_all(&aside.folder)?;
        for ending in ["", "-wal"] {
            let name = format!("state.db{ending}");
            let from = self.folder.join(&name);
            if from.exists() {
                std::fs::copy(from, aside.folder.join(name))?;
            }
        }
        Ok(aside)
    }

    pub fn remove(self) -> Outcome<()> {
        Ok(std::fs::remove_dir_all(self.folder)?)
    }
}
