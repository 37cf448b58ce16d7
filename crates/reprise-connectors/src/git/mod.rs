//! Configuration in a git repository: files below a site's path, as of T, in
//! a live folder.
//!
//! **Protocol.** `recover` clones the branch into scratch and finds the commit
//! of T along first parents, by committer time. `restore` brings each file to
//! that commit by itself: written beside its place and renamed into it, so a
//! reader sees the old file or the new one. *Crash*: what was written is found
//! to be so; a draft that was left is written over. *Neighbours*: no path
//! leads out of the site's folder, not by `..`, not by an id with a slash, and
//! not by a symbolic link, which is never followed (`folder.rs`). *Clocks*: a
//! history whose committer times disagree about T is refused.

mod command;
mod config;
mod connector;
mod files;
mod folder;
mod history;
mod inspect;
mod options;
mod path;
mod scratch;
mod slice;

pub use config::{GitConfig, GitShard, Render};
pub use connector::GitConnector;
