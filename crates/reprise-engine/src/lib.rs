//! The engine: decides what happens next, and does nothing itself.
//!
//! `Engine::handle(input, now)` takes what the world said and returns what is
//! to be done, in order. It knows no runtime, no clock, no file, no
//! randomness: the same inputs give the same effects, byte for byte. The
//! runner, the simulator and, one day, agents on other machines drive the same
//! code.
//!
//! The journal is the truth. Every change of a task's state is either an event
//! or follows from events alone, and [`fold::Fold`] is the only place that
//! turns events into states: live, and when a run is taken up again.
//!
//! - [`fold`]: events to states; an illegal event is an error that names it
//! - `consequence`: what the end of one task means for others
//! - `takeover`: what an owner that died has left
//! - `ledger`: the dense vector of states, with one writer
//! - `ready`: what wants a slot, by pool and priority
//! - `pace`: how each site goes, against what was expected
//! - `slots`: who has one, and who is on deck
//! - `engine`: inputs to events and effects
//! - `schedule`: waves, starts, and when to stop
//! - `replay`: a run from its journal
//! - `backoff`: when a failed task is tried again
//! - `reset`: the operator's retry
//! - [`resume`]: the table of what becomes of a task when a run is taken up again
//! - `detour`: needs beyond a need that is done
//! - `comparison`: the plan in force beside another one, task by task
//! - [`replan`]: what another plan would mean, and the event that puts it in force
//! - `carry`: what is kept when another plan is put in force
//! - `standing`: where a task stands, in the words of that table

mod backoff;
mod by_task;
mod carry;
mod comparison;
mod consequence;
mod detour;
mod engine;
pub mod fold;
mod io;
mod ledger;
mod orphans;
mod pace;
mod ready;
pub mod replan;
mod replay;
mod reset;
pub mod resume;
mod schedule;
mod slots;
mod standing;
mod takeover;
mod topology;

pub use engine::{Engine, Options};
pub use fold::{Fold, FoldError};
pub use io::{Answer, Effect, Input, Interruption};
pub use replay::{Replay, ReplayError};
