//! Options of a step on a directory: the `with:` of the runbook.

use reprise_model::Fault;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A live entry that is not as it was at T.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// Stop, and say how many there are.
    #[default]
    Refuse,
    /// The slice of T wins.
    Replace,
}

/// A membership that live lacks and that is not the site's alone to bring back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undecided {
    /// Somebody has to look.
    #[default]
    Unknown,
    /// Somebody did: the accident ended it.
    Add,
    /// Somebody did: it was ended by who may.
    Leave,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    pub on_conflict: OnConflict,
    pub undecided: Undecided,
}

impl Options {
    pub fn read(with: &Map<String, Value>) -> Result<Self, Fault> {
        serde_json::from_value(Value::Object(with.clone())).map_err(|error| {
            Fault::permanent(format!("the `with` of this step: {error}")).hint(
                "it knows `on_conflict`: refuse or replace; `undecided`: unknown, add or leave",
            )
        })
    }
}
