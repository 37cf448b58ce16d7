//! Media in a tree of files: a site's files are those below a folder of it.
//!
//! `past/` finds the copy of T, in dated folders or by restic; `tree.rs` reads
//! what stands below a folder; `manifest.rs` holds what a site had at T;
//! `work.rs` compares it with live, and `apply.rs` brings it back.

mod apply;
mod config;
mod connector;
mod copy;
mod listing;
mod manifest;
mod names;
mod options;
mod past;
mod recover;
mod slice;
mod tree;
mod verify;
mod watch;
mod work;

pub use config::{FolderConfig, FolderShard, Past, Render};
pub use connector::FolderConnector;
