//! Recorded events, replayed into a real PostgreSQL and over HTTP.

#[path = "../postgres/slice/cluster.rs"]
#[allow(dead_code)]
mod cluster;
mod completeness;
mod http;
mod server;
mod sql;
mod world;
