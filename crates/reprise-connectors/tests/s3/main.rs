//! Media against a real SeaweedFS.

mod moments;
mod refusals;
mod slices;
mod weed;
mod world;
