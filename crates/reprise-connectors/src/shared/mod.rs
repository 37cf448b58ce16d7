//! What several kinds of store have in common.

pub mod copy;
pub mod folder;
pub mod found;
pub mod lines;
pub mod nagle;
pub mod percent;
pub mod policy;
pub mod room;
pub mod seen;
