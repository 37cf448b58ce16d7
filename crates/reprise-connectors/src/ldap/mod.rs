//! Directories: a site's subtree and its memberships in groups outside of it.

mod config;
mod connector;

pub use config::{LdapConfig, LdapShard, Render};
pub use connector::LdapConnector;
