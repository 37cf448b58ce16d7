//! Verdicts: what a check found, with what it looked at.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a check concluded. `Unknown` means that it could not look, and is
/// never treated as a pass.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Pass,
    Unknown,
    Fail,
}

impl Verdict {
    /// The verdict over several checks: the worst of them. Over none at all
    /// it is `Unknown`, because nobody looked.
    pub fn over(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
        verdicts.into_iter().max().unwrap_or(Verdict::Unknown)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Unknown => "unknown",
            Self::Fail => "fail",
        }
    }
}

/// One check with its evidence: a JSON object that says what was looked at
/// (tables, counts, checksums, URLs), small and free of secrets.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Check {
    pub name: String,
    pub verdict: Verdict,
    pub evidence: Value,
}
