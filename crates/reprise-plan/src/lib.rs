//! Compiles runbook x estate x sites x target time into one hashed DAG.
//!
//! Pure: no clock, no environment, no file, no randomness and no hash-ordered
//! map, so that the same inputs give the same plan, byte for byte.

pub mod shape;
