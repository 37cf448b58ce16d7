//! Options of a step on files: the `with:` of the runbook.

use reprise_model::Fault;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::shared::policy::{CreatedAfter, Empty, OnConflict};

/// Whose a file is that is otherwise as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owners {
    #[default]
    Compare,
    /// The copy was made without, and has them all as one account's: a thing
    /// stays whose it is, and a new one is whose the live tree is.
    Leave,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    pub on_conflict: OnConflict,
    pub created_after: CreatedAfter,
    pub empty: Empty,
    pub owners: Owners,
    /// Files under way at a time.
    pub concurrent: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            on_conflict: OnConflict::default(),
            created_after: CreatedAfter::default(),
            empty: Empty::default(),
            owners: Owners::default(),
            // Enough to hide the latency of a disk on the network.
            concurrent: 8,
        }
    }
}

impl Options {
    pub fn read(with: &Map<String, Value>) -> Result<Self, Fault> {
        let options: Self = serde_json::from_value(Value::Object(with.clone()))
            .map_err(|error| Fault::permanent(format!("the `with` of this step: {error}")))?;
        match (1..=1024).contains(&options.concurrent) {
            true => Ok(options),
            false => Err(Fault::permanent("`with: concurrent` is from 1 to 1024")),
        }
    }
}
