//! The live end: what is there, and how it is brought to T.

mod compare;
mod connection;
mod derived;
mod moved;
mod restore;
mod verify;

pub use compare::Present;
pub use connection::{Live, Session};
pub use restore::restore;
pub use verify::verify;
