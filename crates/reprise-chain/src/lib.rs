//! What every journal does, wherever it keeps its rows: entries become pages,
//! pages a chain, and a fence decides who may write the next one.
//!
//! Apart from the stores, so that the simulator drives the very same logic
//! under virtual time. [`Tape`] is a run's journal in memory.

mod page;
mod tape;

pub use page::{Chain, Page, Tip, compose, conflict, corrupt, genesis};
pub use tape::Tape;
