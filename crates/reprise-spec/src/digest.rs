//! Digests over what a file means: comments, order of keys and secrets are
//! not part of it, and neither is the folder that it lies in.

use std::path::PathBuf;

use reprise_model::{Digest, Estate, Runbook};

/// Over the estate without its `base`. A live end that is not a bare
/// `${NAME}` counts as hidden, whatever it says.
pub fn digest_of_estate(estate: &Estate) -> Digest {
    let portable = Estate {
        base: PathBuf::new(),
        ..estate.clone()
    };
    let bytes = serde_json::to_vec(&portable).expect("an estate is plain data");
    Digest::of(&bytes)
}

pub fn digest_of_runbook(runbook: &Runbook) -> Digest {
    let bytes = serde_json::to_vec(runbook).expect("a runbook is plain data");
    Digest::of(&bytes)
}
