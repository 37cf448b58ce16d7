//! What people see of a run: a fold over its plan and its journal entries.
//!
//! [`Fold`] turns entries into states, times and outcomes. Everything else is
//! a view of it: the [`Report`] with its renderings (text, Markdown, HTML,
//! JSON), the compact [`Status`], the [`Estimate`] of the time left, and the
//! live displays (bars on a terminal, plain lines elsewhere), and the
//! [`Spans`] that tracing systems show.
//!
//! The crate knows neither journal nor engine nor clock, so that a live run,
//! a journal read back and a remote process feed the same screen. Entries may
//! arrive twice; progress may be lost. Neither changes the end state.

mod estimate;
mod exit;
pub mod fold;
pub mod format;
mod live;
pub mod render;
mod report;
mod spans;
mod status;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use estimate::Estimate;
pub use exit::exit;
pub use fold::{Fold, PlanInForce, PoolUse, RunState};
pub use live::{Bars, Display, Lines, Monitor, Tone, told};
pub use report::{
    Attempts, ConsistencyEvidence, Failure, JournalFacts, Link, Objectives, OpenGate, Phase,
    REPORT_VERSION, Report, SiteReport, SiteState, StoreReport, TaskCounts, Totals, Validation,
};
pub use spans::{Span, SpanEnd, SpanId, SpanSink, SpanStatus, Spans, Subject};
pub use status::{RunningTask, STATUS_VERSION, Status, Unlisted, WaveStatus};
