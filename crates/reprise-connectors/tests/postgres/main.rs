//! The PostgreSQL connector on real servers.

mod slice;
