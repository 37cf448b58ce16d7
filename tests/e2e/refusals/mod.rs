//! Bad inputs on real servers: each is refused with a message that says what
//! is wrong and what to do, with its exit code, and changes nothing in live.
//!
//! What needs no server is held in the tests of `reprise-cli`.

mod coordinators;
mod requests;
mod schemas;
mod servers;
mod stage;
