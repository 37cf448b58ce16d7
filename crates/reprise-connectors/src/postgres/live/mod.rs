//! The live end of a shard: a slice is carried from the recovered scratch
//! into the database that every other site goes on using.
//!
//! `docs/design/slices.md` is the protocol: one transaction a slice, the
//! checks that replica mode leaves out made by ourselves, a mark in the
//! journal before the commit, and a probe that asks the server what became of
//! it. Nothing here takes a lock that a neighbour could feel, changes a
//! definition, or touches a row without the site's predicate.

mod bring;
mod check;
mod checksum;
mod companions;
mod conflict;
mod connections;
mod copy;
mod estimate;
pub(crate) mod fault;
mod fill;
mod inspect;
mod integrity;
mod keep;
mod leaning;
mod links;
mod list;
mod load;
mod mark;
mod references;
mod replace;
mod restore;
mod rights;
mod sequences;
mod session;
mod shard;
mod survey;
mod transaction;
mod verify;
mod waited;

pub use crate::rows::{OnConflict, Options};
pub use connections::Connections;
pub use shard::{LiveShard, Scratch};
