//! How bad the world is.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;

/// Probabilities of what goes wrong until the quiet phase begins.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Faults {
    /// Of an attempt: failures by kind.
    pub temporary: f64,
    pub permanent: f64,
    pub refused: f64,
    pub validation: f64,
    pub timed_out: f64,
    pub cancelled: f64,
    /// Of an attempt: its answer is lost. Of a commit: the same, or it is
    /// rolled back. Of a probe: it cannot tell, or fails.
    pub lost: f64,
    /// Takes 10 to 100 times as long.
    pub slow: f64,
    /// Never ends by itself.
    pub hang: f64,
    /// Ignores its interruption until the grace is over.
    pub stubborn: f64,
    /// Answers twice.
    pub duplicate: f64,
    /// Of every effect, write and landing of a write: the coordinator dies before it.
    pub crash: f64,
    /// Of every input: a second coordinator takes the claim away.
    pub rival: f64,
    /// Of a write: it fails, or takes seconds.
    pub write: f64,
    /// Of a takeover: the clock of the new owner differs, by up to days.
    pub clock: f64,
    /// Of an operator's look, every half minute or so: something is asked for.
    pub operator: f64,
    /// The coordinator stays while all that is left waits for people.
    pub people: bool,
    /// How far ahead of a free slot the engine journals starts.
    pub reach: Duration,
    /// Inputs after which the faults stop.
    pub until: u64,
    /// Boundaries before which the coordinator dies, counted over the whole
    /// run from 0.
    pub crash_at: [Option<u64>; 2],
    /// What becomes of the page in flight at such a boundary, instead of chance.
    pub page_at_crash: Option<AtCrash>,
}

/// What a crash leaves of the page that was being written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AtCrash {
    Lost,
    Kept,
    Torn,
}

impl Faults {
    /// Everything, at rates at which a run of fifty sites has a few of each.
    pub const ALL: Faults = Faults {
        temporary: 0.06,
        permanent: 0.006,
        refused: 0.006,
        validation: 0.02,
        timed_out: 0.01,
        cancelled: 0.01,
        lost: 0.04,
        slow: 0.02,
        hang: 0.02,
        stubborn: 0.3,
        duplicate: 0.05,
        crash: 0.002,
        rival: 0.002,
        write: 0.005,
        clock: 0.3,
        operator: 0.2,
        people: false,
        reach: Duration::from_millis(8),
        until: 4_000,
        crash_at: [None, None],
        page_at_crash: None,
    };

    /// Another mix for each run: a fault that always comes with all others
    /// hides what it does alone.
    pub fn drawn(rng: &mut StdRng) -> Self {
        let mut faults = Self::ALL;
        for rate in [
            &mut faults.temporary,
            &mut faults.permanent,
            &mut faults.refused,
            &mut faults.validation,
            &mut faults.timed_out,
            &mut faults.cancelled,
            &mut faults.lost,
            &mut faults.slow,
            &mut faults.hang,
            &mut faults.stubborn,
            &mut faults.duplicate,
            &mut faults.crash,
            &mut faults.rival,
            &mut faults.write,
            &mut faults.clock,
            &mut faults.operator,
        ] {
            *rate *= match rng.random_range(0..6) {
                0 | 1 => 0.0,
                2..5 => rng.random_range(0.2..1.5),
                _ => rng.random_range(1.5..3.0),
            };
        }
        faults.people = rng.random_bool(0.3);
        // Simulated attempts take seconds: so that some are on deck.
        faults.reach = Duration::from_millis([0, 8, 3_000, 30_000][rng.random_range(0..4)]);
        faults
    }

    /// What remains in the quiet phase.
    pub(crate) fn quiet(self) -> Self {
        Self {
            people: self.people,
            reach: self.reach,
            ..Self::default()
        }
    }
}
