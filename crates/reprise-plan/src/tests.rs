//! Tests of the crate as a whole, through its public functions.

mod graphs;
mod handover;
mod large;
mod linting;
mod messages;
mod properties;
mod references;
mod shapes;
mod verifying;
mod whole;
mod wiring;
