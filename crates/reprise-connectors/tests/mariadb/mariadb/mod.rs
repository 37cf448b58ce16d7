//! Named for what is left out by name where MariaDB is not installed.

mod recovery;
mod slices;
mod world;
