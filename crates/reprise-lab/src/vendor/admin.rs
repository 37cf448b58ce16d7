//! Orders and questions of the lab:
//!
//! ```text
//! GET    /admin/counts            what it did
//! GET    /admin/sites             { SITE: { APP: STATE } }
//! PUT    /admin/sites             the same, in place of what it knows
//! DELETE /admin/sites/SITE        the accident
//! PUT    /admin/mischief          a list of instructions, in place of the last
//! DELETE /admin/tokens            no token is valid any longer
//! ```

use std::collections::BTreeMap;

use hyper::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::mischief::Mischief;
use super::server::Vendor;
use super::state::Apps;

pub(super) fn answer(method: &Method, path: &[&str], body: &[u8], vendor: &Vendor) -> (u16, Value) {
    let mut state = vendor.state();
    match (method, path) {
        (&Method::GET, ["counts"]) => (200, json!(state.counts)),
        (&Method::GET, ["sites"]) => (200, json!(state.sites)),
        (&Method::PUT, ["sites"]) => match read::<BTreeMap<String, Apps>>(body) {
            Ok(sites) => {
                state.sites = sites;
                (200, json!({}))
            }
            Err(answer) => answer,
        },
        (&Method::DELETE, ["sites", site]) => {
            let known = state.sites.remove(*site);
            (200, json!({ "apps": known.map_or(0, |apps| apps.len()) }))
        }
        (&Method::PUT, ["mischief"]) => match read::<Vec<Mischief>>(body) {
            Ok(told) => {
                state.moods.tell(told);
                (200, json!({}))
            }
            Err(answer) => answer,
        },
        (&Method::DELETE, ["tokens"]) => {
            state.tokens.clear();
            (200, json!({}))
        }
        _ => (404, json!({ "error": "no such order" })),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, (u16, Value)> {
    serde_json::from_slice(body).map_err(|error| (400, json!({ "error": error.to_string() })))
}
