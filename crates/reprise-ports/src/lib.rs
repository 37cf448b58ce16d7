//! Traits to the world, and their errors.

mod connector;
mod journal;

pub use connector::{
    Call, CallSite, Connector, Context, Estimate, Finding, Inspect, Inspection, Item, Level,
    Listing, Probe, Progress, SiteRow, Take,
};
pub use journal::{
    Claim, Journal, JournalError, NewRun, OwnerState, RunRow, Sink, Summarised, Summary, Verified,
};
