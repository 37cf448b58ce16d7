//! Names for runs.

use rand::RngExt;
use reprise_model::{RunId, Timestamp};

/// A name that sorts by time, can be typed, and does not collide: the second
/// in UTC and 24 random bits, such as `20260301T120000Z-3fa9c1`.
pub fn new_run_id(now: Timestamp) -> RunId {
    let second = Timestamp::from_micros(now.as_micros() - now.as_micros().rem_euclid(1_000_000));
    let random: u32 = rand::rng().random_range(0..1 << 24);
    RunId::new(format!("{}-{random:06x}", second.compact()))
}
