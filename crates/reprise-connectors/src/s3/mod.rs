//! Media in a bucket that keeps versions: a site's keys are those below a prefix.

mod address;
mod apply;
mod client;
mod compare;
mod config;
mod connector;
mod history;
mod inspect;
mod lifecycle;
mod listing;
mod manifest;
mod options;
mod point;
mod recover;
mod restore;
mod slice;
mod step;
mod verify;
mod work;
mod xml;

pub use config::{Render, S3Config, S3Shard};
pub use connector::S3Connector;
