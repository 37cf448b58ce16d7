//! What a program may say on its standard output.

use reprise_model::{Check, Verdict};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Of a line that is no message, this much is shown.
const SHOWN: usize = 120;

#[derive(Debug, PartialEq)]
pub(super) enum Message {
    Progress(f64),
    Output(Map<String, Value>),
    Verdict(Check),
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Line {
    Progress {
        progress: f64,
    },
    Output {
        output: Map<String, Value>,
    },
    Verdict {
        verdict: Verdict,
        name: String,
        #[serde(default)]
        evidence: Value,
    },
}

pub(super) fn parse(line: &str) -> Result<Message, String> {
    let refused = || format!("line is no message of the exec protocol: `{}`", shown(line));
    match serde_json::from_str(line).map_err(|_| refused())? {
        Line::Progress { progress } if (0.0..=1.0).contains(&progress) => {
            Ok(Message::Progress(progress))
        }
        Line::Progress { .. } => Err(refused()),
        Line::Output { output } => Ok(Message::Output(output)),
        Line::Verdict {
            verdict,
            name,
            evidence,
        } => Ok(Message::Verdict(Check {
            name,
            verdict,
            evidence,
        })),
    }
}

/// The start of a foreign text, without what could move a terminal's cursor.
pub(super) fn shown(text: &str) -> String {
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().take(SHOWN).map(clean).collect()
}
