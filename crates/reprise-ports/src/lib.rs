//! Traits to the world, and their errors.

mod connector;
mod journal;

pub use connector::{
    Call, CallSite, Connector, Context, Estimate, Finding, Inspect, Inspection, Level, Probe,
    Progress, SiteRow,
};
pub use journal::{
    Claim, Journal, JournalError, NewRun, OwnerState, RunRow, Sink, Summarised, Summary, Verified,
};
