//! The runner: performs the engine's effects. The one inner place that knows
//! tokio, the clock and signals.
//!
//! - [`execute`]: one coordinator's life over a run, from the claim to the end
//! - `past`: the journal of earlier coordinators, taken in
//! - `writer`: appends to the journal, beside the coordinator
//! - `durable`: what waits for an entry to be durable
//! - `dispatch`: starts, probes and interrupts attempts (local today; a worker
//!   on another machine would sit behind the same three calls)
//! - `call`: what an attempt is told, as data
//! - [`Survey`]: what must be known before there is a plan
//! - [`World`]: the connectors of an estate, with secrets resolved
//! - [`Clock`]: the wall at the start, then the monotonic clock

mod call;
mod clock;
mod coordinator;
mod dispatch;
mod durable;
mod observer;
mod past;
mod points;
mod run_id;
mod succession;
mod survey;
mod tied;
mod world;
mod writer;

pub use clock::Clock;
pub use coordinator::{ExecuteOptions, Execution, RunError, Signals, execute, succeed};
pub use observer::{Observer, Silent};
pub use run_id::new_run_id;
pub use succession::Succession;
pub use survey::{Survey, SurveyError};
pub use world::{World, WorldError, WorldOptions, recorded};
