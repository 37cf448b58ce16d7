//! `check.references`: what the option `with` of such a step says. Each side
//! is one store's slice of the site, listed by a key.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Action, StoreId};

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct References {
    /// What refers.
    pub from: Side,
    /// What is referred to.
    pub to: Side,
    #[serde(default)]
    pub orphans: Orphans,
}

/// Whether what nobody refers to fails the check.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Orphans {
    #[default]
    Fail,
    Allowed,
}

impl Orphans {
    pub const WORDS: [&str; 2] = ["fail", "allowed"];
}

/// One listing. Which keys it has depends on the kind of the store.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Side {
    pub store: StoreId,
    /// What items are matched by: a column, an attribute, a field.
    pub key: String,
    /// Further values of an item that must be equal on both sides, by place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compare: Vec<String>,
    #[serde(default)]
    pub at: End,
    /// Of SQL stores: yields the items; the site's id is `$1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Of directories: which entries are meant, in the language of LDAP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    #[serde(default)]
    pub list: Listed,
}

/// Which end of the store is listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    #[default]
    Live,
    /// The shard recovered to the target time.
    Target,
}

impl End {
    pub const WORDS: [&str; 2] = ["live", "target"];
}

/// What of a directory is listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Listed {
    /// The site's entries, shared ones among them.
    #[default]
    Entries,
    /// The site's members of groups outside of its subtree.
    Members,
}

impl Listed {
    pub const WORDS: [&str; 2] = ["entries", "members"];
}

impl References {
    /// The options of a step, where it has this action.
    pub fn of(action: Action, with: &Map<String, Value>) -> Option<Result<Self, String>> {
        (action == Action::CheckReferences).then(|| Self::read(with))
    }

    pub fn read(with: &Map<String, Value>) -> Result<Self, String> {
        let with = Value::Object(with.clone());
        serde_json::from_value(with).map_err(|error| error.to_string())
    }

    pub fn sides(&self) -> [&Side; 2] {
        [&self.from, &self.to]
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live => "live",
            Self::Target => "target",
        })
    }
}
