//! Options of a media step: the `with:` of the runbook.

use reprise_model::Fault;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::history::{Doubts, Ties};
use crate::shared::policy::{CreatedAfter, Empty, OnConflict};

/// What to do with delete markers that hide the version of T.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Markers {
    /// Cheap, and the version is current as it was. That the key was deleted
    /// for a while is forgotten: a later restore to such a moment has it.
    #[default]
    Remove,
    /// A copy is put above them: the bucket's history only grows.
    Keep,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    pub ties: Ties,
    pub doubts: Doubts,
    pub on_conflict: OnConflict,
    pub created_after: CreatedAfter,
    pub empty: Empty,
    pub markers: Markers,
    /// Requests under way at a time.
    pub concurrent: usize,
    /// Objects above this are copied in parts of this size, in bytes.
    pub part_size: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ties: Ties::default(),
            doubts: Doubts::default(),
            on_conflict: OnConflict::default(),
            created_after: CreatedAfter::default(),
            empty: Empty::default(),
            markers: Markers::default(),
            concurrent: 64,
            // What S3 copies in one request at most, and in one part.
            part_size: 5 << 30,
        }
    }
}

impl Options {
    pub fn read(with: &Map<String, Value>) -> Result<Self, Fault> {
        let options: Self = serde_json::from_value(Value::Object(with.clone()))
            .map_err(|error| Fault::permanent(format!("the `with` of this step: {error}")))?;
        if !(1..=1024).contains(&options.concurrent) {
            return Err(Fault::permanent("`with: concurrent` is from 1 to 1024"));
        }
        if !(5 << 20..=5 << 30).contains(&options.part_size) {
            return Err(Fault::permanent(
                "`with: part_size` is from 5242880 to 5368709120 bytes, as S3 has it",
            ));
        }
        Ok(options)
    }
}
