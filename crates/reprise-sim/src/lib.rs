//! The engine under virtual time, in a seeded world of faults.
//!
//! The same engine that restores sites is driven by a simulated clock, world
//! and journal. One seed decides everything: how long tasks take, which fail,
//! which answers are lost, at which effect the coordinator dies, what the
//! operator does. After the faults comes a quiet phase in which the run must
//! converge. Checkers look from outside and trust nothing the engine says.
//!
//! [`rehearse`] is the same without faults and without a journal: how long a
//! plan takes when each task takes as long as it is told.

mod ahead;
mod checks;
mod contest;
mod forecast;
mod rehearsal;
mod sample;
mod trial;
mod workload;

pub use ahead::{Ahead, Prospect};
pub use checks::{SiteEnds, Violation};
pub use contest::{Knowledge, engine_takes, first_come_takes, learned};
pub use forecast::{
    Band, Belief, Beliefs, Binding, Change, Forecast, Gain, PoolForecast, Share, SiteForecast,
    Spread, WaveForecast, forecast, proportional, scaled,
};
pub use rehearsal::{Course, Durations, curtain_up, rehearse, rehearse_with, run_ahead};
pub use sample::{Sample, plan};
pub use trial::{AtCrash, Coverage, Faults, Mishap, Report, simulate, try_out};
pub use workload::{SITES, Skew, Workload, WorkloadOptions};
