//! An estate of one vendor in a temporary folder, and calls as a run makes them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use reprise_lab::vendor::{Options, Server};
use reprise_model::{
    Action, AttemptId, Fault, Outcome, RunId, ShardId, SiteId, StoreId, TaskIx, TaskKey,
};
use reprise_ports::{Call, CallSite, Connector, Context, Progress};
use reprise_runner::{World, WorldOptions};
use reprise_spec::{Environment, parse_estate};
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

pub const SECRET: &str = "hush-hush-secret";
pub const T: &str = "2026-03-01T12:00:00Z";

/// Site 7 had five apps, site 8 one.
pub const LISTING: &str = "site,app,plan\n7,calendar,free\n7,crm,gold\n7,forms,free\n7,maps,free\n7,polls,free\n8,crm,free\n";
pub const APPS: [&str; 5] = ["calendar", "crm", "forms", "maps", "polls"];

pub struct Bench {
    pub vendor: Server,
    pub folder: TempDir,
    /// What replaces parts of the estate's text.
    changes: Vec<(String, String)>,
    secret: String,
    drill: bool,
}

pub struct Quiet(pub CancellationToken);

#[async_trait]
impl Context for Quiet {
    fn progress(&self, _progress: Progress) {}

    async fn mark(&self, _mark: Value) -> Result<(), Fault> {
        Ok(())
    }

    fn cancelled(&self) -> &CancellationToken {
        &self.0
    }
}

const ESTATE: &str = r#"
version: 1
name: apps
sites: { from: sites.csv }
stores:
  marketplace:
    kind: http
    layer: apps
    tenant:
      at: { from: apps.csv }
      auth:
        oauth:
          token_url: /oauth/token
          client_id: ${VENDOR_ID}
          client_secret: ${VENDOR_SECRET}
      list: { url: "/v1/sites/{{ site.id }}/apps", id: "apps[].id", state: "apps[].state", ok: [active], next: next }
      install:
        url: "/v1/sites/{{ site.id }}/apps"
        body: { app: "{{ app.id }}", plan: "{{ app.plan }}" }
      reconnect: { method: PUT, url: "/v1/sites/{{ site.id }}/apps/{{ app.id }}" }
      check: { url: "/v1/sites/{{ site.id }}/apps/{{ app.id }}", state: state, ok: [active] }
      timeout: 5s
    shards:
      main: { live: "${VENDOR_URL}" }
"#;

impl Bench {
    pub async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub async fn with(options: Options) -> Self {
        let options = Options {
            client_secret: SECRET.to_owned(),
            ..options
        };
        let bench = Self {
            vendor: Server::start(options).await.unwrap(),
            folder: TempDir::new().unwrap(),
            changes: Vec::new(),
            secret: SECRET.to_owned(),
            drill: false,
        };
        bench.listing(LISTING);
        bench
    }

    pub fn listing(&self, text: &str) {
        std::fs::write(self.folder.path().join("apps.csv"), text).unwrap();
    }

    pub fn change(mut self, from: &str, to: &str) -> Self {
        assert!(ESTATE.contains(from), "{from}");
        self.changes.push((from.to_owned(), to.to_owned()));
        self
    }

    pub fn secret(mut self, secret: &str) -> Self {
        self.secret = secret.to_owned();
        self
    }

    pub fn drill(mut self) -> Self {
        self.drill = true;
        self
    }

    /// A connector that knows nothing of those before it, as after a crash.
    pub fn connector(&self) -> Arc<dyn Connector> {
        self.connector_to(&self.vendor.url())
    }

    pub fn connector_to(&self, url: &str) -> Arc<dyn Connector> {
        let mut text = ESTATE.to_owned();
        for (from, to) in &self.changes {
            text = text.replace(from, to);
        }
        let path = self.folder.path().join("estate.yaml");
        let estate = parse_estate(&text, &path).unwrap_or_else(|found| panic!("{found}"));
        let environment = Environment::new([
            ("VENDOR_URL", url),
            ("VENDOR_ID", "lab"),
            ("VENDOR_SECRET", &self.secret),
        ]);
        let options = WorldOptions {
            scratch_root: self.folder.path().join("scratch"),
            temp: PathBuf::from(self.folder.path()),
            deps: None,
            pg_bin: Vec::new(),
            path: None,
            drill: self.drill,
            live_connections: 1,
        };
        let world = World::open(&estate, &environment, &options).unwrap();
        world.connector(&StoreId::from("marketplace")).unwrap()
    }

    pub async fn restore(&self, site: &str) -> Result<Outcome, Fault> {
        perform(&*self.connector(), &call(Action::Restore, site)).await
    }

    pub async fn verify(&self, site: &str) -> Result<Outcome, Fault> {
        perform(&*self.connector(), &call(Action::Verify, site)).await
    }

    /// Each of the apps of site 7 was brought back once, and works.
    pub fn all_once(&self) {
        let counts = self.vendor.counts();
        let effects: BTreeMap<String, u32> =
            APPS.iter().map(|app| (format!("7/{app}"), 1)).collect();
        assert_eq!(counts.effects, effects, "{counts:?}");
        let states: Vec<_> = self.vendor.apps("7").into_values().collect();
        assert_eq!(states, ["active"; 5]);
    }
}

pub async fn perform(connector: &dyn Connector, call: &Call) -> Result<Outcome, Fault> {
    connector
        .perform(call, &Quiet(CancellationToken::new()))
        .await
}

pub fn call(action: Action, site: &str) -> Call {
    let task = format!("{}/{site}", action.as_str());
    Call {
        run: RunId::from("r1"),
        attempt: AttemptId {
            task: TaskIx(0),
            number: 1,
        },
        idempotency_key: format!("r1/{task}"),
        task: TaskKey::new(task),
        action,
        target_time: T.parse().unwrap(),
        site: Some(CallSite {
            id: SiteId::from(site),
            attributes: BTreeMap::new(),
        }),
        store: Some(StoreId::from("marketplace")),
        shard: Some(ShardId::from("main")),
        companions: Arc::default(),
        with: serde_json::Map::new(),
        outputs: BTreeMap::new(),
    }
}
