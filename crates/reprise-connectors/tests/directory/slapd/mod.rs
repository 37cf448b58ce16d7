//! Named for what is left out by name where slapd is not installed.

mod faults;
mod groups;
mod listing;
mod moved;
mod policy;
mod recovery;
mod restoring;
mod server;
mod shared;
mod world;
