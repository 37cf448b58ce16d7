//! Options of a media step: the `with:` of the runbook.

use reprise_model::Fault;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::history::Ties;
use crate::shared::policy::{CreatedAfter, OnConflict};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    pub ties: Ties,
    pub on_conflict: OnConflict,
    pub created_after: CreatedAfter,
    /// Requests under way at a time.
    pub concurrent: usize,
    /// Objects above this are copied in parts of this size, in bytes.
    pub part_size: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ties: Ties::default(),
            on_conflict: OnConflict::default(),
            created_after: CreatedAfter::default(),
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
