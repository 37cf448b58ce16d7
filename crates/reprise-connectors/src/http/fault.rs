//! What an answer that is no success means, and what a vendor says about it.

use reprise_model::{Fault, FaultKind};
use reqwest::StatusCode;
use serde_json::Value;

use super::place;

/// Of a vendor's message, at most this many characters are passed on.
const MESSAGE: usize = 200;

/// A request that did not succeed.
#[derive(Debug)]
pub(super) struct Miss {
    pub fault: Fault,
    /// Nobody can tell whether it had its effect.
    pub lost: bool,
    pub status: Option<StatusCode>,
}

impl Miss {
    pub fn certain(fault: Fault) -> Self {
        Self {
            fault,
            lost: false,
            status: None,
        }
    }

    /// A drop or a time-out.
    pub fn lost(fault: Fault) -> Self {
        Self {
            lost: true,
            ..Self::certain(fault)
        }
    }
}

impl From<Miss> for Fault {
    fn from(miss: Miss) -> Self {
        miss.fault
    }
}

/// Too much at once and not now may pass, and so may what broke in the vendor:
/// but not what it never learnt (501), nor a full disk (507).
pub(crate) fn kind_of(status: StatusCode) -> FaultKind {
    match status.as_u16() {
        501 | 507 => FaultKind::Permanent,
        408 | 425 | 429 | 500..=599 => FaultKind::Temporary,
        _ => FaultKind::Permanent,
    }
}

/// Whether an effect may have happened behind the answer: a vendor that says
/// that it did not take the request has not acted on it.
pub(super) fn is_lost(status: StatusCode) -> bool {
    status == StatusCode::REQUEST_TIMEOUT
        || status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE
}

/// The vendor's own words, short and in one line. They are veiled before they
/// are cut: of half a secret nobody could tell that it is one.
pub(crate) fn message_in(body: &[u8], veil: impl Fn(&str) -> String) -> Option<String> {
    let words = match serde_json::from_slice::<Value>(body) {
        Ok(value) => [
            "error_description",
            "error.message",
            "message",
            "detail",
            "error",
        ]
        .into_iter()
        .find_map(|name| place::text(place::at(&value, name)?))?,
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    let one_line = veil(&words);
    let one_line = one_line.split_whitespace().collect::<Vec<_>>().join(" ");
    let printable: String = one_line.chars().filter(|c| !c.is_control()).collect();
    let mut short: String = printable.chars().take(MESSAGE).collect();
    if short.len() < printable.len() {
        short.push_str("...");
    }
    (!short.is_empty()).then_some(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vendors_message_is_short_and_in_one_line() {
        let check = |body: &str, expect: Option<&str>| {
            let message = message_in(body.as_bytes(), str::to_owned);
            assert_eq!(message.as_deref(), expect, "{body}");
        };
        check(
            r#"{"error":{"message":"no such\n  plan"}}"#,
            Some("no such plan"),
        );
        check(
            r#"{"error":"invalid_client","error_description":"who?"}"#,
            Some("who?"),
        );
        check(r#"{"other":1}"#, None);
        check("", None);
        check("Bad\r\nGateway\u{1b}[2J", Some("Bad Gateway[2J"));
        let long = message_in("x".repeat(500).as_bytes(), str::to_owned).unwrap();
        assert_eq!(long.len(), MESSAGE + 3);
        let token = "t".repeat(300);
        let veil = |words: &str| words.replace(&token, "***");
        let message = message_in(format!("not with {token}").as_bytes(), veil);
        assert_eq!(message.as_deref(), Some("not with ***"));
    }
}
