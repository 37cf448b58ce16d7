//! Recorded events, and the secondary data sets that they are replayed into.
//! The values of a store of kind `events`.

use serde::{Deserialize, Serialize};

use crate::Elapsed;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Events {
    pub fields: EventFields,
    /// The number that every stream begins with.
    pub first: i64,
    /// Longest time without an event that is expected of a stream.
    pub max_silence: Option<Elapsed>,
    /// What every site has events of. Absent where that is not known: then one
    /// event is expected of the sites of a batch; empty: not even that.
    #[serde(default)]
    pub streams: Option<Vec<String>>,
    /// Absent where nothing but completeness is looked at.
    pub target: Option<EventTarget>,
}

/// The names that a recorded event has for what reprise must know of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EventFields {
    pub site: String,
    pub stream: String,
    pub seq: String,
    pub time: String,
    pub payload: String,
}

impl Default for EventFields {
    fn default() -> Self {
        Self {
            site: "site".to_owned(),
            stream: "stream".to_owned(),
            seq: "seq".to_owned(),
            time: "time".to_owned(),
            payload: "payload".to_owned(),
        }
    }
}

/// How an event gets into the data set, and where its offset is kept.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventTarget {
    Sql(SqlTarget),
    Http(HttpTarget),
}

/// Statements for PostgreSQL. `$1` is the site, and for `apply` `$2` the
/// stream, `$3` the number, `$4` the time, `$5` the payload.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SqlTarget {
    pub apply: String,
    /// Table with `site`, `stream` and `seq`; its key is `(site, stream)`.
    pub offsets: String,
    /// Yields `stream` and the number of its events that live has.
    pub count: Option<String>,
    /// Deletes what was made of the site's events.
    pub clear: Option<String>,
}

/// Addresses below the live end: templates over the site and `stream`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct HttpTarget {
    /// Takes `{ after, events }` by POST.
    pub apply: String,
    /// Gives `{ seq, count? }` by GET.
    pub offset: String,
    /// Forgets the site's events and offsets by DELETE.
    pub clear: Option<String>,
    /// Events in one request at most.
    pub batch: u64,
    /// Longest wait for one answer.
    pub timeout: Elapsed,
}
