//! Media against a real SeaweedFS.

mod classes;
mod listing;
mod moments;
mod nothing;
mod proxy;
mod refusals;
mod rules;
mod slices;
mod troubles;
mod weed;
mod world;
