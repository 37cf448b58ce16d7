//! Named for what is left out by name where MariaDB is not installed.

mod listing;
mod recovery;
mod slices;
mod world;
