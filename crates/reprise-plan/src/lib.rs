//! Compiles runbook x estate x sites x target time into one hashed DAG.
//!
//! Pure: no clock, no environment, no file, no randomness and no hash-ordered
//! map, so that the same inputs give the same plan, byte for byte. The rules
//! are in `docs/design/planning.md`.

mod blast;
mod compile;
mod error;
pub mod graph;
mod handover;
mod input;
pub mod learn;
mod lint;
mod nearest;
mod options;
mod own;
mod placement;
mod render;
mod select;
pub mod shape;
mod steps;
mod verify;
mod wave;
mod wire;

pub use compile::{Compiled, compile};
pub use error::{PlanError, PlanErrors};
pub use input::{CompileInput, Place, SelectedId, Selection, ShardEstimate, SiteRow};
pub use lint::{Severity, Warning, lint, lint_plan};
pub use verify::{PlanFault, verify_plan};
pub use wave::sizes as wave_sizes;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
