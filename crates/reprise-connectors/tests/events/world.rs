//! An archive of segments, a connector over it, and calls to it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use reprise_connectors::events::{Archive, EventsConfig, EventsConnector, EventsShard};
use reprise_model::{
    Action, AttemptId, Elapsed, EventFields, EventTarget, Events, Fault, Outcome, RunId, TaskIx,
    Timestamp,
};
use reprise_ports::{Call, CallSite, Connector, Context, Probe, Progress};
use serde_json::{Map, Value};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// T is 100 seconds behind the first moment.
pub const T: i64 = 100;

/// So many seconds after the first moment.
pub fn at(seconds: i64) -> Timestamp {
    let first: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    Timestamp::from_micros(first.as_micros() + seconds * 1_000_000)
}

pub fn line(site: &str, stream: &str, seq: i64, seconds: i64) -> String {
    timed(site, stream, seq, at(seconds))
}

pub fn timed(site: &str, stream: &str, seq: i64, time: Timestamp) -> String {
    format!(
        "{{\"site\":\"{site}\",\"stream\":\"{stream}\",\"seq\":{seq},\"time\":\"{time}\",\
         \"payload\":{{\"n\":{seq}}}}}\n"
    )
}

/// Events of these numbers, one each second, the number its second.
pub fn lines(site: &str, stream: &str, numbers: impl IntoIterator<Item = i64>) -> String {
    let numbers = numbers.into_iter();
    numbers.map(|seq| line(site, stream, seq, seq)).collect()
}

pub struct Recorded {
    pub folder: TempDir,
    pub max_silence: Option<Elapsed>,
    pub streams: Option<Vec<String>>,
    pub has_second: bool,
}

impl Recorded {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("first")).unwrap();
        Self {
            folder,
            max_silence: None,
            streams: None,
            has_second: false,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A segment of the archive; packed where its name says so.
    pub fn put(&self, name: &str, text: &str) {
        self.put_into("first", name, text);
    }

    pub fn put_second(&mut self, name: &str, text: &str) {
        fs::create_dir_all(self.path("second")).unwrap();
        self.has_second = true;
        self.put_into("second", name, text);
    }

    fn put_into(&self, copy: &str, name: &str, text: &str) {
        let path = self.path(copy).join(name);
        let file = fs::File::create(path).unwrap();
        if name.ends_with(".zst") {
            let mut packer = zstd::Encoder::new(file, 3).unwrap();
            packer.include_checksum(true).unwrap();
            packer.write_all(text.as_bytes()).unwrap();
            packer.finish().unwrap();
        } else {
            let mut file = file;
            file.write_all(text.as_bytes()).unwrap();
        }
    }

    pub fn archive(&self) -> Archive {
        Archive {
            path: self.path("first"),
            second: self.has_second.then(|| self.path("second")),
        }
    }

    pub fn events(&self, target: Option<EventTarget>) -> Events {
        Events {
            fields: EventFields::default(),
            first: 1,
            max_silence: self.max_silence,
            streams: self.streams.clone(),
            target,
        }
    }

    pub fn connector(&self, live: &str, target: Option<EventTarget>) -> EventsConnector {
        EventsConnector::new(EventsConfig {
            store: "activity".into(),
            events: self.events(target),
            shards: vec![EventsShard {
                id: "main".into(),
                live: Some(live.to_owned().into()),
                archive: self.archive(),
                scratch: None,
            }],
            render: Arc::new(
                |text: &str, site: &CallSite, names: &BTreeMap<String, String>| {
                    let text = text.replace("{{ site.id }}", site.id.as_str());
                    let stream = names.get("stream").map_or("", String::as_str);
                    Ok(text.replace("{{ stream }}", stream))
                },
            ),
            scratch_root: self.path("scratch"),
            live_connections: 4,
        })
    }

    /// One that is not asked to write.
    pub fn reader(&self) -> EventsConnector {
        self.connector("postgres://nowhere.invalid/none", None)
    }
}

pub fn call(action: Action, site: &str, with: &str) -> Call {
    let with: Map<String, Value> = serde_json::from_str(with).unwrap();
    Call {
        run: RunId::from("run"),
        attempt: AttemptId {
            task: TaskIx(0),
            number: 1,
        },
        task: "activity".into(),
        idempotency_key: format!("run/activity/{site}"),
        action,
        target_time: at(T),
        site: match action {
            Action::Recover | Action::Release => None,
            _ => Some(CallSite {
                id: site.into(),
                attributes: BTreeMap::new(),
            }),
        },
        store: Some("activity".into()),
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
    connector: &EventsConnector,
    action: Action,
    site: &str,
    with: &str,
) -> Result<Outcome, Fault> {
    let call = call(action, site, with);
    connector.perform(&call, &Watcher::default()).await
}

/// Restores a site and proves it, or panics with what was found.
pub async fn comes_back(connector: &EventsConnector, site: &str) -> Outcome {
    let restored = perform(connector, Action::Restore, site, "{}").await;
    let restored = restored.unwrap_or_else(|fault| panic!("{fault:?}"));
    let verified = perform(connector, Action::Verify, site, "{}").await;
    verified.unwrap_or_else(|fault| panic!("{fault:?}"));
    assert!(is_done(connector, site).await);
    restored
}

pub async fn is_done(connector: &EventsConnector, site: &str) -> bool {
    let call = call(Action::Restore, site, "{}");
    let probe = connector.probe(&call, None, &Watcher::default()).await;
    matches!(probe.unwrap(), Probe::AsItShouldBe(_))
}

/// What is wrong with the archive for a site; empty where nothing is.
pub async fn missing(connector: &EventsConnector, site: &str) -> String {
    let with = r#"{"only":"completeness"}"#;
    match perform(connector, Action::Verify, site, with).await {
        Ok(_) => String::new(),
        Err(fault) => {
            assert_eq!(fault.checks[0].name, "completeness");
            fault.message
        }
    }
}
