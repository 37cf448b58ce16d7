//! What comes from outside, thrown at by a fuzzer: one function for each door.
//!
//! A target takes any bytes and must return. A panic, a hang or a secret in a
//! message is a finding. The same functions are driven by libFuzzer
//! (`scripts/fuzz.sh`) and, over the committed corpus, by an ordinary test.
//! What each promises is in `docs/design/fuzzing.md`.

mod choices;
mod drive;
mod estate;
mod exec;
mod journal;
mod lists;
mod mutate;
mod plan;
mod runbook;
mod sample;
mod shown;

/// Any bytes; panics on a finding.
pub type Target = fn(&[u8]);

/// Every door, by the name of its corpus.
pub const TARGETS: [(&str, Target); 6] = [
    ("estate", estate::target),
    ("runbook", runbook::target),
    ("lists", lists::target),
    ("plan", plan::target),
    ("journal", journal::target),
    ("exec", exec::target),
];

pub fn target(name: &str) -> Option<Target> {
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.map(|(_, target)| *target)
}
