//! Media against a real SeaweedFS.

mod listing;
mod moments;
mod proxy;
mod refusals;
mod slices;
mod troubles;
mod weed;
mod world;
