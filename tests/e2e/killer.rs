//! Kills a process at random moments that a seed repeats.

use std::fmt;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A run of a small estate takes a few seconds: within this time it is
/// starting, recovering or restoring.
const LATEST: u64 = 1500;

pub struct Killer {
    seed: u64,
    state: u64,
    strikes: u32,
}

impl Killer {
    /// The seed is `E2E_SEED`, so that a failure can be repeated, or new.
    pub fn from_environment() -> Self {
        let given = std::env::var("E2E_SEED")
            .ok()
            .and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(1, |now| u64::from(now.subsec_nanos()))
        });
        Self {
            seed,
            state: seed.max(1),
            strikes: 0,
        }
    }

    /// Runs the command and kills it some time later; says whether it had
    /// come to its end before.
    pub fn strike(&mut self, mut command: Command) -> bool {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("reprise starts");
        // Nothing is waited for here: the moment itself is what is tried.
        std::thread::sleep(Duration::from_millis(20 + self.next() % LATEST));
        if let Ok(Some(_)) = child.try_wait() {
            return true;
        }
        child.kill().expect("a child can be killed");
        child.wait().expect("a child can be waited for");
        self.strikes += 1;
        false
    }

    pub fn strikes(&self) -> u32 {
        self.strikes
    }

    /// Marsaglia's xorshift.
    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }
}

impl fmt::Display for Killer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} kills, repeat with E2E_SEED={}",
            self.strikes, self.seed
        )
    }
}
