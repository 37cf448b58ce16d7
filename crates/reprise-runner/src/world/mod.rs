//! The world of an estate: its connectors, with paths and secrets resolved.
//! One file for each kind of store.

mod events;
mod folder;
mod git;
mod http;
mod ldap;
mod mariadb;
mod postgres;
mod s3;

pub use events::recorded;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reprise_connectors::generic::{
    ConsistencyConnector, ExecConnector, HttpConnector, ReferencesConnector, Resolver,
};
use reprise_model::{Action, Estate, Fault, Shard, Store, StoreId, StoreKind, Text};
use reprise_ports::{Call, Connector, Inspect, Inspection};
use reprise_spec::{Environment, MissingVariable, live_place};
use secrecy::{ExposeSecret, SecretString};

/// What the estate does not say: this machine's side of things.
#[derive(Clone, Debug)]
pub struct WorldOptions {
    /// Shards without a scratch folder of their own are recovered in here.
    pub scratch_root: PathBuf,
    /// Short-lived private folders for sockets go in here.
    pub temp: PathBuf,
    /// A Python environment that may hold PostgreSQL in a wheel.
    pub deps: Option<PathBuf>,
    /// `bin` folders of PostgreSQL to be preferred.
    pub pg_bin: Vec<PathBuf>,
    /// The value of `PATH`.
    pub path: Option<std::ffi::OsString>,
    /// A drill is built without live credentials: it has no way to production.
    pub drill: bool,
    /// Connections at most to each shard's live end.
    pub live_connections: u32,
}

/// What the environment says that programs of `exec` steps may know.
const PASSED_ON: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    #[error("variables are missing from the environment")]
    Missing(Vec<MissingVariable>),
    #[error("no client for HTTP: {0}")]
    Http(String),
}

/// What a connector is made of besides its store.
struct Building<'a> {
    estate: &'a Estate,
    environment: &'a Environment,
    options: &'a WorldOptions,
    missing: &'a mut Vec<MissingVariable>,
}

impl Building<'_> {
    /// The shard's live end with its secrets filled in; a drill has none. What
    /// is missing is noted, so that all of it is told at once.
    fn live(&mut self, store: &Store, shard: &Shard) -> Option<SecretString> {
        let place = live_place(store.id.as_str(), shard.id.as_str());
        self.secret(&shard.live, &place)
    }

    /// The same for any secret of a live end.
    fn secret(&mut self, text: &Text, place: &str) -> Option<SecretString> {
        match self.environment.resolve(text, place) {
            Ok(_) if self.options.drill => None,
            Ok(url) => Some(url),
            Err(error) => {
                self.missing.push(error);
                None
            }
        }
    }

    /// A path of the estate.
    fn path(&self, path: &Path) -> PathBuf {
        self.estate.base.join(path)
    }
}

/// Connectors by store, and those that need no store.
pub struct World {
    stores: BTreeMap<StoreId, Arc<dyn Connector>>,
    exec: Arc<dyn Connector>,
    http: Arc<dyn Connector>,
    consistency: Arc<dyn Connector>,
    references: Arc<dyn Connector>,
}

