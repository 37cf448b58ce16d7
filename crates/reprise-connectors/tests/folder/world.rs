//! A live tree, copies of it, and calls of the connector.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use async_trait::async_trait;
use reprise_connectors::folder::{FolderConfig, FolderConnector, FolderShard, Past};
use reprise_model::{Action, AttemptId, Fault, Outcome, TaskIx, Timestamp};
use reprise_ports::{Call, CallSite, Connector, Context, Probe, Progress};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

pub struct World {
    pub temp: tempfile::TempDir,
    pub connector: FolderConnector,
}

#[derive(Default)]
pub struct Quiet {
    pub cancelled: CancellationToken,
}

#[async_trait]
impl Context for Quiet {
    fn progress(&self, _progress: Progress) {}

    async fn mark(&self, _mark: Value) -> Result<(), Fault> {
        Ok(())
    }

    fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }
}

impl World {
    pub fn new(past: impl FnOnce(&Path) -> Past) -> Self {
        Self::of("sites/{{ site.id }}", past)
    }

    pub fn of(folder: &str, past: impl FnOnce(&Path) -> Past) -> Self {
        let temp = tempfile::tempdir().expect("a folder");
        for folder in ["live", "copies"] {
            fs::create_dir(temp.path().join(folder)).expect("a folder");
        }
        let connector = connector(temp.path(), folder, past(temp.path()));
        Self { temp, connector }
    }

    /// The same folders, by a connector that has not looked at them yet.
    pub fn again(self, past: impl FnOnce(&Path) -> Past) -> Self {
        let past = past(self.temp.path());
        let connector = connector(self.temp.path(), "sites/{{ site.id }}", past);
        Self { connector, ..self }
    }

    pub fn dated() -> Self {
        Self::dated_in("sites/{{ site.id }}")
    }

    pub fn dated_in(folder: &str) -> Self {
        Self::of(folder, |temp| Past::Folders(temp.join("copies")))
    }

    pub fn live(&self, path: &str) -> PathBuf {
        self.temp.path().join("live/sites").join(path)
    }

    pub fn write(&self, path: &str, body: &str) {
        let place = self.live(path);
        fs::create_dir_all(place.parent().expect("a folder")).expect("made");
        fs::write(place, body).expect("written");
    }

    pub fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.live(path), Permissions::from_mode(mode)).expect("given");
    }

    pub fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.live(path)).ok()
    }

    /// The accident. Not everybody may empty a folder that forbids it.
    pub fn wipe(&self, site: &str) {
        let status = Command::new("chmod")
            .args(["-R", "u+rwx"])
            .arg(self.live(site))
            .status();
        assert!(status.expect("chmod runs").success());
        fs::remove_dir_all(self.live(site)).expect("an accident");
    }

    /// A dated copy, by a tool that everybody has.
    pub fn copy(&self) -> Timestamp {
        let begun = now();
        self.copy_begun(begun);
        begun
    }

    /// One that says that it began at another time.
    pub fn copy_begun(&self, begun: Timestamp) {
        let to = self.temp.path().join("copies").join(begun.to_string());
        let status = Command::new("cp")
            .arg("-a")
            .arg(self.temp.path().join("live"))
            .arg(to)
            .status();
        assert!(status.expect("cp runs").success());
    }

    pub fn call(&self, action: Action, site: &str, target: Timestamp, with: Value) -> Call {
        let with: Map<String, Value> = serde_json::from_value(with).expect("a map");
        Call {
            run: "r1".into(),
            attempt: AttemptId {
                task: TaskIx(1),
                number: 1,
            },
            task: "t".into(),
            idempotency_key: "k".to_owned(),
            action,
            target_time: target,
            site: Some(CallSite {
                id: site.into(),
                attributes: BTreeMap::new(),
            }),
            store: Some("files".into()),
            shard: Some("main".into()),
            companions: Arc::from([]),
            with,
            outputs: BTreeMap::new(),
        }
    }

    pub async fn perform(
        &self,
        action: Action,
        site: &str,
        target: Timestamp,
        with: Value,
    ) -> Result<Outcome, Fault> {
        let call = self.call(action, site, target, with);
        self.connector.perform(&call, &Quiet::default()).await
    }

    pub async fn probe(&self, site: &str, target: Timestamp) -> Probe {
        let call = self.call(Action::Restore, site, target, json!({}));
        let probe = self.connector.probe(&call, None, &Quiet::default()).await;
        probe.expect("it could look")
    }

    /// Everything below a folder of live, told by another way than the
    /// connector's: `find` and `sha256sum`.
    pub fn told(&self, site: &str) -> String {
        let script = r"find . -printf '%p %y %m %l %U:%G ' \( -type f -printf '%T@ ' -exec sha256sum '{}' \; -o -printf '\n' \) | sort";
        let told = Command::new("sh")
            .args(["-c", script])
            .current_dir(self.live(site))
            .output()
            .expect("sh runs");
        assert!(told.status.success(), "{told:?}");
        String::from_utf8_lossy(&told.stdout).into_owned()
    }
}

fn connector(temp: &Path, folder: &str, past: Past) -> FolderConnector {
    FolderConnector::new(FolderConfig {
        store: "files".into(),
        shards: vec![FolderShard {
            id: "main".into(),
            live: Some(temp.join("live")),
            past,
            scratch: None,
        }],
        folder: Some(folder.to_owned()),
        render: Arc::new(|text: &str, site: &CallSite| {
            Ok(text.replace("{{ site.id }}", site.id.as_str()))
        }),
        scratch_root: temp.join("scratch"),
    })
}

pub fn now() -> Timestamp {
    Timestamp::from_micros(jiff::Timestamp::now().as_microsecond())
}

/// A moment after all that was written and before all that will be: the times
/// of files are taken from a clock that ticks every few milliseconds.
pub fn moment(world: &World) -> Timestamp {
    let tick = world.temp.path().join("tick");
    let written = || {
        fs::write(&tick, "").expect("written");
        let told = fs::metadata(&tick).expect("there");
        told.mtime() * 1_000_000 + told.mtime_nsec() / 1000
    };
    let first = written();
    while written() == first {}
    let between = now();
    while written() <= between.as_micros() {}
    between
}
