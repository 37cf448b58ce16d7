//! What must be known before there is a plan: the sites as they were at T.

use std::collections::BTreeMap;

use async_trait::async_trait;
use reprise_model::{
    Action, AttemptId, Estate, Fault, RunId, Shard, ShardId, SiteSource, Store, StoreId, TaskIx,
    TaskKey, Timestamp,
};
use reprise_ports::{Call, Context, Progress, SiteRow};
use reprise_spec::{Diagnostics, read_sites_csv};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::world::World;

#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    #[error("the list of sites cannot be read")]
    File(#[from] Diagnostics),
    #[error("the list of sites cannot be read: {path}: {what}")]
    Unreadable { path: String, what: String },
    #[error("the list of sites at {target_time} could not be had")]
    Store {
        target_time: Timestamp,
        #[source]
        fault: Fault,
    },
}

/// Looks outside of a run: tells how far it is, and can be ended.
pub struct Survey<'a> {
    pub world: &'a World,
    pub estate: &'a Estate,
    pub target_time: Timestamp,
    pub progress: &'a (dyn Fn(&Progress) + Send + Sync),
    pub cancel: CancellationToken,
}

impl Survey<'_> {
    /// The sites as they were at T: from the file, or by the query against the
    /// catalogue, which is recovered in scratch first. A run finds it there.
    pub async fn sites(&self) -> Result<Vec<SiteRow>, SurveyError> {
        match &self.estate.sites {
            SiteSource::File { path } => {
                let path = self.estate.base.join(path);
                let text =
                    std::fs::read_to_string(&path).map_err(|error| SurveyError::Unreadable {
                        path: path.display().to_string(),
                        what: error.to_string(),
                    })?;
                Ok(read_sites_csv(&text, &path)?)
            }
            SiteSource::Query { store, query } => {
                let mut rows = Vec::new();
                for shard in self.shards_of_source(store) {
                    let listed = self.list(shard.0, shard.1, query).await;
                    rows.extend(listed.map_err(|fault| SurveyError::Store {
                        target_time: self.target_time,
                        fault,
                    })?);
                }
                Ok(rows)
            }
        }
    }

    /// What ids are that turned out not to be sites, as far as the catalogue knows.
    pub async fn identify(&self, ids: &[String]) -> BTreeMap<String, String> {
        let mut known = BTreeMap::new();
        let SiteSource::Query { store, .. } = &self.estate.sites else {
            return known;
        };
        for (store, shard) in self.shards_of_source(store) {
            if let Ok(connector) = self.world.connector(&store.id) {
                known.extend(connector.identify(&shard.id, self.target_time, ids).await);
            }
        }
        known
    }

    fn shards_of_source(&self, store: &StoreId) -> Vec<(&Store, &Shard)> {
        let store = self.estate.store(store);
        store
            .into_iter()
            .flat_map(|store| store.shards.iter().map(move |shard| (store, shard)))
            .collect()
    }

    /// Brings a shard to T in scratch, where a run finds it done.
    pub async fn recover(&self, store: &StoreId, shard: &ShardId) -> Result<(), Fault> {
        let connector = self.world.connector(store)?;
        let call = self.recovery(store, shard);
        connector.perform(&call, self).await.map(|_| ())
    }

    async fn list(&self, store: &Store, shard: &Shard, query: &str) -> Result<Vec<SiteRow>, Fault> {
        self.recover(&store.id, &shard.id).await?;
        let connector = self.world.connector(&store.id)?;
        connector
            .list_sites(&shard.id, self.target_time, query)
            .await
    }

    fn recovery(&self, store: &StoreId, shard: &ShardId) -> Call {
        let task = TaskKey::new(format!("survey@{store}/{shard}"));
        Call {
            run: RunId::new("survey"),
            attempt: AttemptId {
                task: TaskIx(0),
                number: 1,
            },
            idempotency_key: format!("survey/{}/{task}", self.target_time),
            task,
            action: Action::Recover,
            target_time: self.target_time,
            site: None,
            store: Some(store.clone()),
            shard: Some(shard.clone()),
            companions: Default::default(),
            with: Map::new(),
            outputs: BTreeMap::new(),
        }
    }
}

#[async_trait]
impl Context for Survey<'_> {
    fn progress(&self, progress: Progress) {
        (self.progress)(&progress);
    }

    /// A recovery in scratch can be repeated: nothing needs to be remembered.
    async fn mark(&self, _: Value) -> Result<(), Fault> {
        Ok(())
    }

    fn cancelled(&self) -> &CancellationToken {
        &self.cancel
    }
}
