//! libFuzzer over one target, which `REPRISE_FUZZ` names.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use reprise_fuzz::{TARGETS, Target, target};

static CHOSEN: OnceLock<Target> = OnceLock::new();

fuzz_target!(|data: &[u8]| {
    let chosen = CHOSEN.get_or_init(|| {
        let name = std::env::var("REPRISE_FUZZ").unwrap_or_default();
        let known = TARGETS.map(|(name, _)| name);
        target(&name).unwrap_or_else(|| panic!("REPRISE_FUZZ is `{name}`, not one of {known:?}"))
    });
    chosen(data);
});
