//! Options of a step: the `with:` of the runbook.

use reprise_model::Fault;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A file that is there and not as it was at T.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OnConflict {
    /// Stop before anything is written, and say how many there are.
    #[default]
    Refuse,
    /// The live file wins.
    Keep,
    /// The file of T wins.
    Replace,
}

/// A file that was not there at T and is now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CreatedAfter {
    #[default]
    Keep,
    Remove,
}

/// A commit within the target time's own second.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ties {
    #[default]
    Refuse,
    Include,
    Exclude,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Options {
    pub on_conflict: OnConflict,
    pub created_after: CreatedAfter,
    pub ties: Ties,
}

impl Options {
    pub fn read(with: &Map<String, Value>) -> Result<Self, Fault> {
        serde_json::from_value(Value::Object(with.clone())).map_err(|error| {
            Fault::permanent(format!("`with` of the step: {error}"))
                .hint("a store of kind `git` knows on_conflict, created_after and ties")
        })
    }
}
