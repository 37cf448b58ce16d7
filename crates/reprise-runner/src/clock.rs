//! The time that a coordinator goes by.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use reprise_model::Timestamp;

/// Reads the wall clock once and the monotonic clock from then on, so that a
/// clock set back or forward in the middle of a run neither delays a retry nor
/// fires a time-out.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: Timestamp,
    since: Instant,
}

impl Clock {
    pub fn start() -> Self {
        Self {
            wall: Self::wall_now(),
            since: Instant::now(),
        }
    }

    pub fn now(&self) -> Timestamp {
        self.wall.saturating_add(self.since.elapsed())
    }

    /// The instant at which `now()` will say `at`, or now if that is past.
    pub fn instant_of(&self, at: Timestamp) -> Instant {
        let micros = u64::try_from(at.as_micros() - self.wall.as_micros()).unwrap_or(0);
        self.since + std::time::Duration::from_micros(micros)
    }

    fn wall_now() -> Timestamp {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
    }
}
