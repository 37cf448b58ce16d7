//! Options of a restore or verify step: the `with:` of the runbook.

use std::time::Duration;

use reprise_model::{Fault, parse_duration};
use serde_json::{Map, Value};

/// What to do about live rows of the site that are there already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnConflict {
    /// Stop, and say how many there are.
    Refuse,
    /// Live rows win; what is missing is added.
    Keep,
    /// The slice of T wins; live rows of the site are deleted first.
    Replace,
}

impl OnConflict {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Keep => "keep",
            Self::Replace => "replace",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    pub on_conflict: OnConflict,
    /// How long one statement waits for a lock that a live session holds.
    pub lock_timeout: Duration,
    /// How long one statement may take; a table's `copy` is one.
    pub statement_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            on_conflict: OnConflict::Refuse,
            lock_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(3600),
        }
    }
}

impl Options {
    pub fn read(with: &Map<String, Value>) -> Result<Self, Fault> {
        let mut options = Self::default();
        for (key, value) in with {
            match key.as_str() {
                "on_conflict" => options.on_conflict = on_conflict(value)?,
                "lock_timeout" => options.lock_timeout = duration(key, value)?,
                "statement_timeout" => options.statement_timeout = duration(key, value)?,
                _ => {
                    let message = format!("`with: {key}` is not an option of this step");
                    return Err(Fault::permanent(message)
                        .hint("it knows on_conflict, lock_timeout and statement_timeout"));
                }
            }
        }
        Ok(options)
    }
}

fn on_conflict(value: &Value) -> Result<OnConflict, Fault> {
    match value.as_str() {
        Some("refuse") => Ok(OnConflict::Refuse),
        Some("keep") => Ok(OnConflict::Keep),
        Some("replace") => Ok(OnConflict::Replace),
        Some(_) | None => Err(Fault::permanent(format!(
            "`with: on_conflict` is {value}; it can be refuse, keep or replace"
        ))),
    }
}

fn duration(key: &str, value: &Value) -> Result<Duration, Fault> {
    value.as_str().and_then(parse_duration).ok_or_else(|| {
        Fault::permanent(format!(
            "`with: {key}` is {value}; it is a duration such as 5s or 10m"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_mistakes_are_named() {
        let read = |text: &str| {
            let with: Map<String, Value> = serde_json::from_str(text).expect("JSON");
            Options::read(&with).map_err(|fault| fault.message)
        };
        assert_eq!(read("{}"), Ok(Options::default()));
        let options = read(r#"{"on_conflict": "keep", "lock_timeout": "250ms"}"#).expect("valid");
        assert_eq!(options.on_conflict, OnConflict::Keep);
        assert_eq!(options.lock_timeout, Duration::from_millis(250));
        assert!(read(r#"{"on_conflict": "merge"}"#).is_err());
        assert!(read(r#"{"lock_timeout": 5}"#).is_err());
        assert!(read(r#"{"conflict": "keep"}"#).is_err());
    }
}
