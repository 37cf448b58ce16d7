//! The live end of a shard: a slice is carried from the recovered scratch
//! into the database that every other site goes on using.
//!
//! `docs/design/mariadb.md` is the protocol: one transaction a slice, foreign
//! keys checked by ourselves, a mark in the journal before the commit, and a
//! probe that compares live with scratch.

mod catalog;
mod inspect;
mod integrity;
mod list;
mod load;
mod probe;
mod restore;
mod shard;
mod value;
mod verify;

pub use shard::{LiveShard, Scratch};
