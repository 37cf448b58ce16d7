//! Media in a tree of files: dated folders, and a real restic repository.

mod dated;
mod listing;
mod owners;
mod refusals;
mod restic;
mod world;
