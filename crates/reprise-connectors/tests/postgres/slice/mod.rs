//! Slices between two real databases: every case of the issue, and the
//! refusals.

mod awkward;
mod cluster;
mod world;
