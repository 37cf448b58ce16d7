//! One contract for every journal, held against memory, SQLite and a private
//! PostgreSQL; then what is particular to each.

mod crash;
mod memory;
mod postgres;
mod replan;
mod roundtrip;
mod sample;
mod sqlite;
mod suite;
