//! Slices between two real databases: every case of the issue, and the
//! refusals.

mod awkward;
mod cluster;
mod companions;
mod conflicts;
mod crash;
mod drift;
mod listing;
mod neighbours;
mod pgbench;
mod rights;
mod tables;
mod values;
mod versions;
mod world;
