//! A repository with commits at chosen times, a live folder, a connector.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use reprise_connectors::git::{GitConfig, GitConnector, GitShard};
use reprise_model::{Action, AttemptId, Fault, Outcome, RunId, TaskIx, Timestamp};
use reprise_ports::{Call, CallSite, Connector, Context, Probe, Progress};
use serde_json::{Map, Value};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

pub struct World {
    pub folder: TempDir,
    pub path: String,
}

/// So many seconds after the first moment.
pub fn at(seconds: i64) -> Timestamp {
    let first: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    Timestamp::from_micros(first.as_micros() + seconds * 1_000_000)
}

impl World {
    pub fn new() -> Self {
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
            path: "sites/{{ site.id }}/".to_owned(),
        };
        fs::create_dir(world.live("")).unwrap();
        fs::create_dir(world.repository()).unwrap();
        world.git(&["init", "--quiet", "--initial-branch=main"], 0);
        world
    }

    pub fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    pub fn live(&self, path: &str) -> PathBuf {
        self.folder.path().join("live").join(path)
    }

    pub fn git(&self, arguments: &[&str], seconds: i64) -> String {
        let date = at(seconds).to_string();
        let ended = Command::new("git")
            .arg("-C")
            .arg(self.repository())
            .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_COMMITTER_DATE", &date)
            .env("GIT_AUTHOR_DATE", at(0).to_string())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{arguments:?}: {said}");
        String::from_utf8(ended.stdout).unwrap().trim().to_owned()
    }

    /// Commits files as they are given; an empty text removes one.
    pub fn commit(&self, seconds: i64, files: &[(&str, &str)]) -> String {
        for (path, text) in files {
            put(&self.repository(), path, text);
        }
        self.git(&["add", "-A"], seconds);
        self.git(
            &["commit", "--quiet", "--allow-empty", "-m", "change"],
            seconds,
        );
        self.git(&["rev-parse", "HEAD"], seconds)
    }

    pub fn put_live(&self, files: &[(&str, &str)]) {
        for (path, text) in files {
            put(&self.live(""), path, text);
        }
    }

    pub fn read_live(&self, path: &str) -> String {
        fs::read_to_string(self.live(path)).unwrap_or_default()
    }

    pub fn connector(&self) -> GitConnector {
        self.connector_to(self.repository().to_str().unwrap())
    }

    pub fn connector_to(&self, repository: &str) -> GitConnector {
        let live = format!("file://{}", self.live("").display());
        GitConnector::new(GitConfig {
            store: "settings".into(),
            shards: vec![GitShard {
                id: "main".into(),
                live: Some(live.into()),
                repository: repository.to_owned(),
                branch: "main".into(),
                scratch: None,
            }],
            path: Some(self.path.clone()),
            render: Arc::new(|text: &str, site: &CallSite| {
                Ok(text.replace("{{ site.id }}", site.id.as_str()))
            }),
            scratch_root: self.folder.path().join("scratch"),
            base: self.folder.path().to_owned(),
        })
    }
}

fn put(root: &Path, path: &str, text: &str) {
    let place = root.join(path);
    if text.is_empty() {
        fs::remove_file(place).unwrap();
        return;
    }
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(place, text).unwrap();
}

pub fn call(action: Action, site: &str, target: Timestamp, with: &str) -> Call {
    let with: Map<String, Value> = serde_json::from_str(with).unwrap();
    Call {
        run: RunId::from("run"),
        attempt: AttemptId {
            task: TaskIx(0),
            number: 1,
        },
        task: "settings".into(),
        idempotency_key: "key".into(),
        action,
        target_time: target,
        site: match action {
            Action::Recover | Action::Release => None,
            _ => Some(CallSite {
                id: site.into(),
                attributes: BTreeMap::new(),
            }),
        },
        store: Some("settings".into()),
        shard: Some("main".into()),
        companions: Arc::default(),
        with,
        outputs: BTreeMap::new(),
    }
}

/// Cancels at the progress of this number.
#[derive(Default)]
pub struct Watcher {
    pub token: CancellationToken,
    pub cancel_at: Option<usize>,
    pub seen: AtomicUsize,
}

#[async_trait]
impl Context for Watcher {
    fn progress(&self, _progress: Progress) {
        if Some(self.seen.fetch_add(1, Ordering::Relaxed)) == self.cancel_at {
            self.token.cancel();
        }
    }

    async fn mark(&self, _mark: Value) -> Result<(), Fault> {
        Ok(())
    }

    fn cancelled(&self) -> &CancellationToken {
        &self.token
    }
}

pub async fn perform(
    connector: &GitConnector,
    action: Action,
    site: &str,
    target: Timestamp,
    with: &str,
) -> Result<Outcome, Fault> {
    let call = call(action, site, target, with);
    connector.perform(&call, &Watcher::default()).await
}

pub async fn is_done(connector: &GitConnector, site: &str, target: Timestamp, with: &str) -> bool {
    let call = call(Action::Restore, site, target, with);
    let probe = connector.probe(&call, None, &Watcher::default()).await;
    matches!(probe.unwrap(), Probe::AsItShouldBe(_))
}

/// Restores and proves a site, or panics with what was found.
pub async fn comes_back(
    connector: &GitConnector,
    site: &str,
    target: Timestamp,
    with: &str,
) -> Outcome {
    let restored = perform(connector, Action::Restore, site, target, with).await;
    let restored = restored.unwrap_or_else(|fault| panic!("{fault:?}"));
    let verified = perform(connector, Action::Verify, site, target, with).await;
    verified.unwrap_or_else(|fault| panic!("{fault:?}"));
    assert!(is_done(connector, site, target, with).await);
    restored
}
