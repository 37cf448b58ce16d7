//! Named for what is left out by name where slapd is not installed.

mod faults;
mod listing;
mod recovery;
mod restoring;
mod server;
mod world;
