//! `estate.yaml`: any text is an estate or a list of mistakes, a plan can be
//! tried over it, and a password in it is not shown.

use reprise_spec::{Environment, digest_of_estate, missing_variables, parse_estate};

use crate::{sample, shown};

pub fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    look(text);
    if text.contains(shown::PLANTED) {
        return;
    }
    // A shard in the middle, its live end written out with its password.
    let secret = format!(
        "      planted:\n        live: \"postgres://ann:{}@127.0.0.1/x\"\n",
        shown::PLANTED
    );
    for (at, _) in text.match_indices('\n').take(8) {
        let (before, after) = text.split_at(at + 1);
        shown::hides_the_secret(&look(&format!("{before}{secret}{after}")));
    }
}

/// All that is done with the text of an estate; returns what is said about it.
fn look(text: &str) -> String {
    match parse_estate(text, sample::path()) {
        Ok(estate) => {
            let _ = digest_of_estate(&estate);
            let none: [(&str, &str); 0] = [];
            let _ = missing_variables(&estate, &Environment::new(none));
            let planned = sample::plan_of(&estate, sample::runbook());
            planned.err().unwrap_or_default()
        }
        Err(found) => shown::diagnostics(&found),
    }
}
