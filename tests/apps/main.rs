//! Third-party apps over HTTP, from `estate.yaml` to the lab's vendor and back:
//! the vendor misbehaves, restores are cut off, and its own counters are the
//! judge of what it was asked for.

mod bench;
mod coming_back;
mod cut_off;
mod listings;
mod misbehaviour;
mod refusals;
