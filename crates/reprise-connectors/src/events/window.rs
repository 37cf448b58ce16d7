//! What is wrong with a stretch of a stream, as a window: from where to where.

use reprise_model::{SiteId, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowKind {
    /// No event at all, of a stream or of the site.
    Absent,
    /// Numbers that no event has.
    Gap,
    /// Longer without an event than the estate expects.
    Silence,
    /// One number, and events that differ.
    Conflict,
    /// A piece of a segment that cannot be read, and may hold events.
    Damage,
    /// A later number with an earlier time, on the two sides of T.
    Crossing,
    /// The same event more than once.
    Duplicate,
    /// A lower number behind a higher one.
    Disorder,
}

impl WindowKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Gap => "gap",
            Self::Silence => "silence",
            Self::Conflict => "conflict",
            Self::Damage => "damage",
            Self::Crossing => "crossing",
            Self::Duplicate => "duplicate",
            Self::Disorder => "disorder",
        }
    }
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Window {
    pub kind: WindowKind,
    pub site: SiteId,
    /// Absent where nobody can say whose events were lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_seq: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_seq: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_time: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_time: Option<Timestamp>,
    /// Events, where they can be counted.
    pub count: u64,
    /// Harmless: filled from the second copy, or the same event again.
    pub healed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Window {
    /// `stream clicks: gap of 3 events, numbers 41 to 43, between T1 and T2`.
    pub fn words(&self) -> String {
        let mut words = match &self.stream {
            Some(stream) => format!("stream {stream}: {}", self.kind.as_str()),
            None => self.kind.as_str().to_owned(),
        };
        if self.count > 0 {
            words += &format!(" of {} event{}", self.count, plural(self.count));
        }
        match (self.from_seq, self.to_seq) {
            (Some(from), Some(to)) if from == to => words += &format!(", number {from}"),
            (Some(from), Some(to)) => words += &format!(", numbers {from} to {to}"),
            (Some(from), None) => words += &format!(", from number {from}"),
            (None, Some(to)) => words += &format!(", to number {to}"),
            (None, None) => {}
        }
        match (self.from_time, self.to_time) {
            (Some(from), Some(to)) => words += &format!(", between {from} and {to}"),
            (Some(from), None) => words += &format!(", after {from}"),
            (None, Some(to)) => words += &format!(", before {to}"),
            (None, None) => {}
        }
        if let Some(note) = &self.note {
            words += &format!(" ({note})");
        }
        words
    }
}

fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}
