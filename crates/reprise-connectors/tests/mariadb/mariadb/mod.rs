//! Named for what is left out by name where MariaDB is not installed.

mod endings;
mod listing;
mod logs;
mod neighbours;
mod recovery;
mod rights;
mod slices;
mod values;
mod world;
mod zones;
