//! Directories: a site's subtree and its memberships in groups outside of it.
//! `docs/design/directory.md` says how its past is read and how it is merged.

mod config;
mod connector;
mod csn;
mod entry;
mod inspect;
mod ldif;
mod list;
mod live;
mod names;
mod options;
mod recover;
mod slice;
mod tree;

pub use config::{LdapConfig, LdapShard, Render};
pub use connector::LdapConnector;
