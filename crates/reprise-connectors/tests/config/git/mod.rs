//! Named for what is left out by name where git is not installed.

mod folders;
mod moments;
mod refusals;
mod world;
