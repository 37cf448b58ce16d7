//! Named for what is left out by name where slapd is not installed.

mod faults;
mod recovery;
mod restoring;
mod server;
mod world;
