//! What several kinds of store have in common.

pub mod copy;
pub mod folder;
