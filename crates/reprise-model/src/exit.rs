//! Exit codes: promises to the scripts that call reprise.

/// How a command ended. Documented in `docs/exit-codes.md`, never renumbered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// All restored and validated.
    Success,
    /// A defect of reprise itself.
    Internal,
    /// The command line makes no sense.
    Usage,
    /// The estate or the runbook is invalid.
    InvalidInput,
    /// There was nothing to do.
    NothingToDo,
    /// Stopped with work outstanding; `reprise resume` continues it.
    Outstanding,
    /// Restored, but a validation failed or an objective was missed.
    Unvalidated,
    /// Some sites failed.
    SitesFailed,
    /// Refused before or during the work: plan or target changed, another
    /// coordinator owns the run, blast radius not confirmed, preconditions unmet.
    Refused,
    /// The journal cannot be read, or was written by a newer version.
    JournalUnreadable,
    /// Ended by a signal.
    Signal,
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::InvalidInput => 3,
            Self::NothingToDo => 4,
            Self::Outstanding => 5,
            Self::Unvalidated => 6,
            Self::SitesFailed => 7,
            Self::Refused => 8,
            Self::JournalUnreadable => 9,
            Self::Signal => 130,
        }
    }
}