impl World {
    pub fn open(
        estate: &Estate,
        environment: &Environment,
        options: &WorldOptions,
    ) -> Result<Self, WorldError> {
        let mut missing = Vec::new();
        let mut stores = BTreeMap::new();
        // A vendor may ask another store which apps there were.
        let (vendors, others): (Vec<&Store>, Vec<&Store>) = estate
            .stores
            .iter()
            .partition(|store| store.kind == StoreKind::Http);
        for store in others.into_iter().chain(vendors) {
            let mut building = Building {
                estate,
                environment,
                options,
                missing: &mut missing,
            };
            let connector = match store.kind {
                StoreKind::Postgres => postgres::open(store, &mut building),
                StoreKind::Mariadb => mariadb::open(store, &mut building),
                StoreKind::Http => http::open(store, &stores, &mut building)?,
                StoreKind::Events => events::open(store, &mut building)?,
                StoreKind::Git => git::open(store, &mut building),
                StoreKind::Ldap => ldap::open(store, &mut building),
                StoreKind::S3 => s3::open(store, &mut building),
                StoreKind::Folder => folder::open(store, &mut building),
            };
            stores.insert(store.id.clone(), connector);
        }
        if !missing.is_empty() {
            return Err(WorldError::Missing(missing));
        }
        let resolver = resolver(environment);
        let passed_on = PASSED_ON.into_iter().filter_map(|name| {
            let value = environment
                .resolve_str(&format!("${{{name}}}"), name)
                .ok()?;
            Some((name.to_owned(), value.expose_secret().to_owned()))
        });
        let exec = ExecConnector::new(estate.base.clone(), passed_on, resolver.clone());
        let http = HttpConnector::new(estate.base.clone(), resolver).map_err(WorldError::Http)?;
        Ok(Self::of(stores, Arc::new(exec), Arc::new(http)))
    }

    /// A world of connectors that were built elsewhere.
    pub fn of(
        stores: BTreeMap<StoreId, Arc<dyn Connector>>,
        exec: Arc<dyn Connector>,
        http: Arc<dyn Connector>,
    ) -> Self {
        Self {
            references: Arc::new(ReferencesConnector::new(stores.clone())),
            stores,
            exec,
            http,
            consistency: Arc::new(ConsistencyConnector),
        }
    }

    /// The connector that performs a call.
    pub(crate) fn connector_for(&self, call: &Call) -> Result<Arc<dyn Connector>, Fault> {
        let connector = match call.action {
            Action::Exec => self.exec.clone(),
            Action::HttpCheck | Action::TcpCheck => self.http.clone(),
            Action::CheckConsistency => self.consistency.clone(),
            Action::CheckReferences => self.references.clone(),
            Action::Recover | Action::Restore | Action::Verify | Action::Release => {
                let store = call
                    .store
                    .as_ref()
                    .ok_or_else(|| Fault::permanent(format!("{} names no store", call.task)))?;
                self.store(store)?
            }
            Action::Gate => {
                return Err(Fault::permanent(
                    "a gate waits for a person, not for a connector",
                ));
            }
        };
        Ok(connector)
    }

    fn store(&self, store: &StoreId) -> Result<Arc<dyn Connector>, Fault> {
        self.stores
            .get(store)
            .cloned()
            .ok_or_else(|| Fault::permanent(format!("the estate has no store `{store}`")))
    }

    pub async fn inspect(&self, store: &StoreId, inspect: &Inspect) -> Result<Inspection, Fault> {
        Ok(self.store(store)?.inspect(inspect).await)
    }

    /// The connector of a store, for work outside of a run: the recovery of
    /// the catalogue before there is a plan, the list of sites in it.
    pub fn connector(&self, store: &StoreId) -> Result<Arc<dyn Connector>, Fault> {
        self.store(store)
    }

    /// Ends every process and connection that was started.
    pub async fn close(&self) {
        for connector in self.stores.values() {
            connector.close().await;
        }
    }

    /// Folders that are left between runs.
    pub fn leaves(&self) -> Vec<PathBuf> {
        self.stores
            .values()
            .flat_map(|connector| connector.leaves())
            .collect()
    }
}

/// Gives a variable's value at the last moment, inside the connector that needs it.
fn resolver(environment: &Environment) -> Resolver {
    let environment = environment.clone();
    Arc::new(move |name: &str| {
        environment
            .resolve_str(&format!("${{{name}}}"), "with")
            .map_err(|error| error.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_resolved_to_the_value_of_its_variable() {
        let variables = [("TOKEN".to_owned(), "hush-hush".to_owned())];
        let resolver = resolver(&Environment::new(variables));
        let value = resolver("TOKEN").unwrap();
        assert_eq!(value.expose_secret(), "hush-hush");
        let why = resolver("TOKEM").unwrap_err();
        assert!(why.contains("TOKEM"), "{why}");
    }
}
