//! Builds real estates, load and accidents for demo, tests and rehearsals.
//!
//! An estate is a folder with private PostgreSQL clusters: a catalogue, an
//! identity store and product shards, each with a WAL archive and a base
//! backup; a full one has a server for every other kind of store ([`layers`]).
//! [`load`] keeps writing to it, [`accident`] deletes sites from it,
//! and [`audit`] judges a restore without any of reprise's own code: by
//! PostgreSQL's recovery to the same moment, by ownership written down by hand
//! ([`tables`]), and by the ledger in which the writers note what they changed
//! ([`ledger`]).

pub mod accident;
pub mod audit;
pub mod cluster;
pub mod down;
mod error;
pub mod estate_files;
pub mod layers;
pub mod layout;
pub mod ledger;
pub mod load;
pub mod manifest;
pub mod sites;
pub mod tables;
pub mod tamper;
pub mod up;
pub mod vendor;

pub use error::Error;
