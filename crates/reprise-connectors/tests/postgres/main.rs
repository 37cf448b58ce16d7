//! The PostgreSQL connector on real servers.

mod recovery;
mod slice;
