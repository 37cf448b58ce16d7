//! The directory connector on a real server.

mod slapd;
