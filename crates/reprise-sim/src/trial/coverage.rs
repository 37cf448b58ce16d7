//! What went wrong in a simulation, counted: a world in which some fault never
//! happens proves nothing about it.

use std::fmt;

macro_rules! mishaps {
    ($($name:ident => $text:literal,)*) => {
        /// Something that went wrong, or that a person did.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Mishap { $($name,)* }

        impl Mishap {
            pub const ALL: &'static [Mishap] = &[$(Self::$name,)*];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

mishaps! {
    Temporary => "temporary failure",
    Permanent => "permanent failure",
    Refused => "refusal",
    Validation => "failed validation",
    OwnTimeOut => "time-out told by the attempt",
    Unasked => "cancellation nobody asked for",
    RetryAfter => "retry-after",
    Slow => "slow attempt",
    Hang => "hanging attempt",
    TimedOut => "attempt interrupted for its time-out",
    Stubborn => "interrupt ignored until the grace was over",
    LostAnswer => "lost answer",
    LostCommit => "committed, answer of the commit lost",
    Aborted => "commit that was rolled back",
    InDoubt => "commit in doubt after its coordinator was gone",
    UnknownProbe => "probe that could not tell",
    FailedProbe => "failed probe",
    Duplicate => "answer told twice",
    Stale => "answer to a coordinator that was gone",
    Overlap => "repeatable task under way at two owners",
    Crash => "crash",
    CrashOfIdle => "crash with nothing being written",
    PageLost => "crash, page not durable",
    PageKept => "crash, page durable and its answer lost",
    PageTorn => "crash, page torn and cut by the next owner",
    WriteFailed => "failed write",
    WriteFailedKept => "failed write whose page was durable",
    SlowWrite => "slow write",
    Damage => "damaged page, refused with its place",
    ClockBack => "clock set back between owners",
    ClockForward => "clock set forward between owners",
    Rival => "claim lost to a second coordinator",
    Frozen => "coordinator frozen while it lost its claim",
    Fenced => "write of a superseded owner refused",
    Pause => "pause",
    Continue => "continue",
    Cancel => "cancel",
    Retry => "retry",
    Approve => "gate approved",
    Reject => "gate rejected",
    Nonsense => "answer to a gate that was not open",
    Signal => "signal",
    Between => "command between two owners",
    ToldTwice => "command delivered twice",
    Halted => "halt of the waves",
}

/// How often each thing happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Coverage {
    counts: Vec<u64>,
}

impl Default for Coverage {
    fn default() -> Self {
        Self {
            counts: vec![0; Mishap::ALL.len()],
        }
    }
}

impl Coverage {
    pub(crate) fn count(&mut self, mishap: Mishap) {
        self.counts[mishap as usize] += 1;
    }

    pub fn of(&self, mishap: Mishap) -> u64 {
        self.counts[mishap as usize]
    }

    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
    }

    /// What never happened.
    pub fn missing(&self) -> Vec<Mishap> {
        let all = Mishap::ALL.iter().copied();
        all.filter(|mishap| self.of(*mishap) == 0).collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for mishap in Mishap::ALL {
            writeln!(f, "{:>12}  {}", self.of(*mishap), mishap.as_str())?;
        }
        Ok(())
    }
}
