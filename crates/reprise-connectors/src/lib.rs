//! Connectors: one folder for each kind of store, and one for actions that
//! need no store. Each implements [`reprise_ports::Connector`].

pub mod events;
pub mod folder;
pub mod generic;
pub mod git;
pub mod http;
pub mod ldap;
pub mod mariadb;
pub mod postgres;
pub mod rows;
pub mod s3;

mod shared;
