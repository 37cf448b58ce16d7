//! A folder with an estate in it, and the binary run inside.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// One store that no step touches, so that no server is needed; sites from a file.
pub const ESTATE: &str = "\
version: 1
name: acme
sites: { from: sites.csv }
stores:
  catalogue:
    kind: postgres
    layer: metadata
    shards:
      control:
        live: ${CONTROL_URL}
        backup: { kind: basebackup, base: base, wal: wal }
";

pub const SITES: &str = "\
id,customer,region
acme-eu,acme,eu
acme-us,acme,us
beta-eu,beta,eu
";

/// A program for each site, and then a person.
pub const RUNBOOK: &str = "\
version: 1
name: notify
steps:
  notify: { scope: site, action: exec, with: { command: [sh, notify.sh, \"{{ site.id }}\"] } }
  handover: { scope: site, action: gate, needs: [notify], with: { role: support } }
";

/// Fails for a site as long as a file with its name is there.
const NOTIFY: &str = "test ! -e broken-$1 || { echo \"no answer for $1\" >&2; exit 3; }\n";

pub const T: &str = "2026-03-01T12:00:00Z";

pub struct Sandbox {
    folder: TempDir,
}

impl Sandbox {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let sandbox = Self { folder };
        sandbox.write("estate.yaml", ESTATE);
        sandbox.write("sites.csv", SITES);
        sandbox.write("runbook.yaml", RUNBOOK);
        sandbox.write("notify.sh", NOTIFY);
        sandbox
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("the folder can be written to");
        path
    }

    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.folder.path().join(name)).expect("the file is there");
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reprise"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("USER", "ana")
            .env("CONTROL_URL", "postgres://nobody:hunter2@127.0.0.1:1/none")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.ended(self.command(arguments))
    }

    pub fn ended(&self, mut command: Command) -> Ended {
        let output = command.output().expect("the binary can be started");
        self.of(&output)
    }

    pub fn of(&self, output: &Output) -> Ended {
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            assert!(!text.contains("hunter2"), "a secret was printed: {text}");
            text
        };
        Ended {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// `plan` options for all sites of the estate.
    pub fn options<'a>(&self, sites: &'a str) -> Vec<&'a str> {
        vec![
            "-e",
            "estate.yaml",
            "-r",
            "runbook.yaml",
            "--at",
            T,
            "--sites",
            sites,
        ]
    }

    pub fn with_options(&self, command: &str, sites: &str, more: &[&str]) -> Ended {
        let mut arguments = vec![command];
        arguments.extend(self.options(sites));
        arguments.extend(more);
        self.run(&arguments)
    }
}

pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).expect("one JSON document on standard output")
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let code = self.code.map_or("none".to_owned(), |code| code.to_string());
        writeln!(f, "exit code: {code}")?;
        writeln!(f, "--- stdout\n{}", self.stdout)?;
        write!(f, "--- stderr\n{}", self.stderr)
    }
}

/// Compares with the snapshot of this name, with what differs from run to run
/// put out of sight.
pub fn snapshot(name: &str, sandbox: &Sandbox, ended: &Ended) {
    let mut settings = insta::Settings::clone_current();
    let folder = sandbox.path().display().to_string();
    settings.add_filter(&folder.replace('.', "\\."), "[folder]");
    settings.add_filter(r"\d{8}T\d{6}Z-[0-9a-f]{6}", "[run]");
    settings.add_filter(r"\b[0-9a-f]{64}\b", "[digest]");
    settings.add_filter(
        r"(head|plan|planned|found|from)( +)[0-9a-f]{12}\b",
        "$1$2[digest]",
    );
    settings.add_filter(r"(hash|has) [0-9a-f]{12}\b", "$1 [digest]");
    // The target time is the only moment that tests choose.
    settings.add_filter(r"2026-03-01T12:00:00Z", "[T]");
    settings.add_filter(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[time]");
    settings.add_filter(r" +(\d+ms|\d+\.\ds|\d+[smhd] \d\d[smhd]|0s)\b", " [time]");
    settings.add_filter(r"process \d+ on \S+", "process [pid] on [host]");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!(name, ended.to_string()));
}
